"""The health of a store: doctor, reconcile, prune."""

from __future__ import annotations
