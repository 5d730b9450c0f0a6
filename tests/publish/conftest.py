from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.publish.sites import Eventful, at, candidate
from workbench.publish.transaction import publish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.paths import Paths


@pytest.fixture
def store(paths: Paths, tmp_path: Path) -> Eventful:
    """Return the site's store, in which two versions were published, one after the other."""
    store = Eventful(paths.root)
    for version in ("1.0", "2.0"):
        publish(at(paths, store), [candidate(tmp_path, "demo", version)])
    return store


MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, where there is one


@pytest.fixture
def quick_path(tmp_path: Path) -> Iterator[Path]:
    """Return a fresh folder in memory: killing a process a hundred times would else wait for the disk to flush."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(dir=MEMORY, prefix="workbench-"))
    yield folder
    shutil.rmtree(folder)
