"""Every check that a wheel must pass, and the report of it."""
