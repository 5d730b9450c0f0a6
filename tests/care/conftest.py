from __future__ import annotations

from tests.publish.conftest import quick_path, store

__all__ = ["quick_path", "store"]
