"""Upkeep of a store: prune old versions, heal what a crash left, clean up what nobody needs."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from workbench.errors import UsageError
from workbench.index.channel import channel_of
from workbench.publish.changes import KEPT_DAYS, Change, delete_due, due, remove
from workbench.publish.history import last_kept
from workbench.publish.pages import copy_registry, draw_pages
from workbench.publish.plan import record_of
from workbench.publish.registry import amend, current
from workbench.registry.file import load, loads
from workbench.registry.filename import label, parse_wheel
from workbench.store.layout import FILES, RECORDS, file_key, metadata_key, record_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from workbench.registry.model import PublishedWheel, Registry
    from workbench.site import Site
    from workbench.store.protocol import Entry, Store

_BESIDE = re.compile(r"(?<=\.whl)\.(metadata|provenance|[0-9a-f]{12}\.log)$")
"""What the files beside a wheel have behind its name."""

CLEANED_DAYS = 7
"""How old a leftover must be: an upload that is under way is younger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Healed:
    """What a reconciliation did, and what it could not mend, each with what to do about it."""

    done: tuple[str, ...]
    problems: tuple[str, ...]
    generation: int

    def lines(self) -> tuple[str, ...]:
        """Return what was done, as a person reads it."""
        return (*self.done, *self.problems) or ("registry, pages and files agree",)

    def as_dict(self) -> dict[str, Any]:
        """Return the plain form, for JSON."""
        return {"done": list(self.done), "problems": list(self.problems), "generation": self.generation}


def prune(
    site: Site,
    store: Store,
    *,
    keep: int,
    after_days: int = KEPT_DAYS,
    apply: bool = False,
    now: datetime | None = None,
) -> Change:
    """Remove all but the newest `keep` versions for each package and target; only say so without `apply`.

    Raises UsageError for a `keep` that would empty a cell.
    """
    filenames = [wheel.filename for wheel in superseded(current(store), keep=keep)]
    return remove(site, store, filenames, after_days=after_days, dry_run=not apply, now=now)


def superseded(registry: Registry, *, keep: int) -> tuple[PublishedWheel, ...]:
    """Return the wheels that `keep` newer ones of the same package and target stand before. Pure.

    A target is what an installer, or a person who chooses a channel, tells wheels apart by: Python, ABI, platform,
    channel, and the variant, be it the recipe's or in the filename's label. A yanked wheel is older than any that is
    not. Raises UsageError for a `keep` below 1.
    """
    if keep < 1:
        raise UsageError(f"--keep {keep}: the newest wheel for a target is never pruned; keep 1 or more")
    cells: dict[object, list[tuple[object, PublishedWheel]]] = {}
    for name, wheel in registry.wheels():
        _, version, build, tags = parse_wheel(wheel.filename)
        variant = wheel.build.variant if wheel.build else None
        target = (name, tags, channel_of(wheel.filename), variant, label(wheel.filename))
        age = (wheel.yanked is None, version, build)
        cells.setdefault(target, []).append((age, wheel))
    found = []
    for wheels in cells.values():
        newest_first = sorted(wheels, key=lambda pair: pair[0], reverse=True)  # type: ignore[arg-type,return-value]
        found += [wheel for _, wheel in newest_first[keep:]]
    return tuple(sorted(found, key=lambda wheel: wheel.filename))


def reconcile(site: Site, store: Store, *, now: datetime | None = None) -> Healed:
    """Bring registry, pages and files into agreement after whatever ended a publisher, and say what that took.

    A wheel that was recorded and not registered is registered: its files are whole, for the record is the
    last of them. A registry that is lost is made anew from the newest one that is kept and the records.
    Deletions that were begun are ended. A file that a page links to and that is missing is put back from
    ``wheels/``, if it is there.
    """
    now = now or datetime.now(UTC)
    store.prepare()
    entries = {entry.key: entry for entry in store.entries(FILES)}
    records = {entry.key: entry for entry in store.entries(RECORDS)}
    before = current(store)
    known = {wheel.filename for _, wheel in before.wheels()} | {gone.filename for gone in before.removed}
    unregistered = [key for key in records if _filename(key) not in known]
    done: list[str] = []
    if unregistered or not before.generation:
        done += _register(site, store, [_read_record(store, key) for key in unregistered])
    begun = [gone for gone in current(store).removed if gone.state == "deleting"]
    if begun:
        delete_due(store, now=now)
        done += [f"ended the deletion of {gone.filename}" for gone in begun]
    registry = current(store)
    for name, wheel in registry.wheels():
        if wheel.url.startswith(FILES) and record_key(name, wheel.filename) not in records:
            content = record_of(name, registry.packages[name], wheel)
            store.create(
                record_key(name, wheel.filename), content, sha256=hashlib.sha256(content).hexdigest()
            )
            done.append(f"recorded {wheel.filename}")
    mended, problems = _files(site, store, registry, entries)
    drawn = draw_pages(site, store, afresh=True)
    if drawn.written or drawn.removed:
        done.append(f"drew {drawn.written} pages, removed {drawn.removed}")
    return Healed(done=(*done, *mended), problems=tuple(problems), generation=registry.generation)


