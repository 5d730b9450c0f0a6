"""What was learnt once and is kept: pages of sources in a reduced form, registries at URLs, facts about wheels.

Each lies in a file of its own in this user's cache folder, for nobody else to read: a line of JSON that says what it
is, and then the content. A file that is damaged counts as missing, and that is told.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from stat import S_IWGRP, S_IWOTH
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import orjson

from workbench.events import note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

VARIABLE = "GPUWHEELS_CACHE"
FORMAT = 1
"""Of the files. One of another format counts as missing."""

_FOLDERS = ("pages", "registries", "facts")
_FILENAME = re.compile(r"[0-9a-f]{64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class KeptFile(NamedTuple):
    """A file of a source as it is kept; the fields are those of `OfferedWheel`."""

    filename: str
    url: str
    sha256: str | None = None
    size: int | None = None
    updated: str | None = None
    requires_python: str | None = None
    metadata_sha256: str | None = None
    yanked: str | None = None
    libraries: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPage:
    """What a source's page said of one package, `age` seconds ago. `left_out` says what of it was not taken."""

    rows: tuple[KeptFile, ...]
    age: float
    etag: str = ""
    modified: str = ""
    next: str = ""
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheInfo:
    """How many files are in the cache, how many bytes they have, and how old the oldest is, in seconds."""

    folder: str
    pages: int
    registries: int
    facts: int
    size: int
    oldest: float


class _Entry(NamedTuple):
    header: dict[str, Any]
    body: bytes
    age: float


