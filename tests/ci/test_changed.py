"""Which packages a push or a pull request changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.verbs.conftest import git
from workbench.ci.changed import changed_packages
from workbench.errors import UsageError
from workbench.recipe.load import load_versions

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.recipe.model import Recipe

RECIPE = """\
from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(name="{name}", version="1.0", description="About it", source=Sdist(sha256="0" * 64))
"""
BOTH = ("one", "two-more")


@pytest.fixture
def start(paths: Paths) -> str:
    """Commit a site of two packages, in a folder of a repository, and return the commit."""
    for name in BOTH:
        (paths.recipes / f"{name.replace('-', '_')}.py").write_text(RECIPE.format(name=name))
        (paths.patches / name).mkdir()
        (paths.patches / name / "series").write_text("")
    git(paths.root.parent, "init", "--quiet", "--initial-branch=main")
    return commit(paths)


def commit(paths: Paths) -> str:
    git(paths.root.parent, "add", "--all")
    git(paths.root.parent, "commit", "--quiet", "--allow-empty", "--message", "change")
    return git(paths.root.parent, "rev-parse", "HEAD")


def test_a_recipe_a_patch_and_what_is_neither(paths: Paths, start: str) -> None:
    (paths.root / "README.md").write_text("beside every recipe")
    commit(paths)
    assert changed_packages(BOTH, start, paths) == ()
    (paths.patches / "two-more" / "series").write_text("# none")
    patched = commit(paths)
    assert changed_packages(BOTH, start, paths) == ("two-more",)
    with (paths.recipes / "one.py").open("a") as recipe:
        recipe.write("# not committed yet\n")
    assert changed_packages(BOTH, patched, paths) == ("one",)
    assert changed_packages(BOTH, start, paths) == BOTH
    (paths.recipes / "two_more.py").unlink()
    assert changed_packages(("one",), start, paths) == ("one",)


@pytest.mark.usefixtures("start")
def test_what_a_build_requires_counts_as_its_own(paths: Paths) -> None:
    (paths.recipes / "one.py").write_text(
        RECIPE.format(name="one").replace("source=", 'build_requires=("numpy", "Two.More>=1"), source=')
    )
    required = commit(paths)
    assert changed_packages(BOTH, required, paths) == ()
    (paths.patches / "two-more" / "series").write_text("# none")
    assert changed_packages(BOTH, required, paths) == BOTH
    assert changed_packages(("one",), required, paths) == ("one",)
    (paths.recipes / "two_more.py").write_text(
        RECIPE.format(name="two-more").replace("source=", 'build_requires=("one",), source=')
    )
    assert changed_packages(BOTH, commit(paths), paths) == (), "a circle is an error of who builds"


@pytest.mark.usefixtures("start")
def test_a_recipe_that_several_builds_require_is_loaded_once(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "three"):
        (paths.recipes / f"{name}.py").write_text(
            RECIPE.format(name=name).replace("source=", 'build_requires=("two-more",), source=')
        )
    required, loaded = commit(paths), list[str]()

    def load(recipes: Path, name: str) -> tuple[Recipe, ...]:
        loaded.append(name)
        return load_versions(recipes, name)

    monkeypatch.setattr("workbench.ci.changed.load_versions", load)
    (paths.patches / "one" / "series").write_text("# none")
    assert changed_packages((*BOTH, "three"), required, paths) == ("one",)
    assert sorted(loaded) == ["one", "three", "two-more"]


@pytest.mark.usefixtures("start")
@pytest.mark.parametrize("commit", ["0" * 40, "1" * 40, "no-such-branch", "--output=x"])
def test_a_commit_that_is_not_here_means_all_of_them(commit: str, paths: Paths) -> None:
    assert changed_packages(BOTH, commit, paths) == BOTH
    assert not (paths.root / "x").exists()


def test_what_is_not_a_checkout_is_told(paths: Paths) -> None:
    with pytest.raises(UsageError, match="is not a Git checkout"):
        changed_packages(BOTH, "HEAD", paths)


def test_nothing_changed_is_a_matrix_of_no_jobs(start: str) -> None:
    asked = invoke("matrix", "--changed-since", start, "--json")
    assert (asked.status, json.loads(asked.stdout)) == (0, {"include": []}), asked.stderr
