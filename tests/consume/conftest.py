from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.consume.github_server import GitHub, github
from tests.consume.machines import FakeDriver
from tests.consume.served import serving
from tests.index.conftest import host, store
from workbench.consume.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.consume.served import Files


__all__ = ["host", "store"]


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither this user's tokens, cache and registries nor those of a CI's."""
    for name in ("GITHUB_TOKEN", "GPUWHEELS_TOKEN", "GPUWHEELS_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("GPUWHEELS_CACHE", str(tmp_path / "gpuwheels"))


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


@pytest.fixture
def server() -> Iterator[GitHub]:
    """Return a server that answers as GitHub's API does."""
    with github() as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Return an empty cache of the test's own."""
    return Cache(tmp_path / "cache")
