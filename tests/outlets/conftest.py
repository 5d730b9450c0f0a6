"""A site with wheels that verify, and places for them on loopback."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.outlets.github_server import WritableGitHub
from tests.serving import serving
from tests.verbs.conftest import released, released_once  # noqa: F401 - fixtures for these tests too
from tests.wheels import files_of, pack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.paths import Paths

TOKEN = "t0ken-t0ken-t0ken"  # noqa: S105 - a stand-in's
REPOSITORY = "ada/wheels"


def wheel(
    folder: Path,
    version: str = "1.0",
    *,
    name: str = "demo",
    content: bytes = b"answer = 42\n",
    tag: str = "py3-none-any",
    size: int = 0,
) -> Path:
    """Make a wheel that verifies, of a project without a recipe; `size` bytes of noise make it large."""
    folder.mkdir(parents=True, exist_ok=True)
    payload = {f"{name}/__init__.py": content} | ({f"{name}/noise": os.urandom(size)} if size else {})
    files = files_of(name=name, version=version, tag=tag, payload=payload)
    return pack(folder / f"{name}-{version}-{tag}.whl", files)


@pytest.fixture
def wheels(paths: Paths) -> list[Path]:
    """Return three wheels of one project in the site."""
    return [wheel(paths.wheels, version) for version in ("1.0", "1.1", "1.2")]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[WritableGitHub]:
    """Return a GitHub with an empty repository, which this process's variables name."""
    with serving(WritableGitHub()) as server:
        server.repository(REPOSITORY)
        server.tokens = {TOKEN}
        monkeypatch.setenv("GITHUB_API_URL", server.api)
        monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        monkeypatch.delenv("GITHUB_SHA", raising=False)
        yield server
