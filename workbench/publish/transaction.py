"""Publishing: verified wheels into store, registry and pages, in an order that a crash cannot break."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import FilenameTaken, StoreError
from workbench.events import note, step
from workbench.files import Identity
from workbench.publish.amend import FilesMissing, amend, current, refuse_a_store_behind
from workbench.publish.drawing import draw_pages
from workbench.publish.publication import Holdings, decide, merge
from workbench.publish.wheel_files import is_ours, look
from workbench.publish.withdraw import delete
from workbench.registry.file import loads
from workbench.registry.model import Removal
from workbench.store.layout import RECORDS, WheelKey, file_key, record_key, url, wheel_of
from workbench.text import counted, timestamp

if TYPE_CHECKING:
    from workbench.index.tree import Drawn
    from workbench.publish.publication import Candidate, PlannedWheel, Publication, Write
    from workbench.registry.model import Registry
    from workbench.store.opening import Site
    from workbench.store.protocol import Progress, Store

ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a publish did, or would have done.

    `generation` is the store's generation afterwards. `drawn` is None after a dry run. `urls` are where the
    wheels of the plan lie, in its order: relative to the store's root where the site has no public URL.
    """

    plan: Publication
    generation: int
    drawn: Drawn | None
    urls: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """Return what was done, as a person reads it."""
        if self.drawn is None or self.plan.is_done:
            return self.plan.lines()
        new = sum(1 for planned in self.plan.wheels if not planned.registered)
        return (f"published {counted(new, 'wheel')} in {self.plan.place}: generation {self.generation}",)

    def as_dict(self) -> dict[str, Any]:
        """Return the plain form, for JSON."""
        return {
            "store": self.plan.place,
            "generation": self.plan.generation,
            "done": self.plan.is_done,
            "wheels": [
                {
                    "filename": planned.wheel.filename,
                    "project": planned.candidate.project,
                    "sha256": planned.wheel.sha256,
                    "registered": planned.registered,
                    "create": [write.key for write in planned.writes],
                }
                for planned in self.plan.wheels
            ],
            "dry_run": self.drawn is None,
            "generation_after": self.generation,
            "urls": dict(zip((p.wheel.filename for p in self.plan.wheels), self.urls, strict=True)),
            "pages_written": self.drawn.written if self.drawn else 0,
        }


def publish(
    site: Site,
    candidates: Sequence[Candidate],
    *,
    dry_run: bool = False,
    may_shrink: bool = False,
    deep: bool = False,
) -> Published:
    """Publish verified wheels; what is published already is left alone, what was cut short is completed.

    Every file is looked at again just before the registry names it; `deep` reads back what was written.
    Raises FilenameTaken for a filename that is published with other bytes, RegistryError where wheels would
    vanish from the index, StoreError for a store that fails or does not keep what it was given.
    """
    store, public_url = site.store, site.settings.public_url
    plan, registry = _plan(site, candidates)
    attested = [each for each in plan.wheels if each.candidate.provenance]
    if attested and not (public_url or "").startswith("https://"):
        note("· no page links to attestations: public_url is not https, as PEP 740 wants it")
    elif late := [each.wheel.filename for each in attested if each.wheel.provenance is None]:
        note(f"· published before it was attested, and stays without that: {', '.join(late)}")
    generation = plan.generation
    drawn = None
    if not plan.is_done and not may_shrink:
        refuse_a_store_behind(site, registry)
    if not dry_run:
        if not plan.is_done:
            store.prepare()
            plan, amended = _carry_out(site, plan, may_shrink=may_shrink, deep=deep)
            generation = amended.generation
        drawn = draw_pages(site)
    urls = tuple(
        url(public_url, planned.wheel.url) if public_url and is_ours(planned.wheel) else planned.wheel.url
        for planned in plan.wheels
    )
    return Published(plan=plan, generation=generation, drawn=drawn, urls=urls)


def _plan(site: Site, candidates: Sequence[Candidate]) -> tuple[Publication, Registry]:
    """Return what publishing these wheels would do, and the registry that this is planned for.

    The store is asked for its registry, for a listing for each project, and for the records of wheels that are there,
    or were, and are not registered.
    """
    store = site.store
    wheels = [WheelKey(each.project, each.wheel.filename) for each in candidates]
    texts = [key for each in candidates for key in each.texts]
    with ThreadPoolExecutor(store.streams) as pool:
        reading = pool.submit(current, store)
        entries = look(store, [*(file_key(*wheel) for wheel in wheels), *texts])
        registry = reading.result()
    records = {}
    removed = registry.removed_filenames
    for wheel in wheels:
        was_there = file_key(*wheel) in entries or wheel.filename in removed
        key = record_key(*wheel)
        if was_there and registry.find(wheel.filename) is None and (stored := store.read(key)):
            records[key] = loads(stored.content, where=f"{store.place}/{key}")
    found = Holdings(registry=registry, entries=entries, records=records)
    return decide(candidates, found, place=store.place, public_url=site.settings.public_url), registry


