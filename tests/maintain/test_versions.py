"""A recipe with several versions gets one more, and its older versions keep what they have."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.verbs.conftest import git
from workbench.errors import RecipeError
from workbench.maintain.literals import with_series, with_version, with_versions
from workbench.patches.series import read_series
from workbench.paths import CHECKOUT
from workbench.process import run
from workbench.recipe.load import load, load_versions

if TYPE_CHECKING:
    from tests.verbs.conftest import Demo

DEMO = Path("demo.py")

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
    told = json.loads(done("bump", "demo", "--json"))
    assert (told["added"], told["to"], told["series"]) == (True, "1.1", "")
    assert '"v1.0"),  # the first\n' in tagged.recipe.read_text()
    old, new = load_versions(tagged.paths.recipes, "demo")
    assert (old.version, new.version, old.patches, new.patches) == ("1.0", "1.1", "demo", "demo")
    assert "demo has version 1.0 already: nothing to do" in done("bump", "demo", "1.0")
    back = invoke("bump", "demo", "1.0", "--replace")
    assert (back.status, "demo has version 1.0 already: it has 1.0, 1.1" in back.stderr) == (2, True)
    assert "nothing to do" in invoke("bump", "demo").stdout


def test_a_series_that_changes_on_the_way_is_the_new_versions_own(tagged: Demo) -> None:
    before = tagged.patch.read_bytes()
    tag(tagged, "1.1", "PyLong_FromLong(41)", "PyLong_FromLong(40 + 1)")
    stopped = invoke("bump", "demo")
    assert stopped.status == 5
    tried = invoke("patch.drop", "demo", "answer.patch", "--dry-run")
    assert (tried.status, "a bump" in tried.stderr) == (2, True), "and it is still at its conflict"
    tree = tagged.paths.state / "patching" / "demo" / "demo.c"
    lines = tree.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(("<<<<<<<", "|||||||", "=======", ">>>>>>>"))]
    tree.write_text("".join(line for line in kept if "40 + 1" not in line and "(41)" not in line))
    added = done("bump", "demo", "--continue")
    assert "added 1.1 to the versions of demo, with a series of its own: patches/demo-1.1" in added
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
        ('{\n    "1.0": A, }', '{\n    "1.0": A, "2.0": Sdist(), }'),
        ('{\n    "1.0": A  # a\n}', '{\n    "1.0": A,  # a\n    "2.0": Sdist(),\n}'),
        ('{\n  "1.1": B,\n  "1.0": A,\n}', '{\n  "2.0": Sdist(),\n  "1.1": B,\n  "1.0": A,\n}'),
    ],
)
def test_a_version_stands_where_the_newest_do(before: str, after: str) -> None:
    text = "from workbench.recipe import Recipe\nrecipe = Recipe(versions={})\n"
    made = with_version(text.replace("{}", before), "2.0", "Sdist()", path=DEMO)
    assert made == text.replace("{}", after)
    windows = text.replace("{}", before).replace("\n", "\r\n")
    assert with_version(windows, "2.0", "Sdist()", path=DEMO) == made.replace("\n", "\r\n")


def test_an_edition_is_imported_once_and_keeps_its_own_when_it_is_replaced() -> None:
    text = 'from workbench.recipe import Recipe\nrecipe: Recipe = Recipe(versions={"1.0": A})\n'
    made = with_version(text.replace("A}", "Sdist()}"), "2.0", "Sdist()", path=DEMO)
    made = with_series(made, "2.0", "demo-2.0", path=DEMO)
    assert made.startswith("from workbench.recipe import Edition, Recipe\n")
    assert '"2.0": Edition(source=Sdist(), patches="demo-2.0")' in made
    moved = with_version(made, "2.1", "Git()", instead_of="2.0", path=DEMO)
    assert '"2.1": Edition(source=Git(), patches="demo-2.0")' in moved
    assert with_version(moved, "2.1", "Sdist()", instead_of="2.0", path=DEMO) == moved
    assert with_series(moved, "2.1", "demo-2.0", path=DEMO) == moved
    own = with_series(moved, "2.1", "demo-2.1", path=DEMO)
    assert own == moved.replace('patches="demo-2.0"', 'patches="demo-2.1"')
    assert own.count("Edition, ") == 1
    with pytest.raises(RecipeError, match=r"demo\.py:1: versions is not a plain dict"):
        with_version("recipe = Recipe(versions=dict(a=1))", "2.0", "Sdist()", path=DEMO)
    with pytest.raises(RecipeError, match=r"demo\.py:2: versions: 1\.0 is not a source or an Edition there"):
        with_series(text, "1.0", "demo-1.0", path=DEMO)


def test_an_edition_keeps_its_layout() -> None:
    text = """\
