from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.consume.conftest import files
from tests.verbs.conftest import demo
from workbench.environment import Environment
from workbench.files import locked
from workbench.paths import CHECKOUT
from workbench.process import run

if TYPE_CHECKING:
    from pathlib import Path


__all__ = ["demo", "files"]


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
