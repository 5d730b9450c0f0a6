"""Publishing: verified wheels into store, registry and pages, in an order that a crash cannot break."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench import console
from workbench.errors import FilenameTaken, StoreError
from workbench.publish.pages import draw_pages
from workbench.publish.plan import Found, decide, merge
from workbench.publish.registry import amend, current, refuse_a_store_behind
from workbench.registry.file import loads
from workbench.store.layout import FILES, RECORDS, file_key, record_key, url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workbench.index.folder import Drawn
    from workbench.publish.plan import Candidate, Plan, PlannedWheel
    from workbench.site import Site
    from workbench.store.protocol import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a publish did, or would have done.

    `generation` is the store's generation afterwards. `drawn` is None after a dry run. `urls` are where the
    wheels of the plan lie, in its order: relative to the store's root where the site has no public URL.
    """

    plan: Plan
    generation: int
    drawn: Drawn | None
    urls: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """Return what was done, as a person reads it."""
        if self.drawn is None or self.plan.is_done:
            return self.plan.lines()
        new = sum(1 for planned in self.plan.wheels if not planned.registered)
        wheels = "wheel" if new == 1 else "wheels"
        return (f"published {new} {wheels} in {self.plan.place}: generation {self.generation}",)

    def as_dict(self) -> dict[str, Any]:
        """Return the plain form, for JSON."""
        return {
            **self.plan.as_dict(),
            "dry_run": self.drawn is None,
            "generation_after": self.generation,
            "urls": dict(zip((p.wheel.filename for p in self.plan.wheels), self.urls, strict=True)),
            "pages_written": self.drawn.written if self.drawn else 0,
        }


def publish(
    site: Site,
    store: Store,
    candidates: Sequence[Candidate],
    *,
    dry_run: bool = False,
    may_shrink: bool = False,
    deep: bool = False,
) -> Published:
    """Publish verified wheels; what is published already is left alone, what was cut short is completed.

    Every file that was written is looked at again before the registry names it; `deep` reads it back whole.

    Raises FilenameTaken for a filename that is published with other bytes, RegistryError where wheels would
    vanish from the index, StoreError for a store that fails or does not keep what it was given.
    """
    plan = plan_publish(site, store, candidates)
    generation = plan.generation
    drawn = None
    if not dry_run:
        if not plan.is_done:
            store.prepare()
            if not may_shrink:
                refuse_a_store_behind(site, store, current(store))
            plan = _write_files(store, plan, deep=deep)
            names = ", ".join(planned.wheel.filename for planned in plan.wheels if not planned.registered)
            amended = amend(
                store, lambda registry: merge(registry, plan), f"publish {names}", may_shrink=may_shrink
            )
            generation = amended.after.generation
        drawn = draw_pages(site, store)
    public_url = site.settings.public_url
    paths = (planned.wheel.url for planned in plan.wheels)
    urls = tuple(url(public_url.rstrip("/"), path) if public_url else path for path in paths)
    return Published(plan=plan, generation=generation, drawn=drawn, urls=urls)


def plan_publish(site: Site, store: Store, candidates: Sequence[Candidate]) -> Plan:
    """Return what publishing these wheels would do. Nothing is changed.

    A store is asked for its registry, for a listing for each project, and for the records of wheels that are there
    and not registered. Raises as `publish` does.
    """
    projects = sorted({candidate.project for candidate in candidates})
    with ThreadPoolExecutor(store.streams) as pool:
        reading = pool.submit(current, store)
        listings = pool.map(lambda project: list(store.entries(f"{FILES}{project}/")), projects)
        entries = {entry.key: entry for listing in listings for entry in listing}
        registry = reading.result()
    records = {}
    for candidate in candidates:
        filename = candidate.wheel.filename
        if file_key(candidate.project, filename) in entries and registry.find(filename) is None:
            key = record_key(candidate.project, filename)
            stored = store.read(key)
            if stored is not None:
                records[key] = loads(stored.content, where=f"{store.place}/{key}")
    found = Found(registry=registry, entries=entries, records=records)
    return decide(candidates, found, place=store.place, public_url=site.settings.public_url)


def _write_files(store: Store, plan: Plan, *, deep: bool) -> Plan:
    """Write the files of a plan; return the plan with the registry entries as the records have them."""
    count = len(plan.wheels)
    title = f"upload {count} wheels" if count > 1 else f"upload {plan.wheels[0].wheel.filename}"
    with console.progress(title, plan.size) as moved, ThreadPoolExecutor(store.streams) as pool:
        jobs = [pool.submit(_write_wheel, store, planned, moved, deep=deep) for planned in plan.wheels]
        try:
            return replace(plan, wheels=tuple(job.result() for job in jobs))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _write_wheel(
    store: Store, planned: PlannedWheel, moved: Callable[[int], None], *, deep: bool
) -> PlannedWheel:
    """Write one wheel's files in their order, the record last, and look at each again."""
    for write in planned.writes:
        try:
            store.create(write.key, write.content, sha256=write.sha256, moved=moved)
        except FilenameTaken:
            record = store.read(write.key) if write.key.startswith(RECORDS) else None
            if record is None:
                raise
            # another publisher recorded the same wheel since the plan was made: its entry is the one that
            # stays
            _, wheel = next(loads(record.content, where=f"{store.place}/{write.key}").wheels())
            if wheel.sha256 != planned.wheel.sha256:
                raise
            return replace(planned, wheel=wheel)
        if not deep and write.content is not planned.candidate.path:
            continue  # small, and checked by the store as it came
        problem = store.check(write.key, sha256=write.sha256, size=write.size, deep=deep)
        if problem:
            raise StoreError(
                f"{store.place}/{write.key} {problem}, just after it was written: this store does not keep "
                "what it is given; the registry does not name the file"
            )
    return planned