class Cache:
    """A folder of what was learnt. With no folder, nothing is found and nothing is kept."""

    def __init__(self, folder: Path | None, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.folder = folder if folder is None or _is_ours(folder) else None

    @classmethod
    def here(cls, environ: Mapping[str, str] = os.environ) -> Cache:
        """Return this user's: ``GPUWHEELS_CACHE``, or ``gpuwheels`` in ``XDG_CACHE_HOME`` or ``~/.cache``."""
        if named := environ.get(VARIABLE):
            return cls(Path(named).expanduser().absolute())
        home = environ.get("XDG_CACHE_HOME", "")
        caches = Path(home) if home.startswith("/") else Path("~/.cache").expanduser()
        return cls(caches / "gpuwheels")

    # ---------------------------------------------------------------- pages

    def page(self, url: str, project: str) -> KeptPage | None:
        """Return what the page at a URL said of a package, by the normalised name that its files have."""
        entry = self._read("pages", url)
        if entry is None:
            return None
        header = entry.header
        try:
            start, length = header["projects"].get(project, (0, 0))
            rows = orjson.loads(entry.body[start : start + length]) if length else []
            return KeptPage(
                rows=tuple(KeptFile(*row) for row in rows),
                age=entry.age,
                etag=header["etag"],
                modified=header["modified"],
                next=header["next"],
                left_out=tuple(header["left_out"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            self._damaged("pages", url)
            return None

    def keep_page(
        self,
        url: str,
        projects: Mapping[str, Sequence[KeptFile]],
        *,
        etag: str = "",
        modified: str = "",
        next_url: str = "",
        left_out: Sequence[str] = (),
    ) -> None:
        """Keep what a page said, by the normalised names of its files' packages."""
        pieces, places, at = [], {}, 0
        for project, rows in projects.items():
            piece = orjson.dumps([list(row) for row in rows])
            places[project] = (at, len(piece))
            pieces.append(piece)
            at += len(piece)
        header = {
            "etag": etag,
            "modified": modified,
            "next": next_url,
            "left_out": list(left_out),
            "projects": places,
        }
        self._write("pages", url, header, b"".join(pieces))

    def renew(self, url: str) -> None:
        """Note that a page is still what was kept of it."""
        if path := self._path("pages", url):
            try:
                os.utime(path, (self._now(), self._now()))
            except OSError as error:
                self._unusable(path, error)

    # ---------------------------------------------------------------- registries

    def registry(self, url: str) -> tuple[bytes, float] | None:
        """Return a registry of sources that was kept, and its age in seconds."""
        entry = self._read("registries", url)
        return (entry.body, entry.age) if entry else None

    def keep_registry(self, url: str, text: bytes) -> None:
        """Keep a registry of sources."""
        self._write("registries", url, {}, text)

    # ---------------------------------------------------------------- facts

    def recall(self, sha256: str) -> dict[str, Any] | None:
        """Return what was learnt about the wheel with a sha256; None where that is nothing."""
        entry = self._read("facts", _checked(sha256))
        if entry is None:
            return None
        try:
            facts = orjson.loads(entry.body)
        except ValueError:
            facts = None
        if isinstance(facts, dict):
            return facts
        self._damaged("facts", sha256)
        return None

    def learn(self, sha256: str, facts: Mapping[str, object]) -> None:
        """Keep facts about the wheel with a sha256, beside those that are known; they must be what JSON can say."""
        known = self.recall(sha256) or {}
        self._write("facts", sha256, {}, orjson.dumps({**known, **facts}))

    # ---------------------------------------------------------------- all of it

    def info(self) -> CacheInfo:
        """Return what is in the cache."""
        counts = dict.fromkeys(_FOLDERS, 0)
        size, oldest = 0, 0.0
        for kind, path in self._files():
            stat = path.stat()
            counts[kind] += 1
            size += stat.st_size
            oldest = max(oldest, self._now() - stat.st_mtime)
        return CacheInfo(folder=str(self.folder or ""), **counts, size=size, oldest=oldest)

    def clean(self, older_than: float = 0.0) -> tuple[int, int]:
        """Remove what is older than so many seconds; return how many files went, and how many bytes they had."""
        count = freed = 0
        for _, path in list(self._files()):
            stat = path.stat()
            if self._now() - stat.st_mtime >= older_than:
                path.unlink(missing_ok=True)
                count += 1
                freed += stat.st_size
        return count, freed

    def _files(self) -> Iterator[tuple[str, Path]]:
        """Yield the files of ours: whatever else is in the folder is left alone."""
        for kind in _FOLDERS if self.folder else ():
            folder = Path(str(self.folder), kind)
            if folder.is_dir() and not folder.is_symlink():
                yield from ((kind, path) for path in folder.iterdir() if _FILENAME.fullmatch(path.name))

    # ---------------------------------------------------------------- files

    def _path(self, kind: str, key: str) -> Path | None:
        folder = self.folder  # another thread may find it unusable
        if folder is None:
            return None
        return folder / kind / hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()

    def _read(self, kind: str, key: str) -> _Entry | None:
        path = self._path(kind, key)
        if path is None:
            return None
        try:
            content = path.read_bytes()
            age = self._now() - path.stat().st_mtime
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._unusable(path, error)
            return None
        line, _, body = content.partition(b"\n")
        try:
            header = orjson.loads(line)
            if header["format"] != FORMAT:
                return None
            sound = (header["of"], header["crc"]) == (path.name, crc32(body))
        except (ValueError, TypeError, KeyError):
            sound = False
        if sound:
            return _Entry(header, body, age)
        self._damaged(kind, key)
        return None

    def _write(self, kind: str, key: str, header: Mapping[str, object], body: bytes) -> None:
        path = self._path(kind, key)
        if path is None:
            return
        from workbench.files import write_whole

        line = orjson.dumps({"format": FORMAT, "of": path.name, "crc": crc32(body), **header})
        try:
            write_whole(path, line + b"\n" + body, private=True)
            os.utime(path, (self._now(), self._now()))
        except OSError as error:
            self._unusable(path, error)

    def _damaged(self, kind: str, key: str) -> None:
        note(f"{self._path(kind, key)}: damaged, and passed over: what it had is asked for again")

    def _unusable(self, path: Path, error: OSError) -> None:
        """Go on without the cache, and say so once."""
        if self.folder is not None:
            self.folder = None
            note(f"{path}: {error.strerror or error}: going on without the cache")


def _checked(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"{sha256!r:.80} is not a sha256 in hex")
    return sha256


def _is_ours(folder: Path) -> bool:
    """Say whether nobody else can write into a folder, or there is none yet; say why not."""
    try:
        stat = folder.stat()
    except OSError:
        return True
    if stat.st_uid == os.geteuid() and not stat.st_mode & (S_IWGRP | S_IWOTH):
        return True
    note(
        f"{folder}: others can write there: going on without the cache (chmod 700 it, or name another in {VARIABLE})"
    )
    return False
