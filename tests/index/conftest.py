from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.index.hosts import Host, hosted
from tests.index.stores import Store
from workbench.registry.model import Registry
from workbench.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store of the test's own."""
    root = tmp_path / "store"
    root.mkdir()
    return Store(root, Registry(), Settings())


@pytest.fixture
def host() -> Iterator[Host]:
    """Return a host with a sound index of one project, whose every answer the test may change."""
    with hosted() as host:
        yield host