def clean(
    site: Site,
    store: Store,
    *,
    older_days: int = CLEANED_DAYS,
    apply: bool = False,
    now: datetime | None = None,
) -> Change:
    """Remove what killed publishers left and the files of removed wheels whose time has come.

    Only says so without `apply`. What is younger than `older_days` may belong to a publisher at work, and
    stays.
    """
    now = now or datetime.now(UTC)
    before = now - timedelta(days=older_days)
    registry = current(store)
    leftovers = [leftover for leftover in store.leftovers() if leftover.modified <= before]
    strays = [entry for entry in _strays(store, registry) if entry.modified <= before]
    chosen = due(registry, now=now)
    done = (
        *(f"remove {leftover.what} {leftover.key}" for leftover in leftovers),
        *(f"delete {entry.key}, which was never published" for entry in strays),
        *(
            f"delete {file_key(gone.project, gone.filename)}, removed on {gone.removed[:10]}"
            for gone in chosen
        ),
    )
    if not apply or not done:
        return Change(done=done, generation=registry.generation, dry_run=not apply)
    for leftover in leftovers:
        store.discard(leftover)
    for entry in strays:
        store.delete(entry.key)
    # the remover may have been killed before it drew: no page may link to what goes now
    draw_pages(site, store)
    _, generation = delete_due(store, now=now)
    copy_registry(site, store)
    return Change(done=done, generation=generation)


def _register(site: Site, store: Store, records: list[Registry]) -> list[str]:
    """Register recorded wheels, into the newest registry there is if the store's own is lost."""
    kept = max((load(site.registry), last_kept(store)), key=lambda registry: registry.generation)
    done: list[str] = []

    def change(registry: Registry) -> Registry:
        done.clear()
        if not registry.generation and kept.generation:
            done.append(f"restored the registry from generation {kept.generation}")
            registry = kept
        known = {wheel.filename for _, wheel in registry.wheels()} | {
            gone.filename for gone in registry.removed
        }
        for record in records:
            ((name, wheel),) = record.wheels()
            if wheel.filename in known:
                continue
            if name not in registry.packages:
                registry = registry.with_package(name, replace(record.packages[name], wheels=()))
            registry = registry.with_wheel(name, wheel)
            done.append(f"registered {wheel.filename}")
        return registry

    amend(store, change, "reconcile", may_shrink=True)
    return done


def _files(
    site: Site, store: Store, registry: Registry, entries: Mapping[str, Entry]
) -> tuple[list[str], list[str]]:
    """Put back missing files where ``wheels/`` has them; return what was done, and what is still wrong."""
    done, problems = [], []
    for name, wheel in registry.wheels():
        if not wheel.url.startswith(FILES):
            continue
        entry = entries.get(wheel.url)
        built = site.wheels / wheel.filename
        if entry is None and built.is_file() and _sha256(built) == wheel.sha256:
            store.create(wheel.url, built, sha256=wheel.sha256)
            done.append(f"put {wheel.url} back from {built}")
        elif entry is None:
            problems.append(
                f"{wheel.url} is registered and missing: publish the same file again ('invoke upload'), or "
                f"take it off the index: 'invoke remove {wheel.filename}'"
            )
        elif entry.size != wheel.size:
            problems.append(
                f"{wheel.url} is {entry.size} bytes long and registered with {wheel.size}: somebody wrote "
                f"over it. 'invoke remove {wheel.filename}', and publish it under another version"
            )
        if wheel.metadata_sha256 and metadata_key(name, wheel.filename) not in entries:
            problems.append(
                f"{metadata_key(name, wheel.filename)} is missing: 'invoke upload' of the same wheel puts it "
                "back"
            )
    problems += [
        f"{entry.key} is no published file: an upload was cut short. Publish it again, or let 'invoke "
        "store-clean --apply' delete it in time"
        for entry in _strays(store, registry, entries)
    ]
    return done, problems


def _strays(store: Store, registry: Registry, entries: Mapping[str, Entry] | None = None) -> Iterator[Entry]:
    """Yield the files that belong to no wheel that is, or ever was, published."""
    recorded = {entry.key.removeprefix(RECORDS).removesuffix(".json") for entry in store.entries(RECORDS)}
    recorded |= {f"{name}/{wheel.filename}" for name, wheel in registry.wheels()}
    logs = {each.log for package in registry.packages.values() for each in package.unavailable}
    for entry in entries.values() if entries is not None else store.entries(FILES):
        wheel = _BESIDE.sub("", entry.key.removeprefix(FILES))
        # a patch may be any wheel's, also of one that a rollback brings back
        if wheel not in recorded and entry.key not in logs and not entry.key.endswith(".patch"):
            yield entry


def _read_record(store: Store, key: str) -> Registry:
    stored = store.read(key)
    if stored is None:  # records are never deleted; only a hand in the store does that
        raise UsageError(f"{store.place}/{key} was deleted just now: run 'invoke reconcile' again")
    return loads(stored.content, where=f"{store.place}/{key}")


def _filename(record: str) -> str:
    return record.rpartition("/")[2].removesuffix(".json")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
