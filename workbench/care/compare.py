"""Registry, records and files of a store, side by side: what ``doctor`` tells, and how ``reconcile`` mends a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from workbench.errors import RegistryError
from workbench.files import sha256_of
from workbench.publish.amend import had_registry, is_own
from workbench.publish.history import current_or_kept
from workbench.publish.wheel_files import damage, faults, is_ours, texts_linked
from workbench.registry.file import load, loads
from workbench.store import layout
from workbench.store.layout import WheelKey, metadata_key, wheel_of
from workbench.store.protocol import MISSING
from workbench.wheel.stream import BadBinary
from workbench.wheel.wheel import Wheel

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.publish.wheel_files import Fault
    from workbench.registry.model import PublishedWheel, Registry
    from workbench.store.opening import Site
    from workbench.store.protocol import Listed, Store


class Faulty(NamedTuple):
    """A wheel with its project, and what is wrong with its files."""

    project: str
    wheel: PublishedWheel
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a store holds.

    `registry` is its registry, or for one that is lost or damaged what it is made anew from; `instead` is that as well
    and None for a good one, and `why` says from what. `records` are the wheels that have one, `files` what lies below
    ``files/``, by key; `foreign` are keys that no program of ours has written.
    """

    registry: Registry
    instead: Registry | None
    why: str
    records: frozenset[WheelKey]
    files: Mapping[str, Listed]
    foreign: tuple[str, ...]

    def faulty(self, store: Store, *, deep: bool = False) -> tuple[Faulty, ...]:
        """Return the registered wheels whose files are not whole; `deep` reads every byte of them."""

        def look(wheel: tuple[str, PublishedWheel]) -> Faulty:
            found = tuple(faults(*wheel, self.files))
            if deep and not found and is_ours(wheel[1]):
                found = tuple(damage(store, *wheel, self.files))
            return Faulty(*wheel, found)

        with ThreadPoolExecutor(store.streams) as pool:
            return tuple(each for each in pool.map(look, self.registry.wheels()) if each.faults)

    def unregistered(self) -> tuple[WheelKey, ...]:
        """Return the wheels that were recorded, and that the registry has never heard of."""
        known = self.registry.filenames | self.registry.removed_filenames
        return tuple(sorted(wheel for wheel in self.records if wheel.filename not in known))

    def unrecorded(self) -> Iterator[tuple[str, PublishedWheel]]:
        """Yield the registered wheels of ours that have no record."""
        for name, wheel in self.registry.wheels():
            if is_ours(wheel) and WheelKey(name, wheel.filename) not in self.records:
                yield name, wheel

    def dead_links(self) -> set[str]:
        """Return the keys of logs and patches that the registry links to and that are not there."""
        return texts_linked(self.registry) - self.files.keys()

    def damaged_texts(self, store: Store) -> tuple[str, ...]:
        """Return the keys of logs and patches that have other bytes than their keys say; all of them are read."""

        def is_damaged(key: str) -> bool:
            stored = store.read(key)
            digest = layout.digest_of(key)
            return stored is not None and not sha256(stored.content).hexdigest().startswith(digest)

        keys = sorted(filter(layout.is_text, texts_linked(self.registry) & self.files.keys()))
        with ThreadPoolExecutor(store.streams) as pool:
            return tuple(
                key for key, damaged in zip(keys, pool.map(is_damaged, keys), strict=True) if damaged
            )

    def strays(self) -> Iterator[Listed]:
        """Yield the files of wheels that were never recorded, or that are deleted: uploads that were cut short."""
        published = {WheelKey(name, wheel.filename) for name, wheel in self.registry.wheels()}
        removed = {WheelKey(gone.project, gone.filename): gone for gone in self.registry.removed}
        for entry in self.files.values():
            wheel = wheel_of(entry.key)
            if wheel is None or wheel in published:
                continue
            gone = removed.get(wheel)
            if gone.state == "deleted" if gone else wheel not in self.records:
                yield entry


