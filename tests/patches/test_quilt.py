"""The same series gives the same tree by our own hand and by the quilt program's."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from workbench.errors import CommandFailed, PatchError
from workbench.patches.apply import apply_series
from workbench.patches.series import read_series
from workbench.paths import CHECKOUT, Paths
from workbench.process import run
from workbench.recipe.load import load
from workbench.recipe.model import Sdist
from workbench.source.sdist import fetch_sdist
from workbench.source.unpacking import unpack

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs("quilt", "git")

Snapshot = dict[str, tuple[bytes, bool]]


def snapshot(tree: Path) -> Snapshot:
    """Return each file's bytes and whether it is executable, by path."""
    return {
        path.relative_to(tree).as_posix(): (path.read_bytes(), bool(path.stat().st_mode & 0o100))
        for path in sorted(tree.rglob("*"))
        if path.is_file() and not {".pc", ".git"} & set(path.relative_to(tree).parts)
    }


def quilt_push(series: Path, tree: Path) -> None:
    environment = {"QUILT_PATCHES": str(series), "QUILTRC": "-"}
    run(["quilt", "push", "-a", "--fuzz=0"], cwd=tree, env=environment)


def both_ways(series: Path, tree: Path, scratch: Path) -> tuple[Snapshot, Snapshot]:
    """Apply a series to two copies of a tree: ours, and quilt's."""
    ours, theirs = scratch / "ours", scratch / "theirs"
    shutil.copytree(tree, ours, ignore=shutil.ignore_patterns(".git"))
    shutil.copytree(tree, theirs, ignore=shutil.ignore_patterns(".git"))
    apply_series(read_series(series), ours)
    quilt_push(series, theirs)
    return snapshot(ours), snapshot(theirs)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source under git, from which the tests make patches as upstream authors do."""
    tree = tmp_path / "tree"
    (tree / "pkg" / "old").mkdir(parents=True)
    (tree / "setup.py").write_text("".join(f"line {i}\n" for i in range(1, 41)))
    (tree / "pkg" / "__init__.py").write_text("version = 1\n")
    (tree / "pkg" / "old" / "only.py").write_text("gone = True\n")
    (tree / "pkg" / "moved.py").write_text("".join(f"m{i}\n" for i in range(12)))
    (tree / "run.sh").write_text("#!/bin/sh\n")
    (tree / "dos.txt").write_bytes(b"one\r\ntwo\r\nthree\r\n")
    (tree / "latin.txt").write_bytes(b"caf\xe9\nna\xefve\n")
    (tree / "end.txt").write_bytes(b"first\nno newline")
    git(tree, "init", "-q")
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", "start")
    return tree


def git(tree: Path, *argv: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.invalid")
    return run(["git", *who, "-C", tree, *argv]).output


def commit_as_patch(tree: Path, series: Path, name: str) -> None:
    """Put what changed since the last commit at the end of the series, as git writes it."""
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", f"Change {name}")
    series.mkdir(exist_ok=True)
    git(tree, "format-patch", "-q", "-1", "-M", "--output", str(series / name))
    with (series / "series").open("a") as file:
        file.write(f"{name}\n")


def test_a_series_of_every_kind_of_change(tree: Path, tmp_path: Path) -> None:
    series, start = tmp_path / "series", tmp_path / "start"
    shutil.copytree(tree, start, ignore=shutil.ignore_patterns(".git"))
    lines = (tree / "setup.py").read_text().splitlines(keepends=True)
    (tree / "setup.py").write_text(
        "".join(["new first\n", *lines[:15], "between\n", *lines[18:], "new last\n"])
    )
    commit_as_patch(tree, series, "edit.patch")
    (tree / "pkg" / "new").mkdir()
    (tree / "pkg" / "new" / "made.py").write_text("made = True\n")
    shutil.rmtree(tree / "pkg" / "old")
    commit_as_patch(tree, series, "create-and-delete.patch")
    (tree / "pkg" / "moved.py").rename(tree / "pkg" / "here.py")
    (tree / "pkg" / "here.py").write_text("".join(f"m{i}\n" for i in range(11)) + "changed\n")
    commit_as_patch(tree, series, "rename.patch")
    (tree / "run.sh").chmod(0o755)
    (tree / "tool.sh").write_text("#!/bin/sh\necho tool\n")
    (tree / "tool.sh").chmod(0o755)
    commit_as_patch(tree, series, "modes.patch")
    (tree / "dos.txt").write_bytes(b"one\r\n2\r\nthree\r\n")
    (tree / "latin.txt").write_bytes(b"caf\xe9\nnaiv \xff\n")
    commit_as_patch(tree, series, "bytes.patch")
    (tree / "end.txt").write_bytes(b"first\nwith newline\n")
    (tree / "pkg" / "__init__.py").write_bytes(b"version = 2")
    commit_as_patch(tree, series, "newline.patch")
    (tree / "setup.py").write_text("only = 1\n")
    commit_as_patch(tree, series, "again.patch")

    ours, theirs = both_ways(series, start, tmp_path)

    assert ours == theirs
    assert ours == snapshot(tree)


def test_what_others_write_is_read(tree: Path, tmp_path: Path) -> None:
    """Two mails in one file, with CRLF; git's diff.noprefix; a patch to take back; diff between a file and its copy."""
    series, start = tmp_path / "series", tmp_path / "start"
    shutil.copytree(tree, start, ignore=shutil.ignore_patterns(".git"))
    series.mkdir()
    text = (tree / "setup.py").read_text()
    for line in ("line 8\n", "line 30\n"):
        text = text.replace(line, f"changed {line}")
        (tree / "setup.py").write_text(text)
        git(tree, "commit", "-q", "-a", "-m", f"Change {line}\n\n--- a\n+++ b\n\n - an item")
    git(tree, "format-patch", "-q", "-2", "--output", str(series / "two.patch"))
    mail = (series / "two.patch").read_bytes()
    (series / "two.patch").write_bytes(mail.replace(b"\n", b"\r\n"))
    git(tree, "diff", "--no-prefix", "HEAD~1", "--output", str(series / "bare.patch"))
    run(["cp", "setup.py", "setup.py.orig"], cwd=tree)
    (tree / "setup.py").write_text(text.replace("line 20\n", ""))
    made = run(["diff", "-u", "tree/setup.py.orig", "tree/setup.py"], cwd=tree.parent, check=False).output
    (series / "copy.patch").write_text(made)
    (tree / "setup.py.orig").unlink()
    (series / "series").write_text("two.patch\nbare.patch -p0 -R\nbare.patch.2 -p0\ncopy.patch\n")
    shutil.copy(series / "bare.patch", series / "bare.patch.2")

    ours, theirs = both_ways(series, start, tmp_path)

    assert ours == theirs
    assert ours == snapshot(tree)


