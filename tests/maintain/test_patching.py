"""A series is worked on as a person does it: in the work tree, with any tool."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.forked import Ran, invoke
from tests.verbs.conftest import git
from workbench.patches.series import read_series
from workbench.paths import CHECKOUT, Paths
from workbench.process import run
from workbench.recipe.load import load
from workbench.recipe.model import Sdist
from workbench.source.sdist import fetch_sdist
from workbench.source.unpacking import unpack

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs("git")

QUIET = "# why this series is there\n\nportable-by-default.patch\n"


@pytest.fixture
def annoy(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A site with annoy's recipe and its one patch, and somebody who works there."""
    shutil.copy(CHECKOUT / "recipes" / "annoy.py", paths.recipes)
    shutil.copytree(CHECKOUT / "patches" / "annoy", paths.patches / "annoy")
    (paths.patches / "annoy" / "series").write_text(QUIET)
    (paths.patches / "annoy" / "README").write_text("notes\n")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Ada Lovelace")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "ada@example.org")
    return paths


def tree(paths: Paths) -> Path:
    return paths.state / "patching" / "annoy"


def names(paths: Paths) -> list[str]:
    return [patch.name for patch in read_series(paths.patches / "annoy")]


def everything(paths: Paths) -> dict[str, tuple[bytes, int]]:
    """Return what is on the disk of recipe and patches, and when it was written; a killed process may leave a copy."""
    files = [*paths.patches.glob("[!.]*/**/*"), *paths.recipes.rglob("*.py")]
    return {str(each): (each.read_bytes(), each.stat().st_mtime_ns) for each in files if each.is_file()}


def undated(found: dict[str, tuple[bytes, int]]) -> dict[str, bytes]:
    """Return what is on the disk without its times, and without the day, which may end between two commands."""
    return {name: re.sub(rb"\nLast-Update: \S+", b"", content) for name, (content, _) in found.items()}


def done(*words: str | Path) -> Ran:
    ran = invoke(*words)
    assert ran.status == 0, ran.stderr
    return ran


def edit(paths: Paths, file: str, before: str, after: str) -> None:
    path = tree(paths) / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def new_patch(paths: Paths, title: str, before: str, after: str) -> None:
    done("patch.new", "annoy", title)
    edit(paths, "setup.py", before, after)
    done("patch.save", "annoy")


def test_a_patch_is_made_in_the_work_tree(annoy: Paths) -> None:
    told = done("patch.new", "annoy", "No nose, please")
    assert str(tree(annoy)) in told.stdout
    edit(annoy, "setup.py", "      setup_requires=['nose>=1.0'],\n", "")
    (tree(annoy) / "with blank.txt").write_text("made")
    said = done("patch.save", "annoy").stdout

    assert "no-nose-please.patch       new" in said
    folder = annoy.patches / "annoy"
    assert (folder / "series").read_text() == f"{QUIET}no-nose-please.patch\n"
    assert (folder / "README").read_text() == "notes\n"
    text = (folder / "no-nose-please.patch").read_text()
    assert text.startswith(
        "Description: No nose, please\nAuthor: Ada Lovelace <ada@example.org>\nLast-Update: 2"
    )
    assert "\n--- a/setup.py\n+++ b/setup.py\n@@" in text
    assert "index " not in text
    assert done("patch.show", "annoy", "no-nose-please.patch").stdout == text


def test_saving_without_a_change_writes_nothing(annoy: Paths) -> None:
    new_patch(annoy, "No nose", "      setup_requires=['nose>=1.0'],\n", "")
    before = everything(annoy)
    assert "nothing was written" in done("patch.save", "annoy").stdout
    done("patch.edit", "annoy", "portable-by-default.patch")
    assert "nothing was written" in done("patch.save", "annoy").stdout
    shutil.rmtree(tree(annoy))
    done("patch.edit", "annoy", "portable-by-default.patch")
    assert "nothing was written" in done("patch.save", "annoy").stdout
    assert everything(annoy) == before