from workbench.recipe import Edition
recipe = Recipe(
    versions={
        "1.0": Edition(
            source=Sdist(),  # ours
            python=">=3.9",
        ),
    },
)
"""
    made = with_series(text, "1.0", "own", path=DEMO)
    assert made == text.replace("Sdist(),  # ours", 'Sdist(), patches="own",  # ours')


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            """\
    name="demo",
    version="1.0",
    description="d",
    # 3 commits ahead
    source=Sdist(sha256="0"),  # the pin
    python=">=3.10",
""",
            """\
    name="demo",
    description="d",
    # 3 commits ahead
    versions={
        "1.0": Sdist(sha256="0"),
    },  # the pin
    python=">=3.10",
""",
        ),
        (
            """\
    version="1.0",  # as upstream has it
    source=Git(
        url="u",  # é
        tag="v1.0",
    )
""",
            """\
    # as upstream has it
    versions={
        "1.0": Git(
            url="u",  # é
            tag="v1.0",
        ),
    }
""",
        ),
    ],
)
def test_one_version_becomes_the_first_of_several(before: str, after: str) -> None:
    text = f"recipe = Recipe(\n{before})\n"
    made = with_versions(text, path=DEMO)
    assert made == f"recipe = Recipe(\n{after})\n"
    assert with_versions(made, path=DEMO) == made
    assert with_versions(text.replace("\n", "\r\n"), path=DEMO) == made.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ('version=V, source=Sdist(sha256="0")', "version is not a plain string there"),
        ('version="1", source=HERE', r"source is not Sdist\(\.\.\.\) or Git\(\.\.\.\) there"),
    ],
)
def test_what_cannot_become_several_versions_is_said(fields: str, message: str) -> None:
    with pytest.raises(RecipeError, match=rf"demo\.py:1: {message}, so edit it by hand"):
        with_versions(f"recipe = Recipe({fields})", path=DEMO)


def test_a_version_and_a_source_that_are_constants_become_the_first_of_several() -> None:
    text = 'VERSION = "1.0"\nPIN = Sdist(sha256="0")\nrecipe = Recipe(version=VERSION, source=PIN)\n'
    made = with_versions(text, path=DEMO)
    assert made.endswith('\nrecipe = Recipe(versions={\n        "1.0": PIN,\n    })\n')
    more = with_version(made, "2.0", 'Sdist(sha256="1")', path=DEMO)
    assert more == made.replace("PIN,\n", 'PIN,\n        "2.0": Sdist(sha256="1"),\n')


def test_a_recipe_keeps_its_line_ends_whatever_is_written_into_it(demo: Demo) -> None:
    git(demo.repository, "tag", "v1.0")
    text = demo.recipe.read_text().replace('branch="main"', 'tag="v1.0"')
    demo.recipe.write_bytes(text.replace("\n", "\r\n").encode())
    tag(demo, "1.1")
    assert "1.1" in done("bump", "demo")
    tag(demo, "1.2")
    assert "added 1.2 to the versions of demo\n" in done("bump", "demo", "--add")
    done("patch.new", "demo", "Another name", "--version", "1.1")
    edited(demo, "setup.py", 'version="1.0"', 'version="1.0", url="u"')
    assert "wrote the series patches/demo-1.1\n" in done("patch.save", "demo", "--apart")
    written = demo.recipe.read_bytes()
    assert b'"1.1": Edition(' in written
    assert written.count(b"\n") == written.count(b"\r\n") == len(written.splitlines())


def test_a_recipe_with_one_version_gets_a_second(demo: Demo) -> None:
    git(demo.repository, "tag", "v1.0")
    text = demo.recipe.read_text().replace('branch="main"', 'tag="v1.0"')
    text = text.replace('version="1.0"', "version=VERSION").replace("recipe =", 'VERSION = "1.0"\n\nrecipe =')
    demo.recipe.write_text(text)
    alone = load(demo.paths.recipes, "demo")
    tag(demo, "1.1")
    assert "would add 1.1 to the versions of demo" in invoke("bump", "demo", "--add", "--dry-run").stdout
    assert invoke("bump", "demo", "--add", "--replace").status == 2
    assert "demo has version 1.0 already" in done("bump", "demo", "1.0", "--add")
    assert "added 1.1 to the versions of demo" in done("bump", "demo", "--add")
    old, new = load_versions(demo.paths.recipes, "demo")
    assert (old.version, old.source, old.patches) == ("1.0", alone.source, "demo")
    assert (new.version, new.patches, new.smoke_test) == ("1.1", "demo", alone.smoke_test)


KILLED = """
import os, signal
from workbench.maintain import bump
from workbench.paths import Paths
from workbench.recipe.load import load

