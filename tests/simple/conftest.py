from __future__ import annotations

from tests.index.conftest import host, store

__all__ = ["host", "store"]