def test_what_quilt_refresh_writes_is_read(tree: Path, tmp_path: Path) -> None:
    series = tmp_path / "series"
    series.mkdir()
    work = tmp_path / "work"
    shutil.copytree(tree, work, ignore=shutil.ignore_patterns(".git"))
    env = {"QUILT_PATCHES": str(series), "QUILTRC": "-"}
    for name, refresh in (("default.patch", []), ("ab.patch", ["-p", "ab", "--no-index", "--no-timestamps"])):
        run(["quilt", "new", name], cwd=work, env=env)
        run(["quilt", "add", "setup.py", "made.txt", "run.sh"], cwd=work, env=env)
        text = (work / "setup.py").read_text()
        (work / "setup.py").write_text(text.replace("line 20\n", f"line 20\n{name}\n"))
        (work / "made.txt").write_text(f"{name}\n")
        (work / "run.sh").unlink(missing_ok=True)
        run(["quilt", "refresh", *refresh], cwd=work, env=env)
    ours = tmp_path / "ours"
    shutil.copytree(tree, ours, ignore=shutil.ignore_patterns(".git"))

    apply_series(read_series(series), ours)

    assert snapshot(ours) == snapshot(work)


@pytest.mark.parametrize(
    ("before", "why"),
    [
        ("zero\n", "1 line further down"),
        ("", "expected 'line 8'"),
    ],
)
def test_what_quilt_would_have_shifted_or_fuzzed_is_refused(
    tree: Path, tmp_path: Path, before: str, why: str
) -> None:
    series = tmp_path / "series"
    text = (tree / "setup.py").read_text()
    start = tmp_path / "start"
    shutil.copytree(tree, start, ignore=shutil.ignore_patterns(".git"))
    (tree / "setup.py").write_text(text.replace("line 10\n", "line ten\n"))
    commit_as_patch(tree, series, "edit.patch")
    changed = before + (text if before else text.replace("line 8\n", "line eight\n"))
    (start / "setup.py").write_text(changed)

    with pytest.raises(PatchError, match=why):
        apply_series(read_series(series), start)

    assert (start / "setup.py").read_text() == changed
    if not before:
        with pytest.raises(CommandFailed):
            quilt_push(series, start)


@pytest.mark.parametrize("name", ["hnswlib", "annoy", "causal-conv1d", "torch-scatter"])
def test_the_series_of_the_shipped_recipes(name: str, tmp_path: Path) -> None:
    paths = Paths(CHECKOUT)
    recipe = load(paths.recipes, name)
    assert isinstance(recipe.source, Sdist)
    source = tmp_path / "source"
    unpack(fetch_sdist(name, recipe.version, recipe.source.sha256, paths.cache), source)

    ours, theirs = both_ways(paths.patches / recipe.patches, source, tmp_path)

    assert ours == theirs
    assert ours != snapshot(source)
