"""Folders that go, and files that others can read."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from workbench import files
from workbench.errors import UsageError
from workbench.files import left_by_killed, locked, remove_tree, scratch, temporary, write_whole
from workbench.paths import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534


@pytest.fixture
def ours() -> Iterator[Path]:
    """A folder of a user whom permissions stop, which is this process until the test ends."""
    with tempfile.TemporaryDirectory() as name:
        user = os.geteuid()
        if user == 0:
            os.chown(name, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        yield Path(name)
        os.seteuid(user)


def test_read_only_folders_and_links_go_and_what_links_lead_to_stays(ours: Path) -> None:
    tree, kept = ours / "tree", ours / "kept"
    (tree / "a" / "b").mkdir(parents=True)
    kept.mkdir()
    (kept / "file").touch()
    (tree / "a" / "b" / "f").touch()
    (tree / "link").symlink_to(kept)
    for path in (tree / "a" / "b", tree / "a", tree):
        path.chmod(0o500)
    remove_tree(tree)
    assert [path.name for path in ours.iterdir()] == ["kept"]
    assert (kept / "file").exists()
    remove_tree(tree)  # nothing there is fine


def test_what_cannot_be_removed_is_named_with_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tree" / "a").mkdir(parents=True)
    (tmp_path / "tree" / "a" / "f").touch()

    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    with pytest.raises(PermissionError) as caught:
        remove_tree(tmp_path / "tree")
    assert caught.value.filename == str(tmp_path / "tree" / "a" / "f")


def test_a_scratch_folder_that_a_killed_process_left_goes_and_one_in_use_stays(tmp_path: Path) -> None:
    for prefix in (".build.", ".other."):
        with scratch(tmp_path, prefix) as left:
            pass
        left.mkdir()
    with scratch(tmp_path, ".build.") as first:
        with scratch(tmp_path, ".build.") as second:
            assert {path.name for path in tmp_path.iterdir()} == {first.name, second.name, left.name}
        assert not second.exists()
    assert list(tmp_path.iterdir()) == [left]


KILLED = """\
import os
from workbench.files import temporary

with temporary() as folder:
    (folder / "environment").mkdir()
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_command_left_among_temporary_files_goes_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    ended = subprocess.run([sys.executable, "-c", KILLED], cwd=CHECKOUT, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == list(left_by_killed()) != []
    with temporary() as folder:
        assert list(tmp_path.iterdir()) == [folder]
        assert left_by_killed() == ()


def test_what_others_lay_among_temporary_files_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of another machine, one of another user, a link to one of ours, a pipe, at which who opens it waits."""
    with monkeypatch.context() as there:
        there.setattr(files, "_MACHINE", "another")
        with scratch(tmp_path, ".a-") as far:
            pass
    with scratch(tmp_path, ".a-") as near:
        pass
    link, pipe, theirs = (near.with_name(f"{near.name}{each}") for each in ("-link", "-pipe", "-theirs"))
    far.mkdir()
    (tmp_path / "kept").mkdir()
    link.symlink_to(tmp_path / "kept")
    os.mkfifo(pipe)
    with scratch(tmp_path, ".a-"):
        pass
    theirs.mkdir()
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    with scratch(tmp_path, ".a-"):
        pass
    assert {*tmp_path.iterdir()} == {far, link, pipe, theirs, tmp_path / "kept"}


def test_a_lock_that_another_holds(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "lock"),
        pytest.raises(UsageError, match="a build is under way"),
        locked(tmp_path / "lock", busy="a build"),
    ):
        raise AssertionError("both hold it")
    with locked(tmp_path / "lock", busy="a build"):
        pass


def test_what_is_written_for_others_can_be_read_by_them_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_whole(tmp_path / "site" / "packages.json", "{}")
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "site").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "site" / "packages.json").stat().st_mode) == 0o644


def test_a_scratch_folder_may_lie_in_another(tmp_path: Path) -> None:
    with scratch(tmp_path, ".build.") as outer, scratch(outer, ".repair.") as inner:
        (inner / "file").touch()
    assert not list(tmp_path.iterdir())


def test_a_scratch_folder_that_another_process_took_for_a_left_one_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = tempfile.mkdtemp
    made: list[str] = []

    def lose_the_first(**options: Any) -> str:
        made.append(str(make(**options)))
        if len(made) == 1:
            remove_tree(Path(made[0]))
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", lose_the_first)
    with scratch(tmp_path, ".build.") as folder:
        assert folder == Path(made[1])
        assert folder.is_dir()


def test_what_cannot_be_written_is_named_by_its_own_name(ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours.chmod(0o500)
    with pytest.raises(PermissionError) as refused:
        write_whole(ours / "pylock.toml", "x")
    assert refused.value.filename == str(ours / "pylock.toml")
    ours.chmod(0o700)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as full_disk:
        write_whole(ours / "pylock.toml", "x")
    assert full_disk.value.filename == str(ours / "pylock.toml")
    assert list(ours.iterdir()) == []


def test_the_umask_of_the_process_is_left_alone_for_other_threads_write_files_too(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: write_whole(tmp_path / f"{n}" / "answer", "x", private=True), range(400)))
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "7").stat().st_mode) == 0o700
