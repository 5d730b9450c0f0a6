"""``reconcile``: registry, records, files and pages of a store brought into agreement, whatever ended a publisher."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workbench.care.compare import Faulty, compare, put_back, read_record
from workbench.errors import RegistryError
from workbench.paths import PROGRAM
from workbench.publish.amend import amend, current, refuse_a_lost_registry, refuse_to_forget
from workbench.publish.drawing import differing_pages, draw_pages
from workbench.publish.publication import record_of
from workbench.publish.wheel_files import faults, is_ours, linked, texts_linked, unlinked, without_links
from workbench.publish.withdraw import delete, remembering
from workbench.registry.model import Removal
from workbench.store.layout import record_key
from workbench.text import timestamp

if TYPE_CHECKING:
    from workbench.care.compare import Comparison
    from workbench.registry.model import Package, PublishedWheel, Registry
    from workbench.store.opening import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Healed:
    """What a reconciliation did, or would have done.

    `problems` are what it could not mend, each with what to do about it; `notes` tell of uploads that were cut short or
    are under way, and of files that are not the workbench's.
    """

    done: tuple[str, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    generation: int
    dry_run: bool = False

    def lines(self) -> tuple[str, ...]:
        """Return what was done, as a person reads it."""
        done = tuple(f"would {line}" for line in self.done) if self.dry_run else self.done
        return (*done, *self.problems, *self.notes) or ("registry, pages and files agree",)


def reconcile(
    site: Site, *, deep: bool = False, dry_run: bool = False, now: datetime | None = None
) -> Healed:
    """Bring registry, records, files and pages into agreement, and say what that took.

    In this order, so that whatever ends it leaves no more to mend than there was: files that are missing or damaged
    are put back, from ``wheels/`` or from the wheel itself; wheels that were recorded and not registered are
    registered, and a registry that is lost or damaged is made anew; missing records are written; the pages are drawn;
    deletions that were begun are ended. Nothing is registered or recorded whose files are not there, whole. `deep`
    reads every published byte to find what is damaged; `dry_run` only says what would be done.

    Raises StoreError; RegistryError for a registry of another version, or a checkout's copy of another store.
    """
    if not dry_run:
        site.store.prepare()
    found = compare(site)
    if found.instead is None:
        recorded = {wheel.filename for wheel in found.records}
        refuse_to_forget(site, found.registry, recorded=recorded)
    when = timestamp(now or datetime.now(UTC))
    healing = _Healing(site=site, found=found, now=when, dry_run=dry_run, registry=found.registry)
    healing.put_files_back(deep=deep)
    for key in found.damaged_texts(site.store) if deep else ():
        problem = f"{key} has other bytes than its name says: delete it; a publish of its wheel puts it back"
        healing.problems.append(problem)
    healing.register()
    healing.write_records()
    healing.draw()
    healing.end_deletions()
    return healing.healed()


@dataclass(slots=True, kw_only=True)
class _Healing:
    """A reconciliation under way: its steps, in their order, and what came of them."""

    site: Site
    found: Comparison
    now: str
    dry_run: bool
    registry: Registry
    records: list[Registry] = field(default_factory=list)
    broken: dict[str, Faulty] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def put_files_back(self, *, deep: bool) -> None:
        faulty = list(self.found.faulty(self.site.store, deep=deep))
        for wheel in self.found.unregistered():
            try:
                record = read_record(self.site.store, wheel)
            except RegistryError as error:
                self.problems.append(f"{error}: delete it, and publish that wheel again")
                continue
            self.records.append(record)
            ((name, entry),) = record.wheels()
            if found := tuple(faults(name, entry, self.found.files)):
                faulty.append(Faulty(name, entry, found))
        if not faulty:
            return
        # what was removed since is gone on purpose
        removed = frozenset() if self.found.instead else current(self.site.store).removed_filenames
        for each in faulty:
            if each.wheel.filename in removed:
                continue
            left = []
            for fault in each.faults:
                source = put_back(self.site.paths, self.site.store, each, fault, dry_run=self.dry_run)
                if source is None:
                    left.append(fault)
                else:
                    self.done.append(f"put {fault.key} back from {source}")
            if left:
                self.broken[each.wheel.filename] = each._replace(faults=tuple(left))

    def register(self) -> None:
        """Register what was recorded, and make a lost registry anew; what has no file is not named."""
        done: list[str] = []

        def change(registry: Registry) -> Registry:
            done.clear()
            if self.found.instead is not None:
                registry = self._without_broken(registry)
            dead = self.found.dead_links() & texts_linked(registry)
            done.extend(f"drop the link to {key}, which is gone" for key in sorted(dead))
            registry = without_links(registry, dead)
            known = registry.filenames | registry.removed_filenames
            for record in self.records:
                ((name, wheel),) = record.wheels()
                if wheel.filename not in known:
                    registry = self._with_recorded(registry, name, record.packages[name], done)
            return registry

        if self.dry_run:
            self.registry = change(self.registry)
        else:
            instead = self.found.instead
            self.registry = amend(self.site.store, change, "reconcile", may_shrink=True, instead=instead)
        if self.found.instead is not None and self.registry.generation:
            done.insert(0, f"make the registry anew from {self.found.why}")
        self.done += done

    def _with_recorded(self, registry: Registry, name: str, recorded: Package, done: list[str]) -> Registry:
        (wheel,) = recorded.wheels
        if wheel.filename not in self.broken:
            if name not in registry.packages:
                registry = registry.with_package(name, replace(recorded, wheels=()))
            wheel = unlinked(wheel, set(linked(wheel)) - self.found.files.keys())
            registry = registry.with_wheel(name, wheel)
            done.append(f"register {wheel.filename}")
            return registry.with_package(name, registry.packages[name].filled())
        if self._is_gone(wheel):
            done.append(f"note that {wheel.filename}, which was recorded, is deleted")
            return remembering(registry, [self._deleted(name, wheel)])
        return registry

    def _without_broken(self, registry: Registry) -> Registry:
        gone = []
        for each in self.broken.values():
            if registry.find(each.wheel.filename):
                registry = registry.without_wheel(each.project, each.wheel.filename)
                gone += [self._deleted(each.project, each.wheel)] if self._is_gone(each.wheel) else []
        return remembering(registry, gone)

    def _is_gone(self, wheel: PublishedWheel) -> bool:
        return is_ours(wheel) and wheel.url not in self.found.files

    def _deleted(self, name: str, wheel: PublishedWheel) -> Removal:
        """Return what is remembered of a wheel whose file is gone: it comes back only with the bytes that it had."""
        return Removal(
            project=name, filename=wheel.filename, sha256=wheel.sha256, removed=self.now, state="deleted"
        )

    def write_records(self) -> None:
        for name, wheel in self.found.unrecorded():
            found = self.registry.find(wheel.filename)
            if wheel.filename in self.broken or found is None:
                continue
            content = record_of(name, self.registry.packages[name], found[1])
            sha256 = hashlib.sha256(content).hexdigest()
            key = record_key(name, wheel.filename)
            if self.dry_run or self.site.store.create(key, content, sha256=sha256):
                self.done.append(f"record {wheel.filename}")

    def draw(self) -> None:
        try:
            refuse_a_lost_registry(self.site.store, self.registry)
        except RegistryError:
            # what is not known is not taken off the index
            self.problems.append(
                f"{self.site.store.place}: packages.json is gone, and nothing is there to make it anew from: put back "
                f"a copy of it, or publish again with '{PROGRAM} upload --allow-shrink'"
            )
            return
        if not self.dry_run:
            drawn = draw_pages(self.site, afresh=True)
            if drawn.written or drawn.removed:
                self.done.append(f"draw {drawn.written} pages, remove {drawn.removed}")
        elif self.registry != self.found.registry or self.found.instead is not None:
            self.done.append("draw the pages")
        elif pages := differing_pages(self.site.settings, self.site.store):
            self.done.append(f"draw or remove {len(pages)} pages")

    def end_deletions(self) -> None:
        """End what a killed process began; no page links to it any more."""
        registry = self.registry if self.dry_run else current(self.site.store)
        begun = [gone for gone in registry.removed if gone.state == "deleting"]
        self.done += [f"end the deletion of {gone.filename}" for gone in begun]
        if begun and not self.dry_run:
            delete(self.site.store, lambda registry: [g for g in registry.removed if g.state == "deleting"])
            draw_pages(self.site)

    def healed(self) -> Healed:
        registry = self.registry if self.dry_run else current(self.site.store)
        problems = [*self.problems, *(self._problem(each, registry) for each in self.broken.values())]
        notes = [
            f"{entry.key} is of no published wheel: its upload was cut short or is under way. '{PROGRAM} store.clean "
            "--apply' deletes it once it is a week old"
            for entry in self.found.strays()
        ]
        notes += [f"{key} is none of the workbench's files and stays" for key in self.found.foreign]
        return Healed(
            done=tuple(self.done),
            problems=tuple(filter(None, problems)),
            notes=tuple(notes),
            generation=registry.generation,
            dry_run=self.dry_run,
        )

    def _problem(self, each: Faulty, registry: Registry) -> str:
        """Return what is wrong with a wheel and what to do about it; nothing for one that need not be whole."""
        filename = each.wheel.filename
        what = "; ".join(map(str, each.faults))
        if registry.find(filename) is None:
            was_registered = self.found.registry.find(filename) is not None
            # it was removed since, or it is noted as deleted
            is_told = self.found.instead is None if was_registered else self._is_gone(each.wheel)
            return "" if is_told else f"{what}, so {filename} is not registered: publish it again"
        if all(fault.key != each.wheel.url for fault in each.faults):
            return f"{what}: '{PROGRAM} upload' of the same wheel puts it back"
        if self._is_gone(each.wheel):
            return (
                f"{what}: publish the same file again ('{PROGRAM} upload'), or '{PROGRAM} remove {filename}'"
            )
        return (
            f"{what}: put the wheel that was published into wheels/ and run '{PROGRAM} store.reconcile --deep', or "
            f"take it off ('{PROGRAM} remove {filename} --after 0') and publish another version"
        )
