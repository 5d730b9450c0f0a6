"""Files that are whole or not there, and folders that one process uses at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from workbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


def expect_file(path: Path) -> Path:
    """Return a path that a person named, a file's. Raises UsageError where there is none."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name the files in it")
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    return path


def content_of(path: Path) -> bytes | None:
    """Return what is in a file, None where there is none. Raises OSError besides."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def sha256_of(path: Path) -> str:
    """Return a file's sha256, in hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Identity(NamedTuple):
    """What tells a file from one that was written over it: its size in bytes, its time in nanoseconds, its inode."""

    size: int
    modified: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Identity:
        """Return a file's identity as it is now. Raises OSError."""
        stat = path.stat()
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ino)


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a file beside its place, flush it to the disk and rename it in: no reader sees half of it."""
    content = data.encode() if isinstance(data, str) else data
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def only_one(lock: Path, what: str) -> Iterator[None]:
    """Hold a lock file, which the kernel lets go of when the process ends however it ends.

    Raises UsageError when another process holds it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"{what} is under way in another process; wait for it to end") from error
        yield


@contextlib.contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Hold a lock file, after waiting for the process that holds it: what is made once and used by many."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
