"""A series goes through the ten releases that followed hnswlib's first sdist, and a fork's patches follow its tags."""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.forked import invoke
from tests.maintain.test_patching import done, everything
from tests.verbs.conftest import git
from workbench.patches.apply import apply_series
from workbench.patches.series import read_series
from workbench.paths import CHECKOUT
from workbench.process import run
from workbench.recipe.load import load
from workbench.recipe.model import Git, Sdist
from workbench.source.tree import fetch

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verbs.conftest import Demo
    from workbench.paths import Paths

pytestmark = pytest.mark.needs("git")

RELEASES = ("0.3.4", "0.4.0", "0.5.0", "0.5.1", "0.5.2", "0.6.0", "0.6.1", "0.6.2", "0.7.0", "0.8.0")

RECIPE = '''\
"""Kept: hnswlib 0.3.2.0 is what this says."""  # and this comment

from workbench.recipe import Recipe, Sdist

SHA = '4d8fbbe0232be71ced38142616e9eb4e91cefcef06b1c9435cd3ae87781411e9'  # 0.3.2.0's

recipe = Recipe(name="hnswlib",
    version   =   "0.3.2.0",   # the first
    description="Nächste Nachbarn", source=Sdist( sha256 = SHA ), )
'''

SERIES = {
    "deque.patch": """\
Description: Include what is used
 A backport: 0.6.0 has it.
--- a/hnswlib/visited_list_pool.h
+++ b/hnswlib/visited_list_pool.h
@@ -2,6 +2,7 @@
\x20
 #include <mutex>
 #include <string.h>
+#include <deque>
\x20
 namespace hnswlib {
     typedef unsigned short int vl_type;
""",
    "description.patch": """\
Description: Describe it
--- a/setup.py
+++ b/setup.py
@@ -105,7 +105,7 @@
 setup(
     name='hnswlib',
     version=__version__,
-    description='hnswlib',
+    description='Nearest neighbours',
     author='Yury Malkov and others',
     url='https://github.com/yurymalkov/hnsw',
     long_description=\"\"\"hnsw\"\"\",
""",
    "portable.patch": """\
Description: Do not tune for the build host
--- a/setup.py
+++ b/setup.py
@@ -58,7 +58,7 @@
     \"\"\"A custom build extension for adding compiler-specific options.\"\"\"
     c_opts = {
         'msvc': ['/EHsc', '/openmp', '/O2'],
-        'unix': ['-O3', '-march=native'],  # , '-w'
+        'unix': ['-O3'],  # , '-w'
     }
     link_opts = {
         'unix': [],
""",
    "notes.patch": "Description: Say who built it\n--- /dev/null\n+++ b/NOTES\n@@ -0,0 +1 @@\n+Built here.\n",
}


def bumped(*words: str) -> dict[str, Any]:
    return dict(json.loads(done("bump", *words, "--json").stdout))


def outcomes(told: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["outcome"] for each in told["patches"]}


@pytest.fixture
def hnswlib(paths: Paths, index_then: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A site with four patches for the first sdist of hnswlib."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", str(index_then))
    (paths.recipes / "hnswlib.py").write_text(RECIPE)
    folder = paths.patches / "hnswlib"
    folder.mkdir()
    for name, text in SERIES.items():
        (folder / name).write_text(text)
    (folder / "series").write_text("".join(f"# about {name}\n{name}\n" for name in SERIES))
    return paths


def applies(paths: Paths, into: Path) -> None:
    """See that what is on the disk now fits together: the pin, and each patch."""
    recipe = load(paths.recipes, "hnswlib")
    fetch(recipe.source, name=recipe.name, version=recipe.version, cache=paths.cache, into=into)
    apply_series(read_series(paths.patches / "hnswlib"), into)


