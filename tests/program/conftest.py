from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.consume.conftest import driver, files
from tests.consume.github_server import github
from tests.verbs.conftest import demo
from tests.wheels import files_of, packed
from workbench.environment import Environment
from workbench.files import locked
from workbench.paths import CHECKOUT
from workbench.process import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.consume.github_server import GitHub
    from tests.consume.served import Files


__all__ = ["demo", "driver", "files"]

CP = f"cp{sys.version_info[0]}{sys.version_info[1]}"
HERE = f"{CP}-{CP}-linux_x86_64"


@dataclass(frozen=True)
class Installed:
    """The package as a user has it: built, installed, and used from a folder that is not a checkout."""

    bin: Path
    folder: Path

    def run(self, program: str, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one of its programs, with a home of the test's own."""
        home = {"HOME": str(self.folder), "XDG_DATA_HOME": "", "XDG_CACHE_HOME": "", "WORKBENCH_SITE": ""}
        return subprocess.run(
            [self.bin / program, *map(str, words)],
            cwd=self.folder,
            env={**os.environ, **home, **variables},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return the programs of the built package, installed once for all workers."""
    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent
    made = base / "installed"
    with locked(base / "installed.lock"):
        if not made.exists():
            run(["uv", "build", "--quiet", "--wheel", f"--out-dir={base / 'dist'}", CHECKOUT])
            (wheel,) = (base / "dist").glob("*.whl")
            Environment.create(made, python="3.11").install([str(wheel)])
    return made / "bin"


@pytest.fixture
def installed(environment: Path, tmp_path: Path) -> Installed:
    """Return the installed package, in an empty folder."""
    return Installed(environment, tmp_path)


@dataclass(frozen=True)
class Project:
    """A project with an environment of its own, and the sources that its user has named."""

    folder: Path
    environment: Environment
    github: GitHub
    files: Files

    def offer(self, tag: str, version: str, *, requires: tuple[str, ...] = (), wheel: str = HERE) -> str:
        """Add a release with one wheel of ``demo-gpu``."""
        name = f"demo_gpu-{version}-{wheel}.whl"
        content = packed(files_of(name="demo-gpu", version=version, tag=wheel, requires=requires))
        self.github.repositories["ada/wheels"].release(tag, [name], contents={name: content})
        return name

    def offer_file(self, tag: str, name: str, content: bytes) -> None:
        """Add a release with one file, which need not be what its name says."""
        self.github.repositories["ada/wheels"].release(tag, [name], contents={name: content})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: Files) -> Iterator[Project]:
    """Return an empty project, in which the test stands."""
    folder = tmp_path / "project"
    environment = Environment.create(folder / ".venv", python=sys.executable)
    with github() as server:
        server.repository("ada/wheels")
        registry = tmp_path / "sources.toml"
        registry.write_text(
            'shipped = false\n[[sources]]\nname = "ada"\nkind = "github"\nrepository = "ada/wheels"\n'
            f'api = "{server.api}"\n'
        )
        monkeypatch.setenv("GPUWHEELS_REGISTRY", str(registry))
        monkeypatch.setenv("GPUWHEELS_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr(tempfile, "tempdir", None)  # the variable is read again
        monkeypatch.delenv("VIRTUAL_ENV", raising=False)
        monkeypatch.chdir(folder)
        yield Project(folder, environment, server, files)
