"""A store that is a folder.

A file is written in the store's own corner of the folder (``.workbench/incoming``), flushed to the disk and
linked or renamed to its place, so a reader sees it whole or not at all, and a process that is killed leaves
nothing but a file in the corner. Compare-and-swap holds a lock that the kernel lets go of with the process.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from workbench.errors import FilenameTaken, StoreError
from workbench.files import locked, make_folder, sha256_of
from workbench.store.protocol import CHUNK, Content, Leftover, Listed, Progress, Stored, fault_of, nobody

if TYPE_CHECKING:
    from workbench.store.layout import Headers

_CORNER = ".workbench"
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)


class FolderStore:
    """The store in the folder `root`, made when something is first written. See ``protocol.Store``."""

    streams = 1  # a disk is not faster for being written at two places
    folder_keys = False  # whoever serves a folder finds its index document

    def __init__(self, root: Path) -> None:
        self.place = str(root)
        self.folder: Path | None = root
        self._root = root
        self._incoming = root / _CORNER / "incoming"

    def prepare(self) -> None:
        """Make the folder, and see that it can be written."""
        with _plainly(self._root):
            make_folder(self._incoming)
            if not os.access(self._root, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self._root))

    def read(self, key: str) -> Stored | None:
        """Return what lies at a key; its version is the hash of its bytes."""
        path = self._path(key)
        with _plainly(path):
            try:
                content = path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return Stored(content=content, version=hashlib.sha256(content).hexdigest())

    def create(
        self, key: str, content: Content, *, sha256: str, moved: Progress = nobody, look: bool = True
    ) -> bool:
        """Copy a file in, hashing it on the way: what is published is what was verified, or nothing is."""
        del look  # it costs nothing here
        path = self._path(key)
        with _plainly(path):
            if path.exists():
                return self._is_there(path, sha256)
            with self._beside(path) as beside:
                copied = _copy(content, beside, moved)
                if copied != sha256:
                    raise StoreError(
                        f"{content if isinstance(content, Path) else key} changed after it was verified: "
                        f"its sha256 is {copied}, not {sha256}; verify it again"
                    )
                try:
                    # a link, unlike a rename, does not replace what another process has put there meanwhile
                    path.hardlink_to(beside)
                except FileExistsError:
                    return self._is_there(path, sha256)
                except OSError as error:
                    if error.errno in _NO_LINKS:
                        raise StoreError(
                            f"{path}: this file system has no hard links, by which a file is put in its place "
                            "and never in that of another: publish into a folder on another file system"
                        ) from error
                    raise
            _flush_folder(path.parent)
        return True

    def replace(
        self, key: str, content: bytes, *, expected: str | None, content_type: str | None = None
    ) -> str | None:
        """Rename a new file over the old one, if that is still the expected one."""
        del content_type  # a folder's files are typed by whoever serves them
        path = self._path(key)
        with _plainly(path), self._beside(path) as beside:
            version = _copy(content, beside, nobody)
            with locked(self._root / _CORNER / "store.lock"):
                stored = self.read(key)
                if (stored.version if stored else None) != expected:
                    return None
                beside.replace(path)
                _flush_folder(path.parent)
        return version

    def delete(self, key: str) -> None:
        """Remove a file. Its folder stays: another process may be about to put a file there."""
        path = self._path(key)
        with _plainly(path):
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                _flush_folder(path.parent)

    def entries(self, prefix: str, *, after: str = "") -> Iterator[Listed]:
        """Yield the files below a prefix. Those in the store's own corner are none of anybody's business."""
        top = self._root / prefix.rpartition("/")[0]
        found = []
        with _plainly(top):
            for folder, folders, names in os.walk(top):
                if _CORNER in folders:
                    folders.remove(_CORNER)
                for name in names:
                    path = Path(folder, name)
                    key = path.relative_to(self._root).as_posix()
                    with contextlib.suppress(FileNotFoundError):  # removed since the walk saw it
                        found.append((key, path.stat()))
        for key, stat in sorted(found):
            if key.startswith(prefix) and key > after:
                modified = datetime.fromtimestamp(stat.st_mtime, UTC)
                yield Listed(key=key, size=stat.st_size, modified=modified)

    def leftovers(self) -> Iterator[Leftover]:
        """Yield the files in the store's own corner that were not linked or renamed to their place."""
        with _plainly(self._incoming):
            for path in sorted(self._incoming.glob("*")):
                try:
                    modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                except FileNotFoundError:  # put in its place since it was listed
                    continue
                yield Leftover(what="half-written file", key=path.name, modified=modified)

    def discard(self, leftover: Leftover) -> None:
        """Remove a file from the store's own corner."""
        with _plainly(self._incoming):
            (self._incoming / leftover.key).unlink(missing_ok=True)

    def open(self, key: str) -> IO[bytes]:
        """Open the file."""
        path = self._path(key)
        with _plainly(path):
            return path.open("rb")

    def served(self, key: str) -> Headers | None:
        """None: whoever serves a folder says what its files are."""
        del key
        return None

    def check(self, key: str, *, sha256: str, size: int) -> str | None:
        """Look at the file, and hash it."""
        path = self._path(key)
        with _plainly(path):
            actual = path.stat().st_size if path.exists() else None
            return fault_of(actual, lambda: sha256_of(path), size=size, sha256=sha256)

    def _path(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if not parts or key.startswith("/") or ".." in parts:
            raise StoreError(f"{key!r} is not the key of a file in a store")
        return self._root.joinpath(*parts)

    def _is_there(self, path: Path, sha256: str) -> bool:
        """Return False if the bytes are those, as `create` does; raise FilenameTaken if they are others."""
        if sha256_of(path) != sha256:
            raise taken(path.name, str(path))
        return False

    @contextlib.contextmanager
    def _beside(self, path: Path) -> Iterator[Path]:
        """Yield the path of a new file in the store's corner, gone afterwards unless it was renamed."""
        _make_folder(path.parent)
        _make_folder(self._incoming)
        descriptor, name = tempfile.mkstemp(dir=self._incoming, prefix=f"{path.name}.")
        os.fchmod(descriptor, 0o644)
        os.close(descriptor)
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)


def taken(filename: str, place: str) -> FilenameTaken:
    """Return the error for a filename that is published with other bytes."""
    return FilenameTaken(
        f"{filename}: published already, with other bytes ({place}). Published files never change: build it "
        "again with '--version-suffix .post1' to publish it under a version of its own"
    )


def _copy(content: Content, to: Path, moved: Progress) -> str:
    """Write content to a file, flushed to the disk; return its sha256."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(CHUNK))
    source = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb", buffering=0)
    with source, to.open("wb", buffering=0) as sink:
        while count := source.readinto(buffer):
            left = chunk = buffer[:count]
            while left:  # the last bytes that a disk has room for are written, and that is not an error yet
                left = left[sink.write(left) :]
            digest.update(chunk)
            moved(len(chunk))
        os.fsync(sink.fileno())
    return digest.hexdigest()


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, and have the entry of each on the disk."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    make_folder(folder)
    _flush_folder(folder.parent)


def _flush_folder(folder: Path) -> None:
    """Have a folder's entries on the disk: a power cut must not take back what was said to be published."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _plainly(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into StoreError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StoreError(
                f"{path}: there is no room for it on the disk. Nothing half-written is left behind: make "
                "room, and run the same command again"
            ) from error
        raise StoreError(f"{error.filename or path}: {error.strerror}") from error
