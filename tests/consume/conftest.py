from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.consume.machines import FakeDriver
from tests.consume.served import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.consume.served import Files


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    """Return a loopback server of wheels, whose index is the only one that uv and pip know."""
    folder = tmp_path / "served"
    folder.mkdir()
    with serving(folder) as files:
        monkeypatch.setenv("UV_DEFAULT_INDEX", files.index)
        for name in ("PIP_FIND_LINKS", "PIP_CONSTRAINT", "UV_FIND_LINKS"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        yield files


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """Return a machine that has no driver yet."""
    return FakeDriver(tmp_path, monkeypatch)
