"""A fork becomes a series on the upstream that it is based on; patches from elsewhere join one."""

from __future__ import annotations

import http.server
import shutil
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.maintain.test_patching import done
from tests.serving import serving
from tests.verbs.conftest import SETUP, C, git
from workbench.patches.apply import apply_series
from workbench.patches.series import read_series
from workbench.recipe.load import load
from workbench.recipe.model import Git

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verbs.conftest import Demo

pytestmark = pytest.mark.needs("git")

NEW_FILE = "--- /dev/null\n+++ b/{0}\n@@ -0,0 +1 @@\n+{0}\n"


def change(repository: Path, file: str, text: str, title: str) -> str:
    """Write a file, commit it and return the commit."""
    (repository / file).parent.mkdir(exist_ok=True, parents=True)
    (repository / file).write_text(text)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", title)
    return git(repository, "rev-parse", "HEAD")


@pytest.fixture
def fork(demo: Demo, tmp_path: Path) -> Path:
    """A fork of the small package at its tag v1.0, two commits ahead, from which upstream has gone on."""
    git(demo.repository, "tag", "v1.0")
    made = tmp_path / "fork"
    git(tmp_path, "clone", "--quiet", str(demo.repository), str(made))
    change(
        made, "demo.c", C.replace("(41)", "(42)"), "Give the right answer\n\nAs everybody knows.\n\nBug: #7"
    )
    change(made, "notes/a b.txt", "notes\n", "Notes")
    change(demo.repository, "other.txt", "upstream goes on\n", "Go on")
    return made


