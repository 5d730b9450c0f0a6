"""The media types of the Simple API (PEP 691)."""

from __future__ import annotations

JSON = "application/vnd.pypi.simple.v1+json"
"""The type that installers insist on: with ``application/json`` neither pip nor uv takes a page (PEP 691)."""

HTML_TYPES = ("text/html", "application/vnd.pypi.simple.v1+html")
