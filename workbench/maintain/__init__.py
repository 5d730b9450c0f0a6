"""The life of a recipe: created from a source."""

from __future__ import annotations
