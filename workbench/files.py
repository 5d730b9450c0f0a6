"""Files that are whole or not there, and folders that one process uses at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from workbench.errors import UsageError
from workbench.events import step

_TEMPORARY = ".wheel-workbench-"
"""How the names of temporary folders begin. Nobody else's do: what is left of them is removed."""

_MACHINE = hashlib.sha256(os.uname().nodename.encode()).hexdigest()[:8]
"""Stands in the names of scratch folders. On a network's file system, no machine sees what another one holds."""


class UnderWay(UsageError):
    """Another process is at what only one may be at."""


def expect_file(path: Path) -> Path:
    """Return a path that a person named, a file's. Raises UsageError where there is none."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name the files in it")
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    return path


def expect_wheels(named: Sequence[str | Path]) -> list[Path]:
    """Return the paths of the wheels that a person named. Raises UsageError without one, or where one is no file."""
    if not named:
        raise UsageError("name the wheels: wheels/*.whl")
    return [expect_file(Path(each)) for each in named]


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


def write_whole(path: Path, data: bytes | str, *, private: bool = False) -> None:
    """Write a file beside its place, flush it to the disk and rename it in: no reader sees half of it.

    It is for everyone to read, as are the folders that are made for it, or `private`: for this user alone.
    """
    content = data.encode() if isinstance(data, str) else data
    make_folder(path.parent, 0o700 if private else 0o755)
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        error.filename = str(path)  # and not the name beside it, which nobody knows
        raise
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o600 if private else 0o644)
        Path(name).replace(path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:  # a full disk names none
            error.filename = str(path)
        Path(name).unlink(missing_ok=True)
        raise


def write_new(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file that is not there yet, flushed to the disk; on an error none is left.

    Raises FileExistsError for one that is there, also if it came this moment, and OSError.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:  # a full disk names none
            error.filename = str(path)
        path.unlink()
        raise


def exchange(first: Path, second: Path) -> None:
    """Let two files or folders of one file system change their places, in one step. Raises OSError."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    here, swap = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of renameat2(2)
    if libc.renameat2(here, os.fsencode(first.absolute()), here, os.fsencode(second.absolute()), swap):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(second))


def remove_tree(folder: Path) -> None:
    """Remove a folder and all that is in it, read-only folders too; nothing happens where there is none.

    Raises OSError with the whole path of what cannot be removed.
    """

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    if folder.is_dir():
        folder.chmod(0o700)
    found = []
    for place, folders, files in os.walk(folder, onerror=refuse):
        links = [name for name in folders if Path(place, name).is_symlink()]
        for name in set(folders).difference(links):
            Path(place, name).chmod(0o700)
        found.append((Path(place), [*files, *links]))
    for path, names in reversed(found):
        for name in names:
            (path / name).unlink(missing_ok=True)
        path.rmdir()


@contextlib.contextmanager
def scratch(place: Path, prefix: str) -> Iterator[Path]:
    """Yield a new folder in `place`, gone afterwards; what killed processes have left of this prefix goes first.

    Only what was left by this machine: others may be at work in the same place.
    """
    place.mkdir(parents=True, exist_ok=True)
    for left in _left(place, prefix):
        with contextlib.suppress(OSError):
            remove_tree(left)
    with contextlib.ExitStack() as held:
        folder = _fresh(place, prefix, held)
        try:
            yield folder
        finally:
            remove_tree(folder)


def temporary() -> contextlib.AbstractContextManager[Path]:
    """Yield a `scratch` folder among this machine's temporary files: far from any source tree, and for any command."""
    return scratch(Path(tempfile.gettempdir()), _TEMPORARY)


def left_by_killed() -> tuple[Path, ...]:
    """Return the `temporary` folders of processes that were killed: the next that needs such a folder removes them."""
    return tuple(_left(Path(tempfile.gettempdir()), _TEMPORARY))


def _left(place: Path, prefix: str) -> Iterator[Path]:
    """Yield this user's folders of a prefix that no process of this machine holds, each held while the caller is at it.

    Others may write in `place` too: theirs, and links to somewhere else, are none of these.
    """
    for path in sorted(place.glob(f"{prefix}{_MACHINE}*")):
        with contextlib.suppress(OSError):
            found = path.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
                with _held(path, wait=False):
                    yield path


def _fresh(place: Path, prefix: str, held: contextlib.ExitStack) -> Path:
    """Make a folder and hold it: again where another process took it for one that was left, before it was held."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=place, prefix=f"{prefix}{_MACHINE}-"))
        with contextlib.suppress(FileNotFoundError):
            held.enter_context(_held(folder))
            if folder.exists():
                return folder


@contextlib.contextmanager
def _held(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a file or a folder for this process alone. Without `wait`, raises BlockingIOError where another does."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int = 0o755) -> bool:
    """Make a folder and those above it that are missing, with this mode whatever the user's umask is.

    The umask itself stays as it is: it belongs to the whole process, and other threads write files too. Returns whether
    the folder was made here. Raises OSError.
    """
    if folder.is_dir():
        return False
    make_folder(folder.parent, mode)
    try:
        folder.mkdir()
    except FileExistsError:
        if folder.is_dir():
            return False  # another thread or process was quicker
        raise
    folder.chmod(mode)
    return True


@contextlib.contextmanager
def locked(lock: Path, *, busy: str = "", waiting: str = "") -> Iterator[None]:
    """Hold a lock file, after waiting for its holder; the kernel lets go of it however a process ends.

    With `busy`, what the holder is at (``a build of …``), nobody waits: raises UnderWay where it is held.
    With `waiting`, that is the title of a step for as long as this process waits.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(lock, os.O_CREAT | os.O_EXCL)
        os.fchmod(descriptor, 0o644)  # another user may have to wait for it
        os.close(descriptor)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(_held(lock, wait=not (busy or waiting)))
        except BlockingIOError as error:
            if busy:
                raise UnderWay(f"{busy} is under way in another process; wait for it to end") from error
            with step(waiting, waits=True):
                held.enter_context(_held(lock))
        yield


def made_once(home: Path, title: str, make: Callable[[Path], Path]) -> Path:
    """Return the folder `home`, made first where it is not there: whole, and by one process, for which others wait.

    `make` gets a scratch folder beside `home` and returns the finished tree below it, which is then renamed into place.
    `title` names the step to a person.
    """
    if home.is_dir():
        return home
    with locked(home.with_name(f"{home.name}.lock")):
        if not home.is_dir():
            with step(title) as at, scratch(home.parent, ".making-") as folder:
                make(folder).rename(home)
                at.outcome = str(home)
    return home
