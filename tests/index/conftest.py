from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.index.wheels import Store
from workbench.registry.model import Registry
from workbench.site import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store of the test's own."""
    root = tmp_path / "store"
    root.mkdir()
    return Store(root, Registry(), Settings())