def test_whatever_git_is_set_to_the_patch_is_the_same(
    annoy: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_patch(annoy, "No nose", "      setup_requires=['nose>=1.0'],\n", "")
    plain = everything(annoy)
    config = tmp_path / "gitconfig"
    config.write_text(
        "[diff]\n noprefix = true\n context = 9\n renames = false\n algorithm = patience\n mnemonicPrefix = true\n"
        "[core]\n autocrlf = true\n abbrev = 40\n[color]\n ui = always\n[format]\n signature = x\n"
        "[commit]\n gpgSign = true\n template = none\n cleanup = scissors\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_DIFF_OPTS", "--unified=1")
    (annoy.patches / "annoy" / "no-nose.patch").unlink()
    (annoy.patches / "annoy" / "series").write_text(QUIET)
    shutil.rmtree(tree(annoy))
    new_patch(annoy, "No nose", "      setup_requires=['nose>=1.0'],\n", "")
    assert undated(everything(annoy)) == undated(plain)


def test_a_patch_in_the_middle_is_edited_and_the_rest_follows(annoy: Paths) -> None:
    new_patch(annoy, "No nose", "      setup_requires=['nose>=1.0'],\n", "")
    header = (annoy.patches / "annoy" / "portable-by-default.patch").read_bytes().partition(b"--- a/")[0]
    done("patch.edit", "annoy", "portable-by-default.patch")
    assert "nose" in (tree(annoy) / "setup.py").read_text()
    edit(annoy, "setup.py", "extra_link_args = []", "extra_link_args = list()\n# two\n# lines")
    said = done("patch.save", "annoy").stdout

    assert "portable-by-default.patch  refreshed" in said
    assert "no-nose.patch              refreshed" in said  # its lines stand two lines further down
    changed = (annoy.patches / "annoy" / "portable-by-default.patch").read_bytes()
    assert changed.startswith(header)
    assert b"+# lines" in changed
    assert names(annoy) == ["portable-by-default.patch", "no-nose.patch"]
    assert "nose" not in (tree(annoy) / "setup.py").read_text()


def test_a_header_is_edited_as_the_commit_s_message(annoy: Paths) -> None:
    done("patch.edit", "annoy", "portable-by-default.patch")
    message = git(tree(annoy), "log", "-1", "--format=%B").replace(
        "Origin: vendor", "Origin: vendor\nBug: #7"
    )
    git(tree(annoy), "commit", "--quiet", "--amend", "--message", message)
    before = (annoy.patches / "annoy" / "portable-by-default.patch").read_text()
    done("patch.save", "annoy")
    after = (annoy.patches / "annoy" / "portable-by-default.patch").read_text()
    assert after == before.replace("Origin: vendor\n", "Origin: vendor\nBug: #7\n")


def test_commits_of_their_own_become_patches(annoy: Paths) -> None:
    done("patch.edit", "annoy", "portable-by-default.patch")
    for number in (1, 2):
        (tree(annoy) / f"new{number}.py").write_text(f"{number}\n")
        git(tree(annoy), "add", "--all")
        git(tree(annoy), "commit", "--quiet", "--message", f"Add file\n\nBecause of {number}.")
    done("patch.save", "annoy")
    assert names(annoy) == ["portable-by-default.patch", "add-file.patch", "add-file-2.patch"]
    text = (annoy.patches / "annoy" / "add-file-2.patch").read_text()
    assert text.startswith(
        "Description: Add file\n Because of 2.\nAuthor: Ada Lovelace <ada@example.org>\nLast-Update: "
    )


def test_a_conflict_stops_and_goes_on(annoy: Paths) -> None:
    new_patch(annoy, "No nose", "      setup_requires=['nose>=1.0'],\n", "")
    before = everything(annoy)
    done("patch.edit", "annoy", "portable-by-default.patch")
    edit(annoy, "setup.py", "nose>=1.0", "nose>=2.0")
    stopped = invoke("patch.save", "annoy")
    assert stopped.status == 5
    assert "no-nose.patch conflicts in setup.py" in stopped.stderr
    assert str(tree(annoy)) in stopped.stderr
    assert everything(annoy) == before

    again = invoke("patch.save", "annoy")
    assert again.status == 5, "the marks of the conflict are there still"
    refused = invoke("patch.new", "annoy", "Another")
    assert refused.status == 2
    assert "a conflict that is not resolved" in refused.stderr
    text = (tree(annoy) / "setup.py").read_text()
    start, end = text.index("<<<<<<<"), text.index("\n", text.index(">>>>>>>")) + 1
    (tree(annoy) / "setup.py").write_text(text[:start] + text[end:])
    said = done("patch.save", "annoy").stdout
    assert "no-nose.patch              refreshed  resolved by hand" in said
    assert "nose>=2.0" in (annoy.patches / "annoy" / "no-nose.patch").read_text()


def test_work_that_is_not_saved_is_not_thrown_away_unasked(annoy: Paths) -> None:
    done("patch.new", "annoy", "No nose")
    edit(annoy, "setup.py", "      setup_requires=['nose>=1.0'],\n", "")
    for command in (("patch.new", "annoy", "Another"), ("patch.drop", "annoy", "portable-by-default.patch")):
        refused = invoke(*command)
        assert refused.status == 2
        assert "edits of setup.py that nobody has saved" in refused.stderr
    done("patch.save", "annoy", "--discard")
    assert "nose" in (tree(annoy) / "setup.py").read_text()
    assert "nothing was written" in done("patch.save", "annoy").stdout


@pytest.mark.usefixtures("annoy")
def test_a_title_in_any_language_names_a_file() -> None:
    for title, name in (("Größe: nicht prüfen", "grosse-nicht-prufen.patch"), ("日本", "patch.patch")):
        assert f"up to {name}." in done("patch.new", "annoy", title).stdout
    refused = invoke("patch.show", "annoy", "nose")
    assert (refused.status, "there are portable-by-default.patch" in refused.stderr) == (2, True)


def test_drop_and_move(annoy: Paths) -> None:
    new_patch(annoy, "No nose", "      setup_requires=['nose>=1.0'],\n", "")
    new_patch(annoy, "Other words", "ANNOY_COMPILER_ARGS", "ANNOY_ARGS")
    done("patch.move", "annoy", "other-words.patch", "--before", "no-nose.patch")
    assert names(annoy) == ["portable-by-default.patch", "other-words.patch", "no-nose.patch"]
    before = everything(annoy)
    conflict = invoke("patch.move", "annoy", "other-words.patch", "--after", "nose.patch")
    assert conflict.status == 2
    assert "has no patch nose.patch (did you mean 'no-nose.patch'?)" in conflict.stderr
    assert everything(annoy) == before
    told = done("patch.drop", "annoy", "portable-by-default.patch").stdout
    assert "portable-by-default.patch  dropped    taken out\n" in told
    assert names(annoy) == ["other-words.patch", "no-nose.patch"]
    assert not (annoy.patches / "annoy" / "portable-by-default.patch").exists()
    assert done("patch.list", "annoy").stdout.split("\n")[1].startswith("other-words.patch  Other words")


def test_git_s_own_rebase_arranges_a_series(annoy: Paths) -> None:
    new_patch(annoy, "No nose", "      setup_requires=['nose>=1.0'],\n", "")
    before = {patch.name: patch.text for patch in read_series(annoy.patches / "annoy")}
    swap = ("-c", "sequence.editor=sed -i -e '1{h;d}' -e '2G'", "-c", "core.editor=true")
    git(tree(annoy), *swap, "rebase", "--quiet", "--interactive", "source")
    done("patch.save", "annoy")
    assert names(annoy) == ["no-nose.patch", "portable-by-default.patch"]
    for patch in read_series(annoy.patches / "annoy"):
        header = before[patch.name].partition(b"--- a/")[0]
        assert patch.text.startswith(header + b"--- a/")


def test_a_patch_that_was_begun_and_not_made_is_no_patch(annoy: Paths) -> None:
    done("patch.new", "annoy", "Begun")
    told = done("patch.save", "annoy")
    assert "nothing was written" in told.stdout
    assert "begun.patch changes nothing (yet)" in told.stderr
    edit(annoy, "setup.py", "h5py", "h6py")
    done("patch.save", "annoy")  # it is the one that is open still
    assert names(annoy) == ["portable-by-default.patch", "begun.patch"]
    done("patch.new", "annoy", "Another")
    done("patch.save", "annoy")
    new_patch(annoy, "A third", "      setup_requires=['nose>=1.0'],\n", "")
    assert "another.patch" not in git(tree(annoy), "log", "--format=%B")
    assert names(annoy) == ["portable-by-default.patch", "begun.patch", "a-third.patch"]


def test_a_dry_run_changes_neither_the_series_nor_the_work_tree(annoy: Paths, tmp_path: Path) -> None:
    new_patch(annoy, "No nose", "      setup_requires=['nose>=1.0'],\n", "")
    new_patch(annoy, "No numpy", "['numpy', 'h5py']", "['h5py']")  # the line below
    before, head = everything(annoy), git(tree(annoy), "rev-parse", "HEAD")
    made = tmp_path / "made.patch"
    made.write_text("--- /dev/null\n+++ b/made\n@@ -0,0 +1 @@\n+made\n")
    assert "would write" in done("patch.drop", "annoy", "portable-by-default.patch", "--dry-run").stdout
    assert "made.patch" in done("patch.import", "annoy", made, "--dry-run").stdout
    conflict = invoke("patch.drop", "annoy", "no-nose.patch", "--dry-run")
    assert conflict.status == 5
    assert "no-numpy.patch conflicts in setup.py" in conflict.stderr
    assert "patch.save" not in conflict.stderr
    assert everything(annoy) == before
    assert git(tree(annoy), "rev-parse", "HEAD") == head
    assert git(tree(annoy), "status", "--porcelain") == ""
    assert "nothing was written" in done("patch.save", "annoy").stdout


@pytest.mark.parametrize("committed", [False, True])
def test_a_dry_run_leaves_work_that_nobody_has_saved(annoy: Paths, tmp_path: Path, committed: bool) -> None:
    new_patch(annoy, "No nose", "      setup_requires=['nose>=1.0'],\n", "")
    done("patch.new", "annoy", "No numpy")
    edit(annoy, "setup.py", "['numpy', 'h5py']", "['h5py']")
    if committed:
        git(tree(annoy), "commit", "--quiet", "--all", "--amend", "--no-edit")
    made = tmp_path / "made.patch"
    made.write_text("--- /dev/null\n+++ b/made\n@@ -0,0 +1 @@\n+made\n")
    for line in (("drop", "no-nose.patch"), ("move", "no-nose.patch", "--after=x"), ("import", str(made))):
        refused = invoke(f"patch.{line[0]}", "annoy", *line[1:], "--dry-run")
        assert (refused.status, "nobody has saved" in refused.stderr) == (2, True)
    done("patch.save", "annoy")
    assert "['h5py']" in (annoy.patches / "annoy" / "no-numpy.patch").read_text()


def test_what_a_patch_cannot_hold_is_named(annoy: Paths) -> None:
    before = everything(annoy)
    for number in (0, 1):
        done("patch.new", "annoy", f"Thing {number}", "--discard")
        thing = tree(annoy) / "thing"
        if number:
            thing.symlink_to("x")
        else:
            thing.write_bytes(b"\0\1")
        refused = invoke("patch.save", "annoy")
        assert refused.status == 5
        assert f"thing-{number}.patch" in refused.stderr
        assert everything(annoy) == before


@pytest.mark.needs("quilt")
def test_what_quilt_makes_of_the_series_comes_back(annoy: Paths, tmp_path: Path) -> None:
    done("patch.new", "annoy", "No nose")
    edit(annoy, "setup.py", "      setup_requires=['nose>=1.0'],\n", "")
    (tree(annoy) / "setup.cfg").rename(tree(annoy) / "moved.cfg")
    (tree(annoy) / "LICENSE").chmod(0o755)
    done("patch.save", "annoy")
    assert "rename to moved.cfg" in (annoy.patches / "annoy" / "no-nose.patch").read_text()
    recipe = load(annoy.recipes, "annoy")
    assert isinstance(recipe.source, Sdist)
    source = tmp_path / "source"
    unpack(fetch_sdist("annoy", recipe.version, recipe.source.sha256, annoy.cache), source)
    env = {"QUILT_PATCHES": str(annoy.patches / "annoy"), "QUILTRC": "-"}
    run(["quilt", "push", "-a", "--fuzz=0"], cwd=source, env=env)
    assert (source / "moved.cfg").is_file()
    run(["quilt", "add", "README.rst"], cwd=source, env=env)
    (source / "README.rst").write_text("short\n")
    run(["quilt", "refresh"], cwd=source, env=env)
    refreshed = (annoy.patches / "annoy" / "no-nose.patch").read_text()
    assert refreshed.startswith("Description: No nose\nAuthor: Ada Lovelace <ada@example.org>\n")

    told = done("patch.edit", "annoy", "no-nose.patch").stderr
    assert "no-nose.patch has lost since it was last saved here: mode change 100644 => 100755 LICENSE" in told
    assert "nothing was written" in done("patch.save", "annoy").stdout
    assert (tree(annoy) / "README.rst").read_text() == "short\n"


def test_patches_that_changed_on_the_disk_meanwhile_are_not_written_over(annoy: Paths) -> None:
    done("patch.new", "annoy", "No nose")
    edit(annoy, "setup.py", "      setup_requires=['nose>=1.0'],\n", "")
    patch = annoy.patches / "annoy" / "portable-by-default.patch"
    patch.write_text(patch.read_text().replace("Forwarded: no", "Forwarded: yes"))
    before = everything(annoy)
    refused = invoke("patch.save", "annoy")
    assert refused.status == 2
    assert "has changed since" in refused.stderr
    assert everything(annoy) == before