write = bump.write_whole

def write_and_die(*what):
    write(*what)
    os.kill(os.getpid(), signal.SIGKILL)

bump.write_whole = write_and_die
bump.bump(Paths.here(), load(Paths.here().recipes, "demo"), adds=True)
"""


def test_a_version_that_was_added_by_a_killed_process_is_not_given_up(tagged: Demo) -> None:
    tag(tagged, "1.1", "#include <Python.h>", "#include <Python.h>\n#include <stdlib.h>")
    killed = run([sys.executable, "-c", KILLED], cwd=CHECKOUT, check=False)
    assert killed.status == -signal.SIGKILL, killed.output
    text = tagged.recipe.read_text()
    assert '"1.1": Edition(' in text
    refused = invoke("bump", "demo", "--abort")
    assert (refused.status, "'invoke bump demo --continue' finishes it" in refused.stderr) == (2, True)
    assert "added 1.1 to the versions of demo" in done("bump", "demo", "--continue")
    assert tagged.recipe.read_text() == text
    assert [each.patches for each in load_versions(tagged.paths.recipes, "demo")] == ["demo", "demo-1.1"]
    assert "nothing was written" in done("patch.save", "demo")


def test_an_older_version_gets_the_series_of_the_next_older_one(several: Demo) -> None:
    """The newest one's would have to be taken back to it."""
    git(several.repository, "checkout", "--quiet", "v1.0")
    tag(several, "1.0.1")
    done("bump", "demo", "1.0.1")
    assert [each.patches for each in load_versions(several.paths.recipes, "demo")] == [
        "demo",
        "demo",
        "demo-1.1",
    ]


@pytest.fixture
def several(tagged: Demo) -> Demo:
    """Return the small package at two versions, the newer one with a series of its own."""
    tag(tagged, "1.1", "PyLong_FromLong(41)", "PyLong_FromLong(40 + 1)")
    own = tagged.paths.patches / "demo-1.1"
    own.mkdir()
    text = tagged.patch.read_text().replace("(41)", "(40 + 1)")
    (own / "answer.patch").write_text(text)
    (own / "series").write_text("answer.patch\n")
    commit = git(tagged.repository, "rev-parse", "HEAD")
    pin = f'Git(url="{tagged.repository}", commit="{commit}", tag="v1.1")'
    entry = f'    "1.1": Edition(source={pin}, patches="demo-1.1"),'
    recipe = tagged.recipe.read_text().replace("import Git", "import Edition, Git")
    tagged.recipe.write_text(recipe.replace("\n}\n", f"\n{entry}\n}}\n"))
    return tagged


def edited(demo: Demo, file: str, old: str, new: str) -> None:
    path = demo.paths.state / "patching" / "demo" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def done(*words: str) -> str:
    ran = invoke(*words)
    assert ran.status == 0, ran.stderr
    return ran.stdout


def patches_of(demo: Demo, folder: str) -> list[str]:
    return [each.name for each in read_series(demo.paths.patches / folder)]


