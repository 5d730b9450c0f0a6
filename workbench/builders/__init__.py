"""A source tree made into a raw wheel."""

from __future__ import annotations
