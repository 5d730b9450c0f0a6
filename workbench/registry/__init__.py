"""What is published: ``packages.json``."""

from __future__ import annotations