def test_four_patches_go_through_ten_releases(hnswlib: Paths, tmp_path: Path) -> None:
    tree = hnswlib.state / "patching" / "hnswlib"
    found: dict[str, dict[str, str]] = {}
    for version in RELEASES:
        before = everything(hnswlib)
        tried = json.loads(invoke("bump", "hnswlib", version, "--dry-run", "--json").stdout)
        assert everything(hnswlib) == before
        if version == "0.6.1":
            assert outcomes(tried)["portable.patch"] == "conflict"
            assert "would stop at a conflict" in invoke("bump", "hnswlib", version, "--dry-run").stdout
            stopped = invoke("bump", "hnswlib", version)
            assert stopped.status == 5
            assert "portable.patch conflicts in setup.py" in stopped.stderr
            assert "bump hnswlib --continue" in stopped.stderr
            assert everything(hnswlib) == before
            assert invoke("bump", "hnswlib", "--continue").status == 5
            git(tree, "checkout", "--ours", "setup.py")  # what upstream has
            text = (tree / "setup.py").read_text()
            setting = 'os.environ.setdefault("HNSWLIB_NO_NATIVE", "1")\n'
            (tree / "setup.py").write_text(text.replace("libraries = []\n", f"{setting}libraries = []\n"))
            told = bumped("hnswlib", "--continue")
        else:
            told = bumped("hnswlib", version)
            assert outcomes(told) == outcomes(tried)
        assert (told["to"], load(hnswlib.recipes, "hnswlib").version) == (version, version)
        found[version] = outcomes(told)
        applies(hnswlib, tmp_path / version)

    assert found["0.3.4"] == dict.fromkeys(SERIES, "clean")
    assert found["0.5.0"]["description.patch"] == "refreshed"  # its line has moved
    assert found["0.6.0"]["deque.patch"] == "dropped"
    assert found["0.6.1"]["portable.patch"] == "refreshed"
    assert {outcome for version in RELEASES for outcome in found[version].values()} == {
        "clean",
        "refreshed",
        "dropped",
    }
    assert all(found[version]["notes.patch"] == "clean" for version in RELEASES)
    assert (hnswlib.patches / "hnswlib" / "series").read_text() == (
        "# about description.patch\ndescription.patch\n# about portable.patch\nportable.patch\n"
        "# about notes.patch\nnotes.patch\n"
    )
    source = load(hnswlib.recipes, "hnswlib").source
    assert isinstance(source, Sdist)
    first = load_first()
    assert (hnswlib.recipes / "hnswlib.py").read_text() == RECIPE.replace(
        'version   =   "0.3.2.0"', 'version   =   "0.8.0"'
    ).replace(first, source.sha256)
    assert "nothing to do" in done("bump", "hnswlib").stdout


def load_first() -> str:
    return RECIPE.partition("SHA = '")[2].partition("'")[0]


def test_a_bump_is_given_up(hnswlib: Paths) -> None:
    done("bump", "hnswlib", "0.6.0")
    before = everything(hnswlib)
    assert invoke("bump", "hnswlib", "0.6.1").status == 5
    for command in (
        ("bump", "hnswlib", "0.6.2"),
        ("patch.save", "hnswlib"),
        ("patch.new", "hnswlib", "Title"),
    ):
        refused = invoke(*command)
        assert refused.status == 2
        assert "under way" in refused.stderr
    assert "nothing has changed" in done("bump", "hnswlib", "--abort").stdout
    assert everything(hnswlib) == before
    assert invoke("bump", "hnswlib", "--continue").status == 2


KILLED_AT = ("maintain.bump.write_whole", "patches.writing.exchange", "maintain.bump.replayed")


KILLED = """
import importlib, os, signal, sys
from workbench.maintain.bump import bump
from workbench.paths import Paths
from workbench.paths import CHECKOUT
from workbench.process import run
from workbench.recipe.load import load

module, _, name = sys.argv[1].rpartition(".")
setattr(importlib.import_module(module), name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
bump(Paths.here(), load(Paths.here().recipes, "hnswlib"), "0.6.0")
"""


