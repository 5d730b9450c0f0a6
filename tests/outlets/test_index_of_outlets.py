"""A site's index that links to what lies at an outlet: pip and uv install from it, and the store has no copy."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.installing import with_each
from tests.outlets.conftest import REPOSITORY
from workbench.index.serve import served
from workbench.registry.file import load
from workbench.wheel.wheel import open_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.outlets.github_server import WritableGitHub
    from workbench.paths import Paths

RECIPE = """\
from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(name="demo", version="1.0", description="Wheels of others", source=Sdist(sha256="0" * 64))
"""


def metadata_sha256(wheel: Path) -> str:
    """Return the sha256 of a wheel's METADATA."""
    with open_wheel(wheel) as opened:
        return hashlib.sha256(opened.text("METADATA")).hexdigest()


@pytest.fixture
def known(paths: Paths) -> Paths:
    """Return the site, with a recipe for the project of the wheels."""
    (paths.recipes / "demo.py").write_text(RECIPE)
    return paths


def test_pip_and_uv_install_from_an_index_that_links_to_a_release(
    known: Paths, hub: WritableGitHub, wheels: list[Path], tmp_path: Path
) -> None:
    shown = invoke("upload", *wheels, "--to", "github:v1,index", "--dry-run")
    assert (shown.status, hub.repositories[REPOSITORY].releases) == (0, []), shown.stderr
    assert f"register {wheels[0].name}" in shown.stdout
    assert not known.registry.exists()
    done = invoke("upload", *wheels, "--to", "github:v1,index")
    assert done.status == 0, done.stderr
    found = [wheel for _, wheel in load(known.registry).wheels()]
    assert [wheel.url for wheel in found] == [
        f"{hub.api}/{REPOSITORY}/releases/download/v1/{each.name}" for each in wheels
    ]
    assert [wheel.metadata_sha256 for wheel in found] == [metadata_sha256(each) for each in wheels]
    assert not (known.root / "files").exists()
    with served(known.root) as index:
        for folder in with_each(index, "demo", tmp_path):
            assert (folder / "demo-1.2.dist-info").is_dir()
    names = {each.path.rpartition("/")[2] for each in hub.asked}
    assert f"{wheels[2].name}.metadata" in names, "installers read what lies beside the wheel"
    again = invoke("upload", *wheels, "--to", "github:v1,index")
    assert (again.status, load(known.registry).generation) == (0, 1), again.stderr


def test_a_release_of_before_promises_no_metadata(
    known: Paths, hub: WritableGitHub, wheels: list[Path]
) -> None:
    """A release that has the wheel alone, as other programs fill it."""
    assert invoke("upload", wheels[0], "--to", "github:v1").status == 0
    (release,) = hub.repositories[REPOSITORY].releases
    release["assets"] = [each for each in release["assets"] if each["name"] == wheels[0].name]
    done = invoke("upload", wheels[0], "--to", "github:v1,index")
    assert done.status == 0, done.stderr
    ((_, row),) = load(known.registry).wheels()
    assert row.metadata_sha256 is None


def test_nothing_of_a_wheel_runs_where_that_is_asked(
    known: Paths, hub: WritableGitHub, wheels: list[Path]
) -> None:
    recipe = known.recipes / "demo.py"
    recipe.write_text(RECIPE.replace("source=", "smoke_test=\"raise SystemExit('ran')\", source="))
    refused = invoke("upload", wheels[0], "--to", "github:v1")
    assert (refused.status, hub.repositories[REPOSITORY].releases) == (11, []), refused.stderr
    done = invoke("upload", wheels[0], "--to", "github:v1", "--static")
    assert done.status == 0, done.stderr
    assert wheels[0].name in hub.names(REPOSITORY, "v1")
    # what was not tried does not count as tried
    assert invoke("upload", wheels[0], "--to", "github:v1").status == 11


@pytest.mark.usefixtures("known", "hub")
@pytest.mark.parametrize("to", ["index", "index,github:v1", "site,index", "github:v1,index,site"])
def test_an_index_of_nothing_is_refused(to: str, wheels: list[Path]) -> None:
    refused = invoke("upload", *wheels, "--to", to)
    assert refused.status == 2
    assert "index links to where the place before it has the wheels" in refused.stderr
