"""A recipe crossed with a target: a value, and its build key."""
