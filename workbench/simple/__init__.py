"""Indexes of others: fetched, parsed and judged (PEP 503, 691, 700, 714, 792)."""

from __future__ import annotations

JSON = "application/vnd.pypi.simple.v1+json"
"""The type that installers insist on: with ``application/json`` neither pip nor uv takes a page (PEP 691)."""

HTML_TYPES = ("text/html", "application/vnd.pypi.simple.v1+html")

LIBRARIES, LIBRARIES_VERSION = "libraries", 1
"""What a page of the workbench calls its facts about a wheel's libraries, and the version of their form."""