KILLED_IN_GIT = """
import os, signal
from pathlib import Path
from workbench.maintain.bump import bump
from workbench.maintain.repository import Repository
from workbench.paths import Paths
from workbench.recipe.load import load

asked = Repository.git

def git(self, *words, **more):
    if "--hard" in words:  # with its lock taken, and nothing of the tree changed yet
        (self.private / "index.lock").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return asked(self, *words, **more)

Repository.git = git
bump(Paths.here(), load(Paths.here().recipes, "hnswlib"), "0.6.0")
"""


def test_a_bump_that_was_killed_while_git_changed_the_tree_goes_on(hnswlib: Paths) -> None:
    before = everything(hnswlib)
    killed = run([sys.executable, "-c", KILLED_IN_GIT], cwd=CHECKOUT, check=False)
    assert killed.status == -signal.SIGKILL, killed.output
    assert everything(hnswlib) == before
    assert outcomes(bumped("hnswlib", "--continue"))["deque.patch"] == "dropped"


@pytest.mark.parametrize("at", KILLED_AT)
def test_a_bump_that_was_killed_goes_on(hnswlib: Paths, at: str) -> None:
    before = everything(hnswlib)
    killed = run([sys.executable, "-c", KILLED, f"workbench.{at}"], cwd=CHECKOUT, check=False)
    assert killed.status == -signal.SIGKILL, killed.output
    written = at == "maintain.bump.write_whole"
    assert (everything(hnswlib) == before) is not written
    if written:
        refused = invoke("bump", "hnswlib", "--abort")
        assert refused.status == 2, "the patches are the new version's: only forward"
    told = bumped("hnswlib", "--continue")
    assert told["to"] == load(hnswlib.recipes, "hnswlib").version == "0.6.0"
    assert names_of(hnswlib) == ["description.patch", "portable.patch", "notes.patch"]
    assert "nothing was written" in done("patch.save", "hnswlib").stdout


KILLED_REMOVING = """
import os, signal, sys
from pathlib import Path
from workbench.maintain import bump, patching
from workbench.paths import Paths

removed = Path.rmdir

def rmdir(self):
    removed(self)
    if self.name == "refs":  # without it a folder is not a repository
        os.kill(os.getpid(), signal.SIGKILL)

Path.rmdir = rmdir
module, _, name = sys.argv[1].partition(".")
getattr(globals()[module], name)(Paths.here(), "hnswlib")
"""


@pytest.mark.parametrize("at", ["bump.abort_bump", "patching.discard_work"])
def test_a_work_tree_whose_removal_was_killed_is_made_anew(hnswlib: Paths, at: str) -> None:
    before = everything(hnswlib)
    if at == "bump.abort_bump":
        assert invoke("bump", "hnswlib", "0.6.1").status == 5
    else:
        done("patch.edit", "hnswlib", "portable.patch")
    killed = run([sys.executable, "-c", KILLED_REMOVING, at], cwd=CHECKOUT, check=False)
    assert killed.status == -signal.SIGKILL, killed.output
    done("patch.edit", "hnswlib", "portable.patch")
    assert everything(hnswlib) == before
    assert [each.name for each in (hnswlib.state / "patching").iterdir() if each.is_dir()] == ["hnswlib"]


@pytest.mark.usefixtures("hnswlib")
def test_a_bump_to_the_version_that_the_recipe_has_does_not_speak_of_upstream() -> None:
    assert done("bump", "hnswlib", "0.3.2.0").stdout == "hnswlib has version 0.3.2.0 already: nothing to do\n"


def names_of(paths: Paths) -> list[str]:
    return [patch.name for patch in read_series(paths.patches / "hnswlib")]


