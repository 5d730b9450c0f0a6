"""The cache of wheels in a store: a folder that machines share, or the store that the site publishes in.

Of each build key there is an entry, created once, which names the wheel and its log by their sha256, and holds the
notes: two machines that built the same never overwrite each other, and the wheel of the first is the one that is taken.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import FilenameTaken, SettingsError, StoreError, UsageError
from workbench.events import note, step
from workbench.evidence import notes
from workbench.evidence.built import Built  # noqa: TC001 - the parser reads it from the annotation
from workbench.files import sha256_of
from workbench.settings import S3Settings  # noqa: TC001 - likewise
from workbench.store.protocol import copy_out
from workbench.strict import Mismatch, parse
from workbench.wheel.filename import wheel_name_or_none

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.paths import Paths
    from workbench.settings import Settings
    from workbench.store.protocol import Store

NONE, OWN_STORE = "none", "store"
"""What may stand for a folder: no cache, and the store that the site publishes in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """What the cache says of a build key: the wheel, its size in bytes, how it was made, its log."""

    filename: str
    sha256: str
    size: int
    built: Built
    log_sha256: str = ""


class StoredWheels:
    """The cache below a prefix of a store. See ``make.wheel_cache.WheelCache``."""

    def __init__(self, store: Store, prefix: str = "") -> None:
        self.place = f"the cache in {store.place}"
        self._store = store
        self._prefix = prefix

    def fetch(self, package: str, key: str, into: Path) -> Path | None:
        """Copy a wheel out of the store, hashing it on the way."""
        where = self._entry(package, key)
        stored = self._store.read(where)
        if stored is None:
            return None
        try:
            entry = self._read(stored.content)
            wheel = into / entry.filename
            self._copy(package, entry, wheel)
            notes.put(wheel, entry.built, self._log(package, entry.log_sha256))
        except Mismatch as error:
            note(f"· {self.place}: {where} cannot be used: {error}. Remove it: the next build puts it in")
            return None
        return wheel

    def offer(self, package: str, key: str, wheel: Path) -> bool:
        """Write the wheel and its log, then the entry that names them, if there is none."""
        if self._store.read(self._entry(package, key)) or notes.recall(wheel) is None:
            return False
        made = self.upload(package, wheel)
        return self.enter(package, key, made) == made

    def upload(self, package: str, wheel: Path) -> CacheEntry:
        """Write a wheel and its log, under their hashes; return the entry that would name them. Raises StoreError."""
        built = notes.recall(wheel)
        if built is None:
            raise StoreError(f"{wheel}: nothing is known of how it was made; build it again")
        self._store.prepare()
        sha256, log = sha256_of(wheel), notes.log_of(wheel) or b""
        log_sha256 = hashlib.sha256(log).hexdigest() if log else ""
        with step(f"put {wheel.name} into {self.place}"):
            self._store.create(self._file(package, sha256, "whl"), wheel, sha256=sha256)
            if log:
                self._store.create(self._file(package, log_sha256, "log"), log, sha256=log_sha256)
        size = wheel.stat().st_size
        return CacheEntry(filename=wheel.name, sha256=sha256, size=size, built=built, log_sha256=log_sha256)

    def enter(self, package: str, key: str, made: CacheEntry) -> CacheEntry:
        """Write the entry of a build key, unless it has one; return the one that it has then. Raises StoreError."""
        where = self._entry(package, key)
        content = json.dumps(asdict(made), indent=2).encode() + b"\n"
        try:
            self._store.create(where, content, sha256=hashlib.sha256(content).hexdigest())
        except FilenameTaken:  # another machine was first
            stored = self._store.read(where)
            try:
                return self._read(stored.content if stored else b"")
            except Mismatch as error:
                raise StoreError(f"{self.place}: {where} cannot be used: {error}. Remove it") from error
        return made

    def kept(self, package: str) -> Iterator[Built]:
        """Read the entries of a package."""
        for each in self._store.entries(f"{self._prefix}{package}/"):
            stored = self._store.read(each.key) if each.key.endswith(".json") else None
            try:
                if stored:
                    yield self._read(stored.content).built
            except Mismatch:
                continue  # whoever wants the wheel is told

    def _entry(self, package: str, key: str) -> str:
        return f"{self._prefix}{package}/{key}.json"

    def _file(self, package: str, sha256: str, kind: str) -> str:
        return f"{self._prefix}{package}/{sha256}.{kind}"

    def _read(self, content: bytes) -> CacheEntry:
        """Return an entry. Raises Mismatch."""
        try:
            entry = parse(CacheEntry, json.loads(content))
        except ValueError as error:
            raise Mismatch(f"not JSON: {error}") from error
        if wheel_name_or_none(entry.filename) is None or Path(entry.filename).name != entry.filename:
            raise Mismatch(f"filename: {entry.filename!r:.80} is not the name of a wheel")
        return entry

    def _copy(self, package: str, entry: CacheEntry, wheel: Path) -> None:
        """Copy an entry's wheel to a path. Raises Mismatch where it is not the one that was put in."""
        key = self._file(package, entry.sha256, "whl")
        if not any(each.key == key for each in self._store.entries(key)):
            raise Mismatch(f"{key} is not there")
        with step(f"take {entry.filename} from {self.place}", total=entry.size) as moved:
            found = copy_out(self._store, key, wheel, moved)
        if found != entry.sha256:
            raise Mismatch(f"{key} is not the one that was put in")

    def _log(self, package: str, sha256: str) -> bytes | None:
        """Return an entry's log; None for one without. Raises Mismatch."""
        if not sha256:
            return None
        stored = self._store.read(key := self._file(package, sha256, "log"))
        if stored is None or hashlib.sha256(stored.content).hexdigest() != sha256:
            raise Mismatch(f"{key} {'is not the one that was put in' if stored else 'is not there'}")
        return stored.content


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelPlace:
    """Where a cache of wheels lies, for any machine: a folder by its path, or a bucket, and the prefix in it.

    A bucket's credentials each machine has itself.
    """

    folder: str | None = None
    s3: S3Settings | None = None
    prefix: str = ""

    def __str__(self) -> str:
        return f"the bucket {self.s3.bucket}" if self.s3 else str(self.folder)

    @property
    def is_here(self) -> bool:
        """Whether this machine sees it: of a folder, whether it is there."""
        return self.s3 is not None or Path(str(self.folder)).is_dir()

    def open(self, paths: Paths) -> StoredWheels:
        """Return the cache, as a machine sees it that has a site at `paths`."""
        if self.s3 is None:
            from workbench.store.folder import FolderStore

            return StoredWheels(FolderStore(Path(str(self.folder))), self.prefix)
        from workbench.store.s3 import S3Store

        return StoredWheels(S3Store(self.s3, memory=paths.state / "stores"), self.prefix)


def place_of(paths: Paths, settings: Settings, chosen: str = "") -> WheelPlace | None:
    """Return where the cache of wheels lies that a flag or else the settings name; None where neither names one.

    Raises UsageError and SettingsError for a folder that is not there: it may lie on a disk that is not mounted.
    """
    wanted = chosen or settings.cache.wheels or NONE
    if wanted == NONE:
        return None
    if wanted == OWN_STORE:
        own = None if settings.store.s3 else str((paths.root / (settings.store.folder or ".")).resolve())
        return WheelPlace(folder=own, s3=settings.store.s3, prefix="cache/")
    folder = ((Path() if chosen else paths.root) / Path(wanted).expanduser()).resolve()
    if not folder.is_dir():
        why = f"{wanted}: no such folder: make it, or mount the disk that it lies on"
        raise (
            UsageError(f"--cache {why}") if chosen else SettingsError(f"workbench.yaml: cache.wheels: {why}")
        )
    return WheelPlace(folder=str(folder))


def wheel_cache(paths: Paths, settings: Settings, chosen: str = "") -> StoredWheels | None:
    """Return the cache of wheels that a flag or else the settings name, if one does. Raises what `place_of` raises."""
    place = place_of(paths, settings, chosen)
    return place.open(paths) if place else None
