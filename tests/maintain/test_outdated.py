"""What is behind upstream, and that it was tried: once for the same sources and the same series."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.forked import invoke
from tests.maintain.test_bump import RECIPE, SERIES
from tests.maintain.test_patching import done, everything
from tests.verbs.conftest import git
from workbench.recipe.load import load

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verbs.conftest import Demo

pytestmark = pytest.mark.needs("git")


def told(*words: str) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in json.loads(done("outdated", *words, "--json").stdout)}


@pytest.fixture
def both(demo: Demo, index_then: Path, monkeypatch: pytest.MonkeyPatch) -> Demo:
    """A site with hnswlib's first sdist, and the small package, whose branch has moved."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", str(index_then))
    (demo.paths.recipes / "hnswlib.py").write_text(RECIPE)
    folder = demo.paths.patches / "hnswlib"
    folder.mkdir()
    for name, text in SERIES.items():
        (folder / name).write_text(text)
    (folder / "series").write_text("".join(f"{name}\n" for name in SERIES))
    (demo.repository / "demo.c").write_text("/* new */\n" + (demo.repository / "demo.c").read_text())
    git(demo.repository, "commit", "--quiet", "--all", "--message", "two")
    return demo


def test_what_is_behind_and_whether_its_patches_apply(both: Demo) -> None:
    before = everything(both.paths)
    found = told()
    assert (found["hnswlib"]["newest"], found["hnswlib"]["branch"]) == ("0.8.0", None)
    assert {each["name"]: each["outcome"] for each in found["hnswlib"]["patches"]} == {
        "deque.patch": "dropped",
        "description.patch": "refreshed",
        "portable.patch": "conflict",
        "notes.patch": "clean",
    }
    assert (found["demo"]["outdated"], found["demo"]["branch"], found["demo"]["newest"]) == (
        True,
        "main",
        "1.0",
    )
    table = done("outdated", "demo").stdout
    assert "1.0 (branch main has moved)" in table
    assert "1 of 1 can move" in table
    assert everything(both.paths) == before


def test_the_same_is_tried_once(both: Demo) -> None:
    assert "read the source of" in done("outdated").stderr
    assert "read the source of" not in done("outdated").stderr
    both.patch.write_text(both.patch.read_text().replace("The tests", "Others"))
    again = done("outdated").stderr
    assert "read the source of demo" in again
    assert "read the source of hnswlib" not in again


@pytest.mark.usefixtures("both")
def test_torch_and_cuda_are_asked_for_only_where_a_recipe_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple/")
    asked = done("outdated", "demo")
    assert "unknown" not in asked.stderr


def test_one_that_cannot_be_asked_does_not_hide_the_others(both: Demo) -> None:
    both.recipe.write_text(both.recipe.read_text().replace(str(both.repository), "/nowhere"))
    found = invoke("outdated", "--json")
    assert found.status == 6
    demo, hnswlib = json.loads(found.stdout)
    assert "no Git repository answers there" in demo["problem"]
    assert hnswlib["newest"] == "0.8.0"


def test_releases_that_a_recipe_does_not_cover(both: Demo) -> None:
    text = both.recipe.read_text()
    both.recipe.write_text(
        text.replace("smoke_test", 'torch="<2.11", compute=("cu126", "cu130"), smoke_test')
    )
    assert load(both.paths.recipes, "demo").torch == "<2.11"
    torch, cuda = told("demo")["demo"]["uncovered"]
    assert torch.startswith("torch 2.13")
    assert cuda.startswith("CUDA 13.1")
    both.recipe.write_text(text.replace("smoke_test", 'torch=">=2.9", compute=("cu*",), smoke_test'))
    assert told("demo")["demo"]["uncovered"] == []
