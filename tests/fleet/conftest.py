"""A site whose packages are built in a second each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.fleet.packages import package, repository

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths


class Adds(Protocol):
    """Adds a small package to the site."""

    def __call__(
        self, name: str, *, before: str = "", requires: tuple[str, ...] = (), recipe: str = ""
    ) -> None: ...


@pytest.fixture
def add(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Adds:
    """Return what adds a small package to the site; sources are cached for this test alone."""
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    return partial(package, paths, repository(tmp_path / "upstream"))
