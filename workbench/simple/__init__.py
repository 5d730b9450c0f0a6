"""Indexes of others: fetched, parsed and judged (PEP 503, 691, 700, 714, 792)."""

from __future__ import annotations
