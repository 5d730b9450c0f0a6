"""A request becomes verified wheels."""

from __future__ import annotations
