"""A recipe with several versions gets one more, and its older versions keep what they have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.verbs.conftest import git
from workbench.errors import RecipeError
from workbench.maintain.literals import with_version
from workbench.patches.series import read_series
from workbench.recipe.load import load, load_versions

if TYPE_CHECKING:
    from tests.verbs.conftest import Demo

RECIPE = """\
from workbench.recipe import Git, Recipe  # all of it

VERSIONS = {{
    "1.0": Git(url="{url}", commit="{commit}", tag="v1.0"),  # the first
}}

recipe = Recipe(name="demo", versions=VERSIONS, description="A demonstration")
"""


@pytest.fixture
def tagged(demo: Demo) -> Demo:
    """Return the small package with a recipe of one version among several, at a tag."""
    git(demo.repository, "tag", "v1.0")
    commit = git(demo.repository, "rev-parse", "HEAD")
    demo.recipe.write_text(RECIPE.format(url=demo.repository, commit=commit))
    return demo


def tag(demo: Demo, version: str, old: str = "", new: str = "") -> None:
    """Release a version of the package, its source changed or not."""
    code = demo.repository / "demo.c"
    code.write_text(code.read_text().replace(old, new))
    git(demo.repository, "commit", "--quiet", "--all", "--allow-empty", "--message", version)
    git(demo.repository, "tag", f"v{version}")


def test_a_version_is_added_and_shares_the_series_where_that_fits(tagged: Demo) -> None:
    tag(tagged, "1.1")
    tried = invoke("bump", "demo", "--dry-run")
    assert (tried.status, "would add 1.1 to the versions of demo" in tried.stdout) == (0, True)
    done = invoke("bump", "demo", "--json")
    told = json.loads(done.stdout)
    assert (told["added"], told["to"], told["series"]) == (True, "1.1", "")
    assert '"v1.0"),  # the first\n' in tagged.recipe.read_text()
    old, new = load_versions(tagged.paths.recipes, "demo")
    assert (old.version, new.version, old.patches, new.patches) == ("1.0", "1.1", "demo", "demo")
    again = invoke("bump", "demo", "1.0")
    assert (again.status, "demo has version 1.0 already" in again.stderr) == (2, True)
    assert "nothing to do" in invoke("bump", "demo").stdout


def test_a_series_that_changes_on_the_way_is_the_new_versions_own(tagged: Demo) -> None:
    before = tagged.patch.read_bytes()
    tag(tagged, "1.1", "PyLong_FromLong(41)", "PyLong_FromLong(40 + 1)")
    stopped = invoke("bump", "demo")
    assert stopped.status == 5
    tree = tagged.paths.state / "patching" / "demo" / "demo.c"
    lines = tree.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(("<<<<<<<", "|||||||", "=======", ">>>>>>>"))]
    tree.write_text("".join(line for line in kept if "40 + 1" not in line and "(41)" not in line))
    done = invoke("bump", "demo", "--continue")
    assert done.status == 0, done.stderr
    assert "added 1.1 to the versions of demo, with a series of its own: patches/demo-1.1" in done.stdout
    assert tagged.patch.read_bytes() == before
    old, new = load_versions(tagged.paths.recipes, "demo")
    assert (old.patches, new.patches) == ("demo", "demo-1.1")
    (patch,) = read_series(tagged.paths.patches / "demo-1.1")
    assert (
        b"-static PyObject *answer(PyObject *self, PyObject *unused) { return PyLong_FromLong(40 + 1)"
        in patch.text
    )
    assert "would build demo 1.0" in invoke("build", "demo", "--version", "all", "--dry-run").stdout


def test_the_newest_version_is_replaced(tagged: Demo) -> None:
    tag(tagged, "1.1")
    assert invoke("bump", "demo", "--replace").status == 0
    assert list(load(tagged.paths.recipes, "demo").versions) == ["1.1"]
    assert "  # the first" in tagged.recipe.read_text()


def test_a_version_that_is_there_in_other_words_is_not_added(tagged: Demo) -> None:
    tag(tagged, "1.1")
    tagged.recipe.write_text(tagged.recipe.read_text().replace('"1.0":', '"1.1.0":'))
    done = invoke("bump", "demo")
    assert (done.status, "has version 1.1 already" in done.stderr) == (2, True), done.stderr
    text = tagged.recipe.read_text()
    assert with_version(text, "1.1", "Sdist()", path=tagged.recipe) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"1.0": A}', '{"1.0": A, "2.0": Sdist()}'),
        (
            '{\n    "1.0": A,\n    "1.1": B,  # b\n}',
            '{\n    "1.0": A,\n    "1.1": B,  # b\n    "2.0": Sdist(),\n}',
        ),
        ('{\n    "1.0": A}', '{\n    "1.0": A, "2.0": Sdist()}'),
        ('{\n    "1.0": A  # a\n}', '{\n    "1.0": A,  # a\n    "2.0": Sdist(),\n}'),
        ('{\n  "1.1": B,\n  "1.0": A,\n}', '{\n  "2.0": Sdist(),\n  "1.1": B,\n  "1.0": A,\n}'),
    ],
)
def test_a_version_stands_where_the_newest_do(before: str, after: str) -> None:
    text = "from workbench.recipe import Recipe\nrecipe = Recipe(versions={})\n"
    made = with_version(text.replace("{}", before), "2.0", "Sdist()", path=Path("demo.py"))
    assert made == text.replace("{}", after)


def test_an_edition_is_imported_once_and_keeps_its_own_when_it_is_replaced() -> None:
    text = 'from workbench.recipe import Recipe\nrecipe = Recipe(versions={"1.0": A})\n'
    made = with_version(text, "2.0", "Sdist()", patches="demo-2.0", path=Path("demo.py"))
    assert made.startswith("from workbench.recipe import Edition, Recipe\n")
    assert '"2.0": Edition(source=Sdist(), patches="demo-2.0")' in made
    moved = with_version(made, "2.1", "Git()", instead_of="2.0", path=Path("demo.py"))
    assert '"2.1": Edition(source=Git(), patches="demo-2.0")' in moved
    assert with_version(moved, "2.1", "Sdist()", path=Path("demo.py")) == moved
    with pytest.raises(RecipeError, match=r"demo\.py:1: versions is not a plain dict"):
        with_version("recipe = Recipe(versions=dict(a=1))", "2.0", "Sdist()", path=Path("demo.py"))