def test_the_series_of_an_older_version_is_worked_on(several: Demo) -> None:
    done("patch.new", "demo", "Fewer words", "--version", "1.0")
    edited(several, "demo.c", "PyLong_FromLong(42)", "PyLong_FromLong(43)")
    other = invoke("patch.new", "demo", "Another")
    assert (other.status, "has edits of demo.c that nobody has saved" in other.stderr) == (2, True)
    wrong = invoke("patch.save", "demo", "--version", "1.1")
    assert (wrong.status, "is open at demo 1.0, not at 1.1" in wrong.stderr) == (2, True)
    recipe = several.recipe.read_text()
    several.recipe.write_text(recipe.replace('"1.0": ', '"1.0.1": '))
    gone = invoke("patch.save", "demo")
    assert (gone.status, "was opened at demo 1.0, whose source the recipe does not have" in gone.stderr) == (
        2,
        True,
    )
    several.recipe.write_text(recipe)
    assert "wrote the series patches/demo\n" in done("patch.save", "demo"), "the version that is open"
    assert patches_of(several, "demo") == ["answer.patch", "fewer-words.patch"]
    assert patches_of(several, "demo-1.1") == ["answer.patch"]

    assert "fewer-words.patch" in done("patch.list", "demo", "--version", "1.0")
    assert "fewer-words.patch" not in done("patch.list", "demo")
    assert "(43)" in done("patch.show", "demo", "fewer-words.patch", "--version", "1.0")
    assert invoke("patch.show", "demo", "fewer-words.patch").status == 2
    refused = invoke("patch.list", "demo", "--version", "all")
    assert (refused.status, "1.0, 1.1: name one of them" in refused.stderr) == (2, True)

    move = ("patch.move", "demo", "fewer-words.patch", "--before", "answer.patch", "--version", "1.0")
    conflict = invoke(*move)
    assert conflict.status == 5
    assert str(several.paths.state / "patching" / "demo") in done("patch.save", "demo", "--discard")
    (several.paths.root / "own.patch").write_text(
        several.patch.read_text().replace("41", "43").replace("42", "44")
    )
    done("patch.import", "demo", str(several.paths.root / "own.patch"), "--version", "1.0")
    done("patch.drop", "demo", "own.patch", "--version", "1.0")
    done("patch.drop", "demo", "fewer-words.patch", "--version", "1.0")
    assert (patches_of(several, "demo"), patches_of(several, "demo-1.1")) == (["answer.patch"],) * 2


def test_a_patch_that_upstream_has_taken_is_for_older_versions_alone(tagged: Demo) -> None:
    text = tagged.recipe.read_text().replace("Git, Recipe", "Git, Recipe, when")
    condition = 'patches_when=(when("answer.patch", python="==3.12"),), description'
    tagged.recipe.write_text(text.replace("description", condition))
    tag(tagged, "1.1", "PyLong_FromLong(41)", "PyLong_FromLong(42)")
    stopped = invoke("bump", "demo")
    assert (stopped.status, 'is for, as in version="==1.0", then' in stopped.stderr) == (2, True), (
        stopped.stderr
    )
    tagged.recipe.write_text(tagged.recipe.read_text().replace("python=", 'version="==1.0", python='))
    assert "with a series of its own: patches/demo-1.1" in done("bump", "demo", "--continue")
    done("build", "demo", "--version", "all", "--dry-run")


def test_the_newest_of_several_versions_follows_a_branch(tagged: Demo) -> None:
    setup = tagged.repository / "setup.py"
    setup.write_text(setup.read_text().replace('"1.0"', '"2.0"'))
    git(tagged.repository, "commit", "--quiet", "--all", "--message", "2.0")
    pin = f'Git(url="{tagged.repository}", commit="{git(tagged.repository, "rev-parse", "HEAD")}", branch="main")'
    text = tagged.recipe.read_text()
    tagged.recipe.write_text(text.replace("# the first\n", f'# the first\n    "2.0": {pin},\n'))
    tag(tagged, "2.0")
    (found,) = json.loads(done("outdated", "demo", "--json"))
    assert (found["outdated"], found["branch"], found["newest"], found["problem"]) == (
        True,
        "main",
        "2.0",
        None,
    )
    same = invoke("bump", "demo")
    assert (same.status, "--replace moves it to the tip of main" in same.stderr) == (2, True)
    assert "moved demo from 2.0 to 2.0" in done("bump", "demo", "--replace")


@pytest.fixture
def shared(tagged: Demo) -> Demo:
    """Return the small package at two versions with one series; only their setup.py differs."""
    setup = tagged.repository / "setup.py"
    setup.write_text(setup.read_text().replace('"1.0"', '"1.1"'))
    tag(tagged, "1.1")
    assert "added 1.1 to the versions of demo\n" in done("bump", "demo")
    return tagged


def test_a_series_that_versions_share_is_changed_for_all_of_them(shared: Demo) -> None:
    done("patch.new", "demo", "Fewer words")
    edited(shared, "demo.c", "METH_NOARGS, 0", "METH_NOARGS, NULL")
    assert "wrote the series patches/demo, which 1.0, 1.1 have\n" in done("patch.save", "demo")
    assert "fewer-words.patch" in done("patch.list", "demo", "--version", "1.0")


