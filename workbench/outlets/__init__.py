"""Places that take a wheel and are not a site's own: GitHub releases, package indexes."""
