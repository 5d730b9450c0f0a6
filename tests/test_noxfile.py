"""What ``nox`` says where something is wrong with what is published: a message, and never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import noxfile
from tests.publish.sites import at, candidate
from workbench.paths import CHECKOUT
from workbench.process import environment
from workbench.publish.transaction import publish
from workbench.store.folder import FolderStore

if TYPE_CHECKING:
    from workbench.paths import Paths


RECIPE = """\
from __future__ import annotations

from workbench.recipe import Git, Recipe

recipe = Recipe(
    name="demo",
    version="1.0",
    description="A demonstration",
    source=Git(url="https://example.com/demo", commit="{commit}", branch="main"),
    smoke_test="import demo; assert demo.answer == 41, 'it computes nonsense'",
)
"""


def nox(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run nox as its program does: the folder that it is called from is not where modules are looked for."""
    return subprocess.run(
        [Path(sys.executable).with_name("nox"), "--noxfile", CHECKOUT / "noxfile.py", *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment(env),
    )


@pytest.mark.parametrize("wrong", ["registry", "site"])
def test_a_site_that_cannot_be_read_is_verifys_error_and_no_other_sessions(paths: Paths, wrong: str) -> None:
    paths.registry.write_text("{")
    env = {} if wrong == "registry" else {"WORKBENCH_SITE": "/nowhere"}
    why = f"{paths.registry}: not JSON" if wrong == "registry" else "WORKBENCH_SITE=/nowhere: no such folder"
    verified = nox("--session", "verify", **env)
    assert verified.returncode == 1
    assert why in verified.stderr
    assert "Traceback" not in verified.stderr
    assert nox("--list", **env).returncode == 0


def test_a_package_that_fails_its_smoke_test_is_told_of(paths: Paths, tmp_path: Path) -> None:
    (paths.recipes / "demo.py").write_text(RECIPE.format(commit="0" * 40))
    publish(at(paths, FolderStore(paths.root)), [candidate(tmp_path)])
    verified = nox("--session", "verify")
    assert verified.returncode == 1
    assert "demo-1.0-py3-none-any.whl is published, but does not install" in verified.stderr
    assert "it computes nonsense" in verified.stderr
    assert "noxfile.py" not in verified.stderr, "the only traceback is the smoke test's own"


def test_with_nothing_published_there_is_nothing_to_check_and_that_is_said(paths: Paths) -> None:
    assert not paths.registry.exists()
    verified = nox("--session", "verify")
    assert verified.returncode == 0, verified.stderr
    assert "nothing is published, so there is nothing to check" in verified.stderr


def test_wheels_that_this_machine_cannot_check_are_named(paths: Paths, tmp_path: Path) -> None:
    """Alone they are a failure: a check that looked at nothing has passed nothing."""
    tags = (
        "cp311-cp311-macosx_11_0_arm64",
        "py3-none-musllinux_1_2_x86_64",
        "py3-none-manylinux_2_99_x86_64",
    )
    others = [candidate(tmp_path, tag=tag) for tag in tags]
    publish(at(paths, FolderStore(paths.root)), others)
    verified = nox("--session", "verify")
    assert verified.returncode == 1
    for each in others:
        assert each.wheel.filename in verified.stderr
    assert "nothing was checked" in verified.stderr
    publish(at(paths, FolderStore(paths.root)), [candidate(tmp_path)])
    verified = nox("--session", "verify")
    assert verified.returncode == 0, verified.stderr
    assert "uv installs it: its modules import" in verified.stderr
    assert others[0].wheel.filename in verified.stderr


def test_what_the_quick_session_runs_is_there() -> None:
    assert [path for path in noxfile.QUICK if not (CHECKOUT / path).exists()] == []
