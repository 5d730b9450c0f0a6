"""What every store promises, whatever its kind.

Files are created once and never change; what changes (registry, pages) is replaced by compare-and-swap. Only
"there is no such key" is an answer; every other failure raises StoreError.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from workbench.store.layout import Headers

CHUNK = 1 << 20
"""How many bytes of a file are read at a time."""

Content = bytes | Path
"""What is written: bytes, or the file that holds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What lies at a key. `version` is the store's own name for these bytes at this key."""

    content: bytes
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A key that a listing found, its size in bytes and when it was written (UTC).

    `version` is what `Store.replace` expects; None where the store would have to read the file to say it.
    """

    key: str
    size: int
    modified: datetime
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """What a killed publisher left, seen by no reader: an upload in parts, a file half written. `token` names it."""

    what: str
    key: str
    modified: datetime
    token: str = ""


Progress = Callable[[int], None]
"""Who is told of bytes as they go."""


def nobody(_count: int, /) -> None:
    """Take no note of progress."""


MISSING = "is not there"


def fault_of(actual: int | None, read: Callable[[], str], *, size: int, sha256: str) -> str | None:
    """Return what is wrong with a file of an `actual` size, or None; its hash is `read` only where that may tell."""
    if actual != size:
        return MISSING if actual is None else f"is {actual} bytes long, not {size}"
    found = read()
    return None if found == sha256 else f"has the sha256 {found}, not {sha256}"


class Store(Protocol):
    """A store of published files. Keys are relative paths with ``/`` (see ``layout``), never quoted."""

    place: str
    """Where it is, in a person's words."""

    folder: Path | None
    """The folder that it is, or None for one that lies elsewhere."""

    streams: int
    """How many files are best written at once."""

    @property
    def folder_keys(self) -> bool:
        """Whether a key that ends with a slash, a folder's page, can lie beside those below it. It may be tried out."""

    def prepare(self) -> None:
        """Make sure, before anything is changed, that the store can keep its promises. Raises StoreError."""

    def read(self, key: str) -> Stored | None:
        """Return what lies at a key, or None where nothing does."""

    def create(
        self, key: str, content: Content, *, sha256: str, moved: Progress = nobody, look: bool = True
    ) -> bool:
        """Write a file that never changes again, whole or not at all.

        Returns False when these very bytes are there already. `sha256` (hex) is the hash of `content`, known
        beforehand; `moved` is told of bytes as they go. Without `look`, as after a listing in which it was not, a
        file is sent at once; else one that is there need not be.
        Raises FilenameTaken when other bytes are there, StoreError when `content` does not have that hash.
        """

    def replace(
        self, key: str, content: bytes, *, expected: str | None, content_type: str | None = None
    ) -> str | None:
        """Write a key if its version is still `expected` (None: if it is still not there); return its new version.

        Returns None, with nothing changed, when another writer was faster. `content_type` is what a server
        answers with, where it is not what `layout.headers` says.
        """

    def delete(self, key: str) -> None:
        """Remove a key; one that is not there is removed already."""

    def entries(self, prefix: str, *, after: str = "") -> Iterator[Listed]:
        """Yield what lies at the keys that start with `prefix` and come after `after`, in the order of the keys."""

    def leftovers(self) -> Iterator[Leftover]:
        """Yield what killed publishers left behind, and what publishers that are at work have not finished."""

    def discard(self, leftover: Leftover) -> None:
        """Remove a leftover."""

    def open(self, key: str) -> IO[bytes]:
        """Open a file to be read and sought; only what is looked at is fetched."""

    def served(self, key: str) -> Headers | None:
        """Return what a key is served as; None for one that is not there, or where others serve the store."""

    def check(self, key: str, *, sha256: str, size: int) -> str | None:
        """Read every byte of a created file; return what is wrong with it, or None for a good one."""


def copy_out(store: Store, key: str, to: Path, moved: Progress = nobody) -> str:
    """Copy a stored file to a path, and return its sha256 (hex); `moved` is told of bytes as they go.

    Raises OSError and StoreError.
    """
    digest = hashlib.sha256()
    with store.open(key) as source, to.open("wb") as sink:
        while chunk := source.read(CHUNK):
            sink.write(chunk)
            digest.update(chunk)
            moved(len(chunk))
    return digest.hexdigest()
