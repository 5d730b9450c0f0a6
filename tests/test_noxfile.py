"""What ``nox`` says where something is wrong with what is published: a message, and never a traceback."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.publish.sites import candidate
from workbench.process import environment
from workbench.publish.transaction import publish
from workbench.site import CHECKOUT
from workbench.store.folder import FolderStore

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.site import Site

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
    return subprocess.run(
        [sys.executable, "-m", "nox", "--noxfile", CHECKOUT / "noxfile.py", *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment(env),
    )


@pytest.mark.parametrize("wrong", ["registry", "site"])
def test_a_site_that_cannot_be_read_is_verifys_error_and_no_other_sessions(site: Site, wrong: str) -> None:
    site.registry.write_text("{")
    env = {} if wrong == "registry" else {"WORKBENCH_SITE": "/nowhere"}
    why = f"{site.registry}: not JSON" if wrong == "registry" else "WORKBENCH_SITE=/nowhere: no such folder"
    verified = nox("--session", "verify", **env)
    assert verified.returncode == 1
    assert why in verified.stderr
    assert "Traceback" not in verified.stderr
    assert nox("--list", **env).returncode == 0


def test_a_package_that_fails_its_smoke_test_is_told_of(site: Site, tmp_path: Path) -> None:
    (site.recipes / "demo.py").write_text(RECIPE.format(commit="0" * 40))
    publish(site, FolderStore(site.root), [candidate(tmp_path)])
    verified = nox("--session", "verify")
    assert verified.returncode == 1
    assert "demo-1.0-py3-none-any.whl is published, but does not install" in verified.stderr
    assert "it computes nonsense" in verified.stderr
    assert "noxfile.py" not in verified.stderr, "the only traceback is the smoke test's own"
