"""The index as files in a folder."""

from __future__ import annotations

import io
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from workbench.files import for_everyone, locked
from workbench.index.draw import STATE, draw, is_drawn, read_state
from workbench.index.output import Gone
from workbench.registry.file import dumps
from workbench.registry.model import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.settings import Settings

LOCK = ".lock"
BESIDE = ".new"
"""The folder where a first drawing lies until it is whole."""

BUFFER = 1 << 20
"""Bytes of the registry that are read at once: a tenth less work than with Python's own 8 KiB."""

FEW = 64
"""Up to so many pages are flushed to the disk one by one; for more, one flush of everything is quicker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What became of the drawn pages. A project whose entry is as before has none among them."""

    written: int
    unchanged: int
    removed: int


def write(registry: Path, root: Path, settings: Settings) -> Drawn:
    """Draw the index of a registry (a ``packages.json``; no file is an empty one) into the folder `root`.

    A page that changed is written beside its place and renamed in; a first index is, as a whole. The state goes in
    last, when the pages are on the disk. A second process waits for the first.

    Raises RegistryError, IndexFault, SettingsError and OSError; the next drawing mends what was left undone.
    """
    with for_everyone(), locked(root / LOCK), _opened(registry) as document:
        folder = _Folder(str(root))
        state = read_state(_read(str(root), STATE), settings)
        for change in draw(document, settings, state, where=str(registry)):
            if isinstance(change, Gone):
                folder.remove(change.path)
            elif change.path == STATE:
                if state is None and not folder.fresh:
                    folder.sweep()
                folder.flush()
                folder.replace(STATE, change.content)
            else:
                folder.put(change.path, change.content)
        return Drawn(written=len(folder.written), unchanged=len(folder.unchanged), removed=folder.removed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdated:
    """The paths of pages that a drawing would write, and of those that it would remove."""

    written: tuple[str, ...]
    removed: tuple[str, ...]


def outdated(registry: Path, root: Path, settings: Settings, *, afresh: bool = False) -> Outdated:
    """Return what `write` would do, and do nothing; `afresh` looks at every page, whatever was drawn last.

    Raises RegistryError, IndexFault, SettingsError and OSError.
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
        file: BinaryIO = registry.open("rb", buffering=BUFFER)
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
    files = (
        os.path.relpath(f"{folder}/{name}", root) for folder, _, names in os.walk(root) for name in names
    )
    return sorted(path for path in files if path not in drawn and is_drawn(path, partial(_read, root, path)))


class _Folder:
    """The files below `root`, by relative path. In `os` calls: pathlib would double the cost of a page."""

    def __init__(self, root: str) -> None:
        self._root = self._place = root
        names = set(os.listdir(root))  # noqa: PTH208 - see the class
        if BESIDE in names:  # a first drawing was cut short
            shutil.rmtree(f"{root}/{BESIDE}")
        self.fresh = names <= {LOCK, BESIDE}
        if self.fresh:
            self._place = f"{root}/{BESIDE}"
            os.mkdir(self._place)  # noqa: PTH102 - see the class
        self.written: set[str] = set()
        self.unchanged: set[str] = set()
        self.removed = 0
        self._begun = False

    def put(self, path: str, content: bytes) -> None:
        """Write a file unless it holds these bytes already."""
        if not self.fresh and _read(self._root, path) == content:
            self.unchanged.add(path)
        else:
            self._begin()
            self.replace(path, content)
            self.written.add(path)

    def _begin(self) -> None:
        """Before the first change, remove the state, which would be wrong if the drawing were cut short."""
        if not self._begun:
            self._begun = True
            with suppress(FileNotFoundError):
                os.unlink(f"{self._root}/{STATE}")  # noqa: PTH108 - see the class

    def replace(self, path: str, content: bytes) -> None:
        """Write a file beside its place and rename it in. There is one writer, so one name beside will do."""
        place = f"{self._place}/{path}"
        beside = place if self.fresh else f"{place}.new"
        self._make_folder(place.rpartition("/")[0])
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)
        if beside is not place:
            os.replace(beside, place)  # noqa: PTH105 - see the class

    @staticmethod
    def _make_folder(path: str) -> None:
        try:
            os.mkdir(path)  # noqa: PTH102 - see the class
        except FileExistsError:
            pass
        except FileNotFoundError:
            os.makedirs(path)  # noqa: PTH103 - see the class

    def remove(self, path: str) -> None:
        """Remove a file, and the folders that are empty without it."""
        self._begin()
        with suppress(FileNotFoundError):
            os.unlink(f"{self._root}/{path}")  # noqa: PTH108 - see the class
            self.removed += 1
        with suppress(OSError):  # a folder that still holds something
            while "/" in path:
                path = path.rpartition("/")[0]
                os.rmdir(f"{self._root}/{path}")  # noqa: PTH106 - see the class

    def sweep(self) -> None:
        """Remove the pages that are not part of this drawing, a whole one."""
        for path in _left_over(self._root, self.written | self.unchanged):
            self.remove(path)

    def flush(self) -> None:
        """Have the written files on the disk, for the state must not outlive them in a power cut; show a first drawing.

        Its folders come in before the front page, which links to them.
        """
        if len(self.written) > FEW:
            os.sync()
        else:
            for path in self.written:
                descriptor = os.open(f"{self._place}/{path}", os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        if self.fresh:
            with os.scandir(self._place) as entries:
                for entry in sorted(entries, key=os.DirEntry.is_file):
                    os.rename(entry.path, f"{self._root}/{entry.name}")  # noqa: PTH104 - see the class
            os.rmdir(self._place)  # noqa: PTH106 - see the class
            self._place, self.fresh = self._root, False
