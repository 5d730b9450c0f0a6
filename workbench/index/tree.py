"""The index as files in a folder."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from workbench.files import locked, make_folder, scratch
from workbench.index.draw import STATE, draw, is_drawn, read_state
from workbench.index.output import Gone
from workbench.paths import Paths
from workbench.registry.file import dumps
from workbench.registry.model import Registry

if TYPE_CHECKING:
    from workbench.settings import Settings

LOCK = ".lock"

_BUFFER = 1 << 20
"""Bytes of the registry that are read at once: a tenth less work than with Python's own 8 KiB."""

_FEW = 64
"""Up to so many pages are flushed to the disk one by one; for more, one flush of everything is quicker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What became of the drawn pages. A project whose entry is as before has none among them."""

    written: int
    unchanged: int
    removed: int


def write(registry: Path, root: Path, settings: Settings) -> Drawn:
    """Draw the index of a registry (a ``packages.json``; no file is an empty one) into the folder `root`.

    The pages that changed lie in the site's own corner, which nobody serves, until all of them are drawn and on the
    disk; then they are renamed in, a first index as a whole. The state goes in last. A second process waits for the
    first.

    Raises RegistryError, IndexFault and OSError; the next drawing mends what was left undone.
    """
    corner = Paths(root.parent).state
    make_folder(root)
    with (
        locked(root / LOCK),
        _opened(registry) as document,
        scratch(corner, "drawing-") as new,
    ):
        folder = _Folder(str(root), str(new))
        state = read_state(_read(str(root), STATE), settings)
        gone: list[str] = []
        for change in draw(document, settings, state, where=str(registry)):
            if isinstance(change, Gone):
                gone.append(change.path)
            elif change.path != STATE:
                folder.put(change.path, change.content)
            else:
                if state is None and not folder.fresh:
                    gone += _left_over(str(root), folder.written | folder.unchanged)
                folder.finish(gone, change.content)
        return Drawn(written=len(folder.written), unchanged=len(folder.unchanged), removed=folder.removed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdated:
    """The paths of pages that a drawing would write, and of those that it would remove."""

    written: tuple[str, ...]
    removed: tuple[str, ...]


def outdated(registry: Path, root: Path, settings: Settings, *, afresh: bool = False) -> Outdated:
    """Return what `write` would do, and do nothing; `afresh` looks at every page, whatever was drawn last.

    Raises RegistryError, IndexFault and OSError.
    """
    top = str(root)
    state = None if afresh else read_state(_read(top, STATE), settings)
    drawn: set[str] = set()
    written: list[str] = []
    removed: list[str] = []
    with _opened(registry) as document:
        for change in draw(document, settings, state, where=str(registry)):
            if isinstance(change, Gone):
                removed += [change.path] if (root / change.path).exists() else []
            elif change.path != STATE:
                drawn.add(change.path)
                written += [change.path] if _read(top, change.path) != change.content else []
    if state is None:
        removed += _left_over(top, drawn)
    return Outdated(written=tuple(written), removed=tuple(removed))


@contextmanager
def _opened(registry: Path) -> Iterator[BinaryIO]:
    try:
        file: BinaryIO = registry.open("rb", buffering=_BUFFER)
    except FileNotFoundError:
        file = io.BytesIO(dumps(Registry()).encode())
    with file:
        yield file


def _read(root: str, path: str) -> bytes | None:
    try:
        with open(f"{root}/{path}", "rb", buffering=0) as file:  # noqa: PTH123 - as in `_Folder`
            return file.read()
    except FileNotFoundError:
        return None


def _left_over(root: str, drawn: set[str]) -> list[str]:
    """Return the pages below `root` that are not part of a whole drawing."""
    walked = os.walk(root)
    files = (os.path.relpath(f"{folder}/{name}", root) for folder, _, names in walked for name in names)
    return sorted(path for path in files if path not in drawn and is_drawn(path, partial(_read, root, path)))


class _Folder:
    """The files below `root`, and below `new` until they are whole. In `os` calls: pathlib doubles a page's cost."""

    def __init__(self, root: str, new: str) -> None:
        self._root, self._new = root, new
        self._made = {new}
        self.fresh = os.listdir(root) == [LOCK]  # noqa: PTH208 - see the class
        self.written: set[str] = set()
        self.unchanged: set[str] = set()
        self.removed = 0

    def put(self, path: str, content: bytes) -> None:
        """Keep a file for `finish` unless it holds these bytes already."""
        if not self.fresh and _read(self._root, path) == content:
            self.unchanged.add(path)
        else:
            self._write(path, content)
            self.written.add(path)

    def _write(self, path: str, content: bytes) -> None:
        place = f"{self._new}/{path}"
        folder = place.rpartition("/")[0]
        if folder not in self._made:
            self._make(folder)
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            os.fchmod(descriptor, 0o644)  # whatever the user's umask is
            while content:
                content = content[os.write(descriptor, content) :]
        except OSError as error:  # a full disk names no file
            error.filename = f"{self._root}/{path}"
            raise
        finally:
            os.close(descriptor)

    def _make(self, folder: str) -> None:
        """Make a folder below `new`, where nobody else makes any, whatever the user's umask is."""
        parent = folder.rpartition("/")[0]
        if parent not in self._made:
            self._make(parent)
        os.mkdir(folder)  # noqa: PTH102 - see the class
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 - likewise; everybody reads it
        self._made.add(folder)

    def finish(self, gone: Iterable[str], state: bytes) -> None:
        """Rename the new files in, remove what is gone, and write the state.

        The state must not outlive the files' bytes in a power cut, so these are flushed first; and it is away while
        files move, for it would be wrong if this were cut short.
        """
        if len(self.written) > _FEW:
            os.sync()
        else:
            for path in self.written:
                with open(f"{self._new}/{path}", "rb") as file:  # noqa: PTH123 - see the class
                    os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            os.unlink(f"{self._root}/{STATE}")  # noqa: PTH108 - see the class
        _move(self._new, self._root)
        for path in gone:
            self._remove(path)
        self._write(STATE, state)
        os.replace(f"{self._new}/{STATE}", f"{self._root}/{STATE}")  # noqa: PTH105 - see the class

    def _remove(self, path: str) -> None:
        """Remove a file, and the folders that are empty without it."""
        with suppress(FileNotFoundError):
            os.unlink(f"{self._root}/{path}")  # noqa: PTH108 - see the class
            self.removed += 1
        with suppress(OSError):  # a folder that still holds something
            while "/" in path:
                path = path.rpartition("/")[0]
                os.rmdir(f"{self._root}/{path}")  # noqa: PTH106 - see the class


def _move(here: str, there: str) -> None:
    """Move what is in a folder into another: folders first, for the pages beside them link to what is in them."""
    with os.scandir(here) as entries:
        for entry in sorted(entries, key=os.DirEntry.is_file):
            target = f"{there}/{entry.name}"
            if entry.is_dir() and os.path.isdir(target):  # noqa: PTH112 - as in `_Folder`
                _move(entry.path, target)
            else:
                os.replace(entry.path, target)  # noqa: PTH105 - as in `_Folder`
