"""Workflows as text, from a site's settings."""