def added(demo: Demo, fork: Path, *flags: str) -> tuple[Git, list[str]]:
    """Add the fork as patches, see that they make the fork's tip of upstream's commit, and return what was written."""
    upstream = str(demo.repository)
    done("add-package", "forked", "--source", fork, "--upstream", upstream, "--as-patches", *flags)
    recipe = load(demo.paths.recipes, "forked")
    assert isinstance(recipe.source, Git)
    assert recipe.source.url == upstream
    series = read_series(demo.paths.patches / "forked")
    tree = demo.paths.root / "checked"
    git(demo.repository, "worktree", "add", "--quiet", "--detach", str(tree), recipe.source.commit)
    apply_series(series, tree)
    ours = {path.relative_to(tree): path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    shutil.rmtree(tree)
    ours = {path: content for path, content in ours.items() if ".git" not in path.parts}
    theirs = {path.relative_to(fork): path.read_bytes() for path in fork.rglob("*") if path.is_file()}
    theirs = {path: content for path, content in theirs.items() if not {".git", "debian"} & {*path.parts}}
    assert ours == theirs
    return recipe.source, [patch.name for patch in series]


def test_a_fork_of_a_tag(demo: Demo, fork: Path) -> None:
    source, names = added(demo, fork)
    assert (source.tag, source.branch) == ("v1.0", None)
    assert source.commit == git(demo.repository, "rev-parse", "v1.0")
    assert load(demo.paths.recipes, "forked").version == "1.0"
    assert names == ["give-the-right-answer.patch", "notes.patch"]
    text = (demo.paths.patches / "forked" / names[0]).read_text()
    commit = git(fork, "rev-parse", "HEAD~1")
    assert text.startswith(
        "Description: Give the right answer\n As everybody knows.\nBug: #7\nAuthor: T <t@example.com>\n"
        f"Origin: other, {fork} commit {commit}\nLast-Update: 2"
    )


def test_a_fork_from_between_two_tags(demo: Demo, fork: Path) -> None:
    git(fork, "pull", "--quiet", "--rebase", "origin", "main")
    source, names = added(demo, fork)
    assert (source.tag, source.branch) == (None, "main")
    assert names == ["give-the-right-answer.patch", "notes.patch"]


def test_a_base_that_is_named_takes_what_upstream_did_since_as_patches_too(demo: Demo, fork: Path) -> None:
    git(fork, "pull", "--quiet", "--rebase", "origin", "main")
    source, names = added(demo, fork, "--base", "v1.0")
    assert (source.tag, names[0]) == ("v1.0", "go-on.patch")


def test_merges_go_into_one_line(demo: Demo, fork: Path) -> None:
    git(fork, "checkout", "--quiet", "-b", "side", "HEAD~1")
    change(fork, "side.txt", "side\n", "Aside")
    git(fork, "checkout", "--quiet", "main")
    git(fork, "merge", "--quiet", "--no-edit", "side")
    git(fork, "pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main")
    source, names = added(demo, fork)
    assert source.commit == git(demo.repository, "rev-parse", "main")
    assert sorted(names) == ["aside.patch", "give-the-right-answer.patch", "notes.patch"]


def test_merges_that_do_not_go_into_one_line_are_refused(demo: Demo, fork: Path) -> None:
    change(demo.repository, "demo.c", C.replace("(41)", "(43)"), "Another answer")
    git(fork, "fetch", "--quiet")
    with pytest.raises(Exception, match="merge"):
        git(fork, "merge", "--quiet", "origin/main")
    (fork / "demo.c").write_text(C.replace("(41)", "(42)"))
    git(fork, "commit", "--quiet", "--all", "--message", "Merge")
    refused = invoke("add-package", "forked", "--source", fork, "--upstream", demo.repository, "--as-patches")
    assert refused.status == 5
    assert "does not go into one line: it conflicts in demo.c" in refused.stderr
    assert "git rebase" in refused.stderr
    assert not (demo.paths.patches / "forked").exists()


def test_a_quilt_series_that_the_fork_carries(demo: Demo, fork: Path) -> None:
    patch = "Description: From quilt\n" + NEW_FILE.format("quilted.txt")
    change(fork, "debian/patches/quilted.patch", patch, "Package it")
    change(fork, "debian/patches/series", "quilted.patch\n", "List it")
    upstream = str(demo.repository)
    done("add-package", "forked", "--source", fork, "--upstream", upstream, "--as-patches")
    series = read_series(demo.paths.patches / "forked")
    assert [each.name for each in series] == ["give-the-right-answer.patch", "notes.patch", "quilted.patch"]
    assert not [change for each in series for change in each.changes if change.path.startswith("debian")]


def test_what_is_no_fork_is_refused(demo: Demo, fork: Path, tmp_path: Path) -> None:
    upstream = str(demo.repository)
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet", "--initial-branch=main")
    change(other, "x", "x", "Other")
    for words, status, message in (
        (("--source", upstream, "--upstream", upstream), 2, "nothing to make patches of"),
        (("--source", other, "--upstream", upstream), 2, "no commit in common"),
        (("--source", fork), 2, "--as-patches needs --source"),
        (
            ("--source", fork, "--upstream", upstream, "--base", "v1.1"),
            6,
            "no tag 'v1.1' (did you mean 'v1.0'?)",
        ),
    ):
        refused = invoke("add-package", "forked", *words, "--as-patches")
        assert (refused.status, message in refused.stderr) == (status, True), refused.stderr
    assert not (demo.paths.recipes / "forked.py").exists()


def names(demo: Demo) -> list[str]:
    return [patch.name for patch in read_series(demo.paths.patches / "demo")]


def test_files_folders_and_urls_are_imported(demo: Demo, tmp_path: Path) -> None:
    quilt = tmp_path / "quilt"
    quilt.mkdir()
    for name in ("one", "two"):
        (quilt / f"{name}.diff").write_text("Header of mine\n" + NEW_FILE.format(name))
    (quilt / "series").write_text("two.diff\none.diff\n")
    served = tmp_path / "web"
    served.mkdir()
    (served / "7.patch").write_text(NEW_FILE.format("three"))
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    done("patch.import", "demo", quilt)
    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        done("patch.import", "demo", f"http://127.0.0.1:{server.server_port}/7.patch?x=1")
    assert names(demo) == ["answer.patch", "two.diff", "one.diff", "7.patch"]
    assert (demo.paths.patches / "demo" / "two.diff").read_bytes() == (quilt / "two.diff").read_bytes()
    again = invoke("patch.import", "demo", quilt / "one.diff")
    assert again.status == 2
    assert "has a patch one.diff already: --as gives" in again.stderr


def test_lines_that_have_moved_are_found_and_others_are_refused(demo: Demo, tmp_path: Path) -> None:
    away = tmp_path / "away.patch"
    first, blank, last = SETUP.splitlines()
    hunk = f"@@ -14,3 +14,4 @@\n {first}\n {blank}\n+# moved\n {last}\n"
    away.write_text(f"Description: Away\n--- a/setup.py\n+++ b/setup.py\n{hunk}")
    said = done("patch.import", "demo", away).stdout
    assert "away.patch    new" in said
    assert "@@ -1,3 +1,4 @@" in (demo.paths.patches / "demo" / "away.patch").read_text()
    (tmp_path / "other.patch").write_text(away.read_text().replace("setuptools", "distutils"))
    refused = invoke("patch.import", "demo", tmp_path / "other.patch")
    assert refused.status == 5
    assert "does not match setup.py" in refused.stderr
    assert "Nothing was imported" in refused.stderr
    assert names(demo) == ["answer.patch", "away.patch"]


def test_commits_and_ranges_are_imported(demo: Demo, fork: Path) -> None:
    first = git(fork, "rev-parse", "HEAD")
    change(fork, "setup.py", (fork / "setup.py").read_text() + "# end\n", "An end")
    change(fork, "tests/test_x.py", "x = 1\n", "A test")
    done("patch.import", "demo", f"{first}..main", "--repository", str(fork))
    assert names(demo) == ["answer.patch", "an-end.patch", "a-test.patch"]
    text = (demo.paths.patches / "demo" / "an-end.patch").read_text()
    assert f"Origin: upstream, {fork} commit {git(fork, 'rev-parse', 'HEAD~1')}\n" in text
    missing = invoke("patch.import", "demo", "./missing.patch")
    assert (missing.status, "no such file or folder" in missing.stderr) == (2, True)
    refused = invoke("patch.import", "demo", "0" * 40)
    assert refused.status == 2
    assert "no such commit" in refused.stderr