def test_a_branch_and_a_patch_that_upstream_has_taken_and_changed_since(demo: Demo) -> None:
    """By its patch-id: three ways it would conflict, for upstream went on from there."""
    code = demo.repository / "demo.c"
    original = code.read_text()
    code.write_text(original.replace("(41)", "(42)"))
    git(demo.repository, "commit", "--quiet", "--all", "--message", "The answer")
    code.write_text(original.replace("(41)", "(42 + 0)"))
    (demo.repository / "setup.py").write_text(
        (demo.repository / "setup.py").read_text().replace('"1.0"', '"1.1"')
    )
    git(demo.repository, "commit", "--quiet", "--all", "--message", "And more")
    told = bumped("demo")
    assert (told["from"], told["to"]) == ("1.0", "1.1")
    assert told["patches"] == [
        {"name": "answer.patch", "outcome": "dropped", "why": "upstream has made the same change"}
    ]
    recipe = load(demo.paths.recipes, "demo")
    assert isinstance(recipe.source, Git)
    assert (recipe.version, recipe.source.commit) == ("1.1", git(demo.repository, "rev-parse", "HEAD"))
    assert not demo.patch.exists()


def test_a_branch_that_was_force_pushed(demo: Demo) -> None:
    """Two sources are compared, and not two histories; the old one is in the cache, or the server has it still."""
    assert invoke("outdated", "demo").status == 0
    git(demo.repository, "checkout", "--quiet", "--orphan", "other")
    (demo.repository / "demo.c").write_text("/* anew */\n" + (demo.repository / "demo.c").read_text())
    git(demo.repository, "commit", "--quiet", "--all", "--message", "Another history")
    git(demo.repository, "branch", "--force", "main")
    git(demo.repository, "checkout", "--quiet", "main")
    assert outcomes(bumped("demo")) == {"answer.patch": "refreshed"}
    recipe = load(demo.paths.recipes, "demo")
    assert isinstance(recipe.source, Git)
    assert recipe.source.commit == git(demo.repository, "rev-parse", "main")


def test_a_tag_moves_to_the_newest_of_its_kind(demo: Demo) -> None:
    git(demo.repository, "tag", "v1.0")
    text = demo.recipe.read_text().replace('branch="main"', 'tag="v1.0"')
    demo.recipe.write_text(text)
    (demo.repository / "demo.c").write_text("/* new */\n" + (demo.repository / "demo.c").read_text())
    git(demo.repository, "commit", "--quiet", "--all", "--message", "two")
    for tag in ("v1.9", "v1.10", "v2.0rc1", "docs-3.0"):
        git(demo.repository, "tag", "--annotate", "--message", tag, tag)
    told = bumped("demo")
    assert (told["to"], outcomes(told)) == ("1.10", {"answer.patch": "refreshed"})
    commit = git(demo.repository, "rev-parse", "HEAD")
    old = git(demo.repository, "rev-parse", "HEAD~1")
    moved = text.replace(old, commit).replace("v1.0", "v1.10").replace('version="1.0"', 'version="1.10"')
    assert demo.recipe.read_text() == moved
    refused = invoke("bump", "demo", "3.0")
    assert refused.status == 6
    assert "no tag like v1.10 of version 3.0: it has 2.0rc1, 1.10, 1.9, 1.0" in refused.stderr


def test_what_cannot_be_bumped_changes_nothing(hnswlib: Paths) -> None:
    before = everything(hnswlib)
    for words, status, message in (
        (("bump", "hnswlib", "9.9"), 6, "nothing of version 9.9"),
        (("bump", "hnswlib", "x.y"), 2, "not a valid version"),
        (("bump", "hnswlib", "0.6.0", "--abort"), 2, "one version, or --continue or --abort"),
        (("bump", "hnswlib", "--continue"), 2, "no bump is under way"),
    ):
        refused = invoke(*words)
        assert (refused.status, message in refused.stderr) == (status, True), refused.stderr
    text = RECIPE.replace('version   =   "0.3.2.0"', 'version="0.3" + ".2.0"')
    (hnswlib.recipes / "hnswlib.py").write_text(text)
    refused = invoke("bump", "hnswlib", "0.3.4")
    assert refused.status == 4
    assert "hnswlib.py:8: version is not a plain string there" in refused.stderr
    assert (hnswlib.recipes / "hnswlib.py").read_text() == text
    (hnswlib.recipes / "hnswlib.py").write_text(RECIPE)
    assert {name: content for name, (content, _) in everything(hnswlib).items()} == {
        name: content for name, (content, _) in before.items()
    }
