"""``./inv``: the workbench from a bare checkout."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from workbench.paths import CHECKOUT
from workbench.process import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A checkout with an environment of another lock, and a Python that makes none."""
    for name in ("inv", "requirements.lock"):
        shutil.copy2(CHECKOUT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "precious").touch()
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$1" != -m ] || { mkdir -p "$3"; echo no venv; exit 1; }\n')
    python.chmod(0o755)
    return tmp_path


def test_an_environment_stays_until_another_can_be_made(bare: Path) -> None:
    for _ in range(2):
        done = run([bare / "inv", "list"], env={"PYTHON": str(bare / "python")}, check=False)
        assert (done.status, "install its venv module" in done.output) == (7, True)
        assert [path.name for path in (bare / ".venv").iterdir()] == ["precious"]


def test_what_was_set_aside_by_a_killed_run_comes_back(bare: Path) -> None:
    (bare / ".venv").rename(bare / ".venv.before")
    (bare / ".venv").mkdir()
    run([bare / "inv", "list"], env={"PYTHON": str(bare / "python")}, check=False)
    assert (bare / ".venv" / "precious").exists()


def test_a_link_leads_to_the_checkout_and_not_to_its_own_folder(bare: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "inv").symlink_to(bare / "inv")
    (elsewhere / ".venv").mkdir()
    shutil.copy(bare / "requirements.lock", bare / ".venv")
    (bare / ".venv" / "bin").mkdir()
    invoke = bare / ".venv" / "bin" / "invoke"
    invoke.write_text('#!/bin/sh\necho "$@"\n')
    invoke.chmod(0o755)
    assert run([elsewhere / "inv", "list"]).output == f"--search-root {bare} list\n"
    assert (elsewhere / ".venv").is_dir()
