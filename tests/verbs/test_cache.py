"""Wheels by their build key: what one site has built another one takes, of the shared cache only what is whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from workbench.evidence import notes
from workbench.fleet.stored_wheels import wheel_cache
from workbench.make.request import Planned, Request, plans
from workbench.make.wheel_cache import give, take
from workbench.paths import Paths
from workbench.settings import Settings

if TYPE_CHECKING:
    from tests.verbs.conftest import Demo


@pytest.fixture
def shared(released: Demo, tmp_path: Path) -> Path:
    """Return a folder that machines share, into which one has put its wheel of the small package."""
    folder = tmp_path / "shared"
    folder.mkdir()
    cache = wheel_cache(released.paths, Settings(), str(folder))
    assert cache
    give(planned(released.paths).plans[0], released.wheels()[0], cache)
    return folder


@pytest.fixture
def other(released: Demo, tmp_path: Path) -> Paths:
    """Return another site with the same recipe, in which nothing was built."""
    root = tmp_path / "other"
    for each in ("recipes", "patches"):
        shutil.copytree(released.paths.root / each, root / each)
    return Paths(root)


def planned(paths: Paths) -> Planned:
    return plans(Request(name="demo"), paths, Settings())


def taken(paths: Paths, shared: Path) -> Path | None:
    cache, made = wheel_cache(paths, Settings(), str(shared)), planned(paths)
    assert cache
    return take(made.plans[0], cache, paths, made.planner_of(made.plans[0]))


def test_what_one_site_built_another_takes_and_publishes(released: Demo, shared: Path, other: Paths) -> None:
    (mine,) = released.wheels()
    (other.root / "workbench.yaml").write_text(f"cache: {{wheels: {shared}}}\n")
    done = invoke("release", "demo", env={"WORKBENCH_SITE": str(other.root)})
    assert done.status == 0, done.stderr
    assert f"{mine.name} was built elsewhere from the same inputs" in done.stderr
    assert "build demo" not in done.stderr
    (theirs,) = other.wheels.glob("*.whl")
    assert theirs.read_bytes() == mine.read_bytes()
    assert notes.recall(theirs) == notes.recall(mine)
    assert notes.log_of(theirs) == notes.log_of(mine)
    assert json.loads(other.registry.read_text())["packages"]["demo"]["wheels"][0]["filename"] == mine.name


def test_the_first_wheel_of_a_key_stays(released: Demo, shared: Path) -> None:
    before = {path: path.read_bytes() for path in shared.rglob("*") if path.is_file()}
    (wheel,) = released.wheels()
    built = notes.recall(wheel)
    assert built
    notes.put(wheel, built, b"another build's log")
    cache = wheel_cache(released.paths, Settings(), str(shared))
    assert cache
    assert not cache.offer("demo", built.build_key or "", wheel)
    assert {path: path.read_bytes() for path in shared.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("damage", ["wheel", "no wheel", "entry", "log"])
def test_what_is_damaged_there_is_told_and_not_taken(
    shared: Path, other: Paths, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (kept,) = shared.glob("demo/*." + {"entry": "json", "log": "log"}.get(damage, "whl"))
    kept.write_bytes(kept.read_bytes()[:-3] + b"?")
    if damage == "no wheel":
        kept.unlink()
    assert taken(other, shared) is None
    told = capsys.readouterr().err
    assert "cannot be used" in told
    assert "Remove it: the next build puts it in" in told
    assert not [*other.wheels.glob("*.whl*")]


def test_an_entry_under_another_key_is_not_taken(
    released: Demo, shared: Path, other: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever renames an entry gets nobody to take it."""
    patch = other.patches / "demo" / "answer.patch"
    patch.write_text(patch.read_text().replace("(42)", "(43)"))
    (entry,) = shared.glob("demo/*.json")
    entry.rename(entry.with_stem(planned(other).plans[0].key or ""))
    assert taken(other, shared) is None
    assert f"{released.wheels()[0].name} of the cache in {shared} is not taken" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_an_error(released: Demo, tmp_path: Path) -> None:
    done = invoke("build", "demo", "--cache", tmp_path / "not-mounted")
    assert done.status == 2
    assert "no such folder: make it, or mount the disk that it lies on" in done.stderr
    (released.paths.root / "workbench.yaml").write_text(f"cache: {{wheels: {tmp_path}/not-mounted}}\n")
    assert "workbench.yaml: cache.wheels:" in invoke("build", "demo").stderr
    assert invoke("build", "demo", "--cache", "none", "--dry-run").status == 0
