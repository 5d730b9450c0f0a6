"""The tree that a build starts from: sdist, commit or folder, patched; or nothing at all."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from workbench.errors import PatchError, SourceError
from workbench.patches.series import read_series
from workbench.paths import CHECKOUT, Paths
from workbench.plan.draft import Draft, drafts
from workbench.plan.target import Target
from workbench.process import run
from workbench.recipe.load import load
from workbench.recipe.model import Git, LocalFolder, Recipe, Sdist, Source
from workbench.source.tree import prepare

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import GitServer

PATCH = "--- a/setup.py\n+++ b/setup.py\n@@ -1 +1 @@\n-native = True\n+native = False\n"


def plan_for(source: Source, paths: Paths, *, patch: str = PATCH) -> Draft:
    folder = paths.patches / "thing"
    folder.mkdir(exist_ok=True)
    (folder / "series").write_text("fix.patch\n")
    (folder / "fix.patch").write_text(patch)
    recipe = Recipe(name="thing", version="1.0", description="A thing.", source=Sdist(sha256="0" * 64))
    target = Target(python="3.11", arch="x86_64")
    (only,), _ = drafts(recipe, read_series(folder), [target], source=source)
    return only


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A source folder with what git, builds and tools leave in one."""
    folder = tmp_path / "folder"
    for path in (
        ".git/HEAD",
        "build/x.o",
        "thing.egg-info/PKG-INFO",
        "thing/__pycache__/x.pyc",
        ".mypy_cache/x",
    ):
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text("junk")
    (folder / "thing" / "build").mkdir()
    (folder / "thing" / "build" / "__init__.py").write_text("")
    (folder / "setup.py").write_text("native = True\n")
    return folder


def files(tree: Path) -> list[str]:
    return sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())


def test_a_folder_is_copied_without_junk_and_patched(paths: Paths, folder: Path, tmp_path: Path) -> None:
    into = tmp_path / "made" / "tree"

    prepare(plan_for(LocalFolder(path=folder), paths), paths, into)

    assert files(into) == ["setup.py", "thing/build/__init__.py"]
    assert (into / "setup.py").read_text() == "native = False\n"
    assert (folder / "setup.py").read_text() == "native = True\n"
    assert [path.name for path in into.parent.iterdir()] == ["tree"]


def test_a_build_inside_the_folder_that_it_builds(paths: Paths, folder: Path) -> None:
    into = folder / "deep" / "tree"
    prepare(plan_for(LocalFolder(path=folder), paths), paths, into)
    assert files(into) == ["setup.py", "thing/build/__init__.py"]


def test_a_socket_and_a_pipe_in_a_folder_stay_behind(paths: Paths, folder: Path, tmp_path: Path) -> None:
    os.mkfifo(folder / "thing" / "pipe")
    (folder / "link").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
        prepare(plan_for(LocalFolder(path=folder), paths), paths, tmp_path / "tree")
    assert files(tmp_path / "tree") == ["setup.py", "thing/build/__init__.py"]
    assert (tmp_path / "tree" / "link").is_symlink()


def test_a_patch_that_does_not_apply_keeps_the_source_and_says_where(
    paths: Paths, folder: Path, tmp_path: Path
) -> None:
    into = tmp_path / "tree"
    wrong = PATCH.replace("-native = True", "-native = 1")

    with pytest.raises(PatchError) as raised:
        prepare(plan_for(LocalFolder(path=folder), paths, patch=wrong), paths, into)

    assert str(paths.patches / "thing" / "fix.patch") in str(raised.value)
    assert str(raised.value).endswith(f"The unpatched source is kept: {into}")
    assert (into / "setup.py").read_text() == "native = True\n"


@pytest.mark.needs("git")
def test_a_commit(
    paths: Paths, git_server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    repository = git_server.repository("project")
    commit = repository.commit("setup.py", "native = True\n")

    prepare(plan_for(Git(url=repository.url, branch="main", commit=commit), paths), paths, tmp_path / "tree")

    assert (tmp_path / "tree" / "setup.py").read_text() == "native = False\n"
    git = ["git", "-C", str(tmp_path / "tree")]
    assert run([*git, "status", "--short"]).output == ""
    assert run([*git, "--no-replace-objects", "diff", "--name-only", "HEAD"]).output == "setup.py\n"


@pytest.mark.needs("git")
def test_nothing_is_left_of_what_cannot_be_fetched(
    paths: Paths, git_server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = Git(url=git_server.repository("project").url, branch="main", commit="1" * 40)

    with pytest.raises(SourceError):
        prepare(plan_for(source, paths), paths, tmp_path / "made" / "tree")

    assert list((tmp_path / "made").iterdir()) == []


def shipped(name: str) -> Draft:
    paths = Paths(CHECKOUT)
    recipe = load(paths.recipes, name)
    (only,), _ = drafts(
        recipe, read_series(paths.patches / recipe.patches), [Target(python="3.11", arch="x86_64")]
    )
    return only


@pytest.mark.parametrize("name", ["hnswlib", "annoy"])
def test_the_shipped_sdists_patched(name: str, tmp_path: Path) -> None:
    prepare(shipped(name), Paths(CHECKOUT), tmp_path / "tree")
    assert (tmp_path / "tree" / "PKG-INFO").is_file()


def test_an_sdist_of_another_version_than_the_recipe_s(tmp_path: Path) -> None:
    paths = Paths(CHECKOUT)
    right = shipped("hnswlib")
    prepare(right, paths, tmp_path / "first")
    with pytest.raises(SourceError, match=r"PKG-INFO says hnswlib 0\.8\.0, and the recipe hnswlib 0\.7\.0"):
        prepare(replace(right, recipe=replace(right.recipe, version="0.7.0")), paths, tmp_path / "tree")
    assert [path.name for path in tmp_path.iterdir()] == ["first"]