def compare(site: Site) -> Comparison:
    """Return what a store holds, while others may publish there.

    The registry is read first, then the records are listed and then the files, against the order in which a publish
    writes them: what the one names was in the next before. Raises StoreError, RegistryError.
    """
    store = site.store
    registry, instead = current_or_kept(store)
    records = {entry.key: wheel_of(entry.key) for entry in store.entries(layout.RECORDS)}
    files = {entry.key: entry for entry in store.entries(layout.FILES)}
    foreign = [key for key, wheel in records.items() if wheel is None]
    foreign += [key for key in files if wheel_of(key) is None and not layout.is_text(key)]
    foreign += [
        entry.key
        for entry in store.entries(layout.HISTORY)
        if layout.generation_of(entry.key) is None and not entry.key.startswith(f"{layout.HISTORY}damaged-")
    ]
    recorded = frozenset(wheel for wheel in records.values() if wheel is not None)
    why = ""
    if instead is not None:
        copy = _copy_of(site, newest=instead.generation, recorded=recorded)
        if copy is not None:
            registry = instead = copy
            why = f"{site.paths.registry}, the copy of generation {copy.generation}"
        elif instead.generation:
            why = "the newest generation in the history that can be read"
        else:
            why = "the records"
    return Comparison(
        registry=registry, instead=instead, why=why, records=recorded, files=files, foreign=tuple(foreign)
    )


def read_record(store: Store, wheel: WheelKey) -> Registry:
    """Return a wheel's record, a registry of that wheel alone. Raises RegistryError for one that is not valid."""
    key = layout.record_key(*wheel)
    where = f"{store.place}/{key}"
    stored = store.read(key)
    if stored is None:
        raise RegistryError(f"{where}: it was deleted just now")
    record = loads(stored.content, where=where)
    if [WheelKey(name, each.filename) for name, each in record.wheels()] != [wheel]:
        raise RegistryError(f"{where}: not the record of this wheel")
    return record


def _copy_of(site: Site, *, newest: int, recorded: frozenset[WheelKey]) -> Registry | None:
    """Return the checkout's copy of the registry, if it is of this store and not older than what is kept there.

    It is where each of its wheels was recorded here (another store's has others), or where it has none, none was
    recorded, and there was a registry. A copy that is damaged is none.
    """
    if is_own(site):
        return None
    try:
        copy = load(site.paths.registry)
    except RegistryError:
        return None
    wheels = {WheelKey(name, wheel.filename) for name, wheel in copy.wheels() if is_ours(wheel)}
    ours = wheels <= recorded if wheels else not recorded and had_registry(site.store)
    return copy if ours and copy.generation >= newest else None


def put_back(paths: Paths, store: Store, each: Faulty, fault: Fault, *, dry_run: bool) -> str | None:
    """Put one file of a wheel back and say from where; None where it is not to be had with the bytes that it had.

    A ``.metadata`` is replaced in one step. A damaged wheel is deleted first, for it would be refused in any case.
    """
    built = paths.wheels / each.wheel.filename
    is_built = built.is_file() and sha256_of(built) == each.wheel.sha256
    if fault.key == each.wheel.url and is_built:
        if not dry_run:
            if fault.what != MISSING:
                store.delete(fault.key)
            store.create(fault.key, built, sha256=each.wheel.sha256)
        return str(built)
    if fault.key == metadata_key(each.project, each.wheel.filename):
        metadata = _metadata(store, each, built if is_built else None)
        if metadata is not None:
            if not dry_run:
                stored = store.read(fault.key)
                store.replace(fault.key, metadata, expected=stored.version if stored else None)
            return "the wheel"
    return None


def _metadata(store: Store, each: Faulty, built: Path | None) -> bytes | None:
    """Return a wheel's METADATA, out of the wheel; None where that is not to be had, or has another."""
    if built is None and any(fault.key == each.wheel.url for fault in each.faults):
        return None
    try:
        with built.open("rb") if built else store.open(each.wheel.url) as file:
            metadata = Wheel(file).text("METADATA")
    except BadBinary:
        return None
    return metadata if sha256(metadata).hexdigest() == each.wheel.metadata_sha256 else None