def _carry_out(
    site: Site, plan: Publication, *, may_shrink: bool, deep: bool
) -> tuple[Publication, Registry]:
    """Write the files of a plan and register its wheels; return what came of it.

    Files may be gone when the registry is to name them: others deleted removed wheels. Then it is planned again.
    """
    store = site.store
    for _ in range(ATTEMPTS):
        plan = _write_files(store, plan, deep=deep)
        names = ", ".join(planned.wheel.filename for planned in plan.wheels if not planned.registered)
        what = f"publish {names}" if names else "put files back"
        change = partial(merge, plan=plan)
        try:
            return plan, amend(store, change, what, may_shrink=may_shrink)
        except FilesMissing as error:
            missing = error
        plan, _registry = _plan(site, [planned.candidate for planned in plan.wheels])
    raise StoreError(
        f"{store.place}: {missing.missing}, just after it was written: this store does not keep what it is given, or "
        "others delete there. Nothing was registered"
    ) from missing


def _write_files(store: Store, plan: Publication, *, deep: bool) -> Publication:
    """Write the files of a plan, and then the records; return the plan with the entries as the records have them.

    All files come before the first record, so what is recorded is whole, and a wheel that is refused keeps all out.
    """
    writes = (write for planned in plan.wheels for write in planned.writes)
    files = [write for write in writes if not write.key.startswith(RECORDS)]
    for write in files:
        _refuse_changed(write)
    count = len(plan.wheels)
    named = f"{count} wheels" if count > 1 else plan.wheels[0].wheel.filename
    ours = any(is_ours(planned.wheel) for planned in plan.wheels)
    with (
        step(f"upload {'' if ours else 'what proves '}{named}", total=plan.size) as moved,
        ThreadPoolExecutor(store.streams) as pool,
    ):
        try:
            list(pool.map(lambda write: _write_file(store, write, moved, deep=deep), files))
            recorded = pool.map(lambda planned: _record(store, planned, moved), plan.wheels)
            return replace(plan, wheels=tuple(recorded))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _write_file(store: Store, write: Write, moved: Progress, *, deep: bool) -> None:
    """Write one file, and see that it is the one that was verified, still.

    Only some stores compare the sha256 that they are sent with what they are sent. So the file's identity tells, before
    all files and after each, that what went up is what was hashed; nothing is read once more for that.
    """
    created = store.create(write.key, write.content, sha256=write.sha256, moved=moved, look=write.listed)
    try:
        _refuse_changed(write)
    except StoreError:
        if created:
            delete(store, lambda registry: _unrecorded(registry, write.key))
        raise
    if not deep:
        return  # it is looked at before the registry names it
    problem = store.check(write.key, sha256=write.sha256, size=write.size)
    if problem:
        raise StoreError(
            f"{store.place}/{write.key} {problem}, just after it was written: this store does not keep "
            "what it is given; the registry does not name the file"
        )


def _unrecorded(registry: Registry, key: str) -> tuple[Removal, ...]:
    """Return how the registry is told that the wheel at a key is deleted; `delete` spares one that is published."""
    wheel = wheel_of(key)
    if wheel is None:
        return ()
    known = (gone for gone in registry.removed if gone.filename == wheel.filename)
    now = timestamp(datetime.now(UTC))
    never = Removal(project=wheel.project, filename=wheel.filename, sha256="", removed=now)
    return (next(known, never),)


def _refuse_changed(write: Write) -> None:
    path = write.content
    if isinstance(path, Path) and write.identity is not None and Identity.of(path) != write.identity:
        raise StoreError(f"{path} changed after it was verified: verify it again")


def _record(store: Store, planned: PlannedWheel, moved: Progress) -> PlannedWheel:
    """Write a wheel's record; return the wheel with the entry that is recorded, which may be another publisher's."""
    for write in (write for write in planned.writes if write.key.startswith(RECORDS)):
        try:
            store.create(write.key, write.content, sha256=write.sha256, moved=moved)
        except FilenameTaken:
            record = store.read(write.key)
            if record is None:
                raise
            # recorded since the plan was made: its entry is the one that stays
            _, wheel = next(loads(record.content, where=f"{store.place}/{write.key}").wheels())
            if wheel.sha256 != planned.wheel.sha256:
                raise
            return replace(planned, wheel=wheel)
    return planned
