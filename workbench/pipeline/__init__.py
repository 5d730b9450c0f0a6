"""``release`` as one list of steps: make, publish, prove."""

from __future__ import annotations