def test_a_change_that_fits_one_version_alone_needs_a_series_of_its_own(shared: Demo) -> None:
    done("patch.new", "demo", "Another name", "--version", "1.0")
    edited(shared, "setup.py", 'version="1.0"', 'version="1.0", url="u"')
    recipe = shared.recipe.read_bytes()
    refused = invoke("patch.save", "demo")
    assert (
        refused.status,
        "demo 1.1 has this series too, and there another-name.patch" in refused.stderr,
    ) == (5, True)
    assert 'patches_when=(when("…", version="==1.0"),)' in refused.stderr
    assert (shared.recipe.read_bytes(), patches_of(shared, "demo")) == (recipe, ["answer.patch"])

    assert "wrote the series patches/demo-1.0\n" in done("patch.save", "demo", "--apart")
    old, new = load_versions(shared.paths.recipes, "demo")
    assert (old.patches, new.patches) == ("demo-1.0", "demo")
    assert patches_of(shared, "demo-1.0") == ["answer.patch", "another-name.patch"]
    assert patches_of(shared, "demo") == ["answer.patch"]
    assert "nothing was written" in done("patch.save", "demo", "--version", "1.0")
    alone = invoke("patch.drop", "demo", "another-name.patch", "--version", "1.0", "--apart")
    assert (alone.status, "no other version has the series demo-1.0" in alone.stderr) == (2, True)


def test_a_version_without_patches_beside_one_that_has_some(shared: Demo) -> None:
    assert "wrote the series patches/demo-1.1\n" in done("patch.drop", "demo", "answer.patch", "--apart")
    assert patches_of(shared, "demo") == ["answer.patch"]
    assert "has no patches" in done("patch.list", "demo")
    assert "answer.patch" in done("patch.list", "demo", "--version", "1.0")


def test_patches_of_other_versions_stay_where_they_are_in_the_series(shared: Demo) -> None:
    recipe = shared.recipe.read_text().replace("Git, Recipe", "Git, Recipe, when")
    condition = 'patches_when=(when("another-name.patch", version="<1.1"),), description'
    shared.recipe.write_text(recipe.replace("description", condition))
    done("patch.new", "demo", "Another name", "--version", "1.0")
    edited(shared, "setup.py", 'version="1.0"', 'version="1.0", url="u"')
    assert "wrote the series patches/demo, which 1.0, 1.1 have\n" in done("patch.save", "demo")
    before = {"answer.patch", "another-name.patch"}
    assert set(patches_of(shared, "demo")) == before

    done("patch.new", "demo", "Fewer words")
    edited(shared, "demo.c", "METH_NOARGS, 0", "METH_NOARGS, NULL")
    done("patch.save", "demo")
    assert patches_of(shared, "demo") == ["answer.patch", "another-name.patch", "fewer-words.patch"]
    assert "another-name.patch" not in done("patch.list", "demo")
    other = invoke("patch.edit", "demo", "another-name.patch")
    assert (
        other.status,
        "patches_when has another-name.patch for other versions than 1.1" in other.stderr,
    ) == (2, True)
    named = invoke("patch.drop", "demo", "another-name.patch", "--version", "1.0")
    assert (named.status, "take it out of the recipe first" in named.stderr) == (2, True)

    tag(shared, "1.2")
    assert "added 1.2 to the versions of demo\n" in done("bump", "demo")
    assert patches_of(shared, "demo") == ["answer.patch", "another-name.patch", "fewer-words.patch"]

    done("patch.edit", "demo", "fewer-words.patch")
    edited(shared, "demo.c", "METH_NOARGS, NULL", "METH_NOARGS, (0)")
    tree = shared.paths.state / "patching" / "demo"
    git(tree, "commit", "--quiet", "--all", "--message", "Another name")
    done("patch.save", "demo")
    assert patches_of(shared, "demo") == [
        "answer.patch",
        "another-name.patch",
        "fewer-words.patch",
        "another-name-2.patch",
    ]


def test_a_version_that_takes_anothers_place_leaves_the_shared_series_alone(shared: Demo) -> None:
    before = shared.patch.read_bytes()
    tag(shared, "1.2", "#include <Python.h>", "#include <Python.h>\n#include <stdlib.h>")
    done("bump", "demo", "--replace")
    old, new = load_versions(shared.paths.recipes, "demo")
    assert [(each.version, each.patches) for each in (old, new)] == [("1.0", "demo"), ("1.2", "demo-1.2")]
    assert shared.patch.read_bytes() == before
    assert "would build demo 1.0" in done("build", "demo", "--version", "all", "--dry-run")
