"""Where wheels travel from machine to machine: a store that all of them see, in which nothing is ever replaced.

::

    cells/<build key>/<sha256>/<filename>   what a builder made: it may have been made twice, and twice differently
    cells/<build key>.json                  which of them is the wheel of that key: whoever submitted it wrote that once

A builder that comes late, or was given up, adds files of its own and changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import StoreError
from workbench.evidence import notes
from workbench.files import sha256_of
from workbench.settings import S3Settings  # noqa: TC001 - the parser reads it from the annotation
from workbench.store.folder import FolderStore
from workbench.strict import Mismatch, parse

if TYPE_CHECKING:
    from workbench.settings import Settings
    from workbench.store.protocol import Store

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Which store: a folder, by its path on every machine, or a bucket, whose credentials each machine has itself."""

    folder: str | None = None
    s3: S3Settings | None = None

    def open(self, memory: Path) -> Store:
        """Return the store; `memory` is where one for a bucket keeps what it found out."""
        if self.s3 is not None:
            from workbench.store.s3 import S3Store

            return S3Store(self.s3, memory=memory)
        return FolderStore(Path(str(self.folder)))

    @property
    def is_here(self) -> bool:
        """Whether this machine sees it: of a folder, whether it is there."""
        return self.s3 is not None or Path(str(self.folder)).is_dir()

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return f"the bucket {self.s3.bucket}" if self.s3 else str(self.folder)


def share_of(chosen: str, settings: Settings) -> Share | None:
    """Return the folder that somebody chose, or the site's bucket; None without either."""
    if chosen:
        return Share(folder=str(Path(chosen).expanduser().absolute()))
    return Share(s3=settings.store.s3) if settings.store.s3 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedWheel:
    """A wheel in a share, made for a build key by an order of this digest: its files with their sha256 (hex).

    Beside the wheel these are the notes on how it was made, and its log.
    """

    key: str
    order: str
    wheel: str
    files: dict[str, str]


def put(store: Store, wheel: Path, *, key: str, order: str) -> SharedWheel:
    """Add a wheel and what is known of it to a share, which does not say yet whose wheel it is. Raises StoreError."""
    files = {}
    for path in (*notes.beside(wheel), wheel):
        sha256 = files[path.name] = sha256_of(path)
        store.create(_file(key, sha256, path.name), path, sha256=sha256)
    return SharedWheel(key=key, order=order, wheel=wheel.name, files=files)


def commit(store: Store, made: SharedWheel) -> SharedWheel:
    """Say that a wheel is its key's, unless another one is; return the one that is. Raises StoreError."""
    content = json.dumps(asdict(made), sort_keys=True).encode()
    if store.replace(_record(made.key), content, expected=None) is not None:
        return made
    there = find(store, made.key)
    if there is None:
        raise StoreError(
            f"{_record(made.key)} in {store.place} was there and is gone: run the same command again"
        )
    return there


def find(store: Store, key: str) -> SharedWheel | None:
    """Return the wheel of a build key, or None where none is yet. Raises StoreError."""
    stored = store.read(_record(key))
    if stored is None:
        return None
    try:
        return parse(SharedWheel, json.loads(stored.content))
    except (ValueError, Mismatch) as error:
        raise StoreError(
            f"{_record(key)} in {store.place}: {error}; remove it, and the wheel is built again"
        ) from error


def fetch(store: Store, made: SharedWheel, into: Path) -> Path:
    """Copy a shared wheel and what is known of it into a folder, each file whole, and its hash checked.

    Raises StoreError for other bytes, and then the wheel is not there.
    """
    into.mkdir(parents=True, exist_ok=True)
    order = sorted(
        made.files, key=lambda name: name == made.wheel
    )  # without its notes a wheel counts for nothing
    for name in order:
        if Path(name).name != name:
            raise StoreError(f"{_record(made.key)} in {store.place}: {name!r} is not a filename")
        _fetch(store, _file(made.key, made.files[name], name), made.files[name], into / name)
    return into / made.wheel


def _fetch(store: Store, key: str, sha256: str, to: Path) -> None:
    digest = hashlib.sha256()
    descriptor, beside = tempfile.mkstemp(dir=to.parent, prefix=f".{to.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file, store.open(key) as source:
            while piece := source.read(CHUNK):
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
        if digest.hexdigest() != sha256:
            raise StoreError(f"{key} in {store.place} has the sha256 {digest.hexdigest()}, not {sha256}")
        Path(beside).replace(to)
    finally:
        Path(beside).unlink(missing_ok=True)


def _file(key: str, sha256: str, name: str) -> str:
    return f"cells/{key}/{sha256}/{name}"


def _record(key: str) -> str:
    return f"cells/{key}.json"
