"""How a wheel was made: the record beside it."""

from __future__ import annotations
