"""The generations of a store: what they were, and the way back to one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from workbench.errors import UsageError
from workbench.publish.changes import Change, without
from workbench.publish.pages import draw_pages
from workbench.publish.registry import amend, current, timestamp
from workbench.registry.file import loads
from workbench.registry.model import Registry
from workbench.store.layout import FILES, HISTORY, history_key

if TYPE_CHECKING:
    from workbench.site import Site
    from workbench.store.protocol import Store

SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One state of the registry: its number, when it was made (UTC, RFC 3339), by what, with how many wheels."""

    number: int
    updated: str | None
    change: str
    wheels: int
    is_current: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the plain form, for JSON."""
        return {
            "generation": self.number,
            "updated": self.updated,
            "change": self.change,
            "wheels": self.wheels,
            "current": self.is_current,
        }


def history(store: Store, *, limit: int = SHOWN) -> tuple[Generation, ...]:
    """Return the last generations, the current one first."""
    now = current(store)
    numbers = sorted((_number(entry.key) for entry in store.entries(HISTORY)), reverse=True)
    # a publisher that was killed had kept the generation that it then did not replace
    older = [number for number in numbers if number < now.generation][: limit - 1]
    registries = [now, *(_kept(store, number) for number in older)]
    return tuple(
        Generation(
            number=registry.generation,
            updated=registry.updated,
            change=registry.change,
            wheels=sum(1 for _ in registry.wheels()),
            is_current=registry is now,
        )
        for registry in registries
    )


def rollback(site: Site, store: Store, generation: int, *, dry_run: bool = False) -> Change:
    """Publish what a generation published, no more and no less, in one step. No file is deleted.

    Wheels that came later leave the index and stay in the store. It makes a new generation, so a rollback can
    be rolled back.

    Raises UsageError for a generation that is not kept, or that had wheels whose files are deleted.
    """
    target = _kept(store, generation)
    there = {entry.key for entry in store.entries(FILES)}
    lost = [
        wheel.filename
        for _, wheel in target.wheels()
        if wheel.url.startswith(FILES) and wheel.url not in there
    ]
    if lost:
        raise UsageError(
            f"generation {generation} had {', '.join(lost)}, which is not in {store.place} any more: publish "
            "it again, or go back to a later generation"
        )
    now = timestamp(datetime.now(UTC))

    def change(registry: Registry) -> Registry:
        return restored(registry, target, removed=now)

    before = current(store)
    after = change(before)
    done = _differences(before, after)
    if dry_run or not done:
        return Change(done=done, generation=before.generation, dry_run=dry_run)
    store.prepare()
    amended = amend(store, change, f"rollback to generation {generation}", may_shrink=True)
    draw_pages(site, store)
    return Change(done=done, generation=amended.after.generation)


def last_kept(store: Store) -> Registry:
    """Return the newest registry in the history, as one that a lost registry would have followed."""
    numbers = [_number(entry.key) for entry in store.entries(HISTORY)]
    if not numbers:
        return Registry()
    kept = _kept(store, max(numbers))
    return replace(kept, generation=kept.generation + 1)


def restored(registry: Registry, target: Registry, *, removed: str) -> Registry:
    """Return `registry` with the projects and wheels of `target`. Pure."""
    back = {wheel.filename for _, wheel in target.wheels()}
    for name, wheel in tuple(registry.wheels()):
        if wheel.filename not in back:
            registry = without(registry, name, wheel, removed=removed, delete_after=None)
    still = tuple(gone for gone in registry.removed if gone.filename not in back)
    return replace(registry, packages=target.packages, removed=still)


def _kept(store: Store, generation: int) -> Registry:
    stored = store.read(history_key(generation))
    if stored is None:
        raise UsageError(
            f"{store.place} has no generation {generation} to go back to: 'invoke history' lists those it has"
        )
    return loads(stored.content, where=f"{store.place}/{history_key(generation)}")


def _number(key: str) -> int:
    return int(key.removeprefix(HISTORY).removesuffix(".json"))


def _differences(before: Registry, after: Registry) -> tuple[str, ...]:
    old = {wheel.filename: wheel for _, wheel in before.wheels()}
    new = {wheel.filename: wheel for _, wheel in after.wheels()}
    return (
        *(f"take {filename} off the index" for filename in sorted(old.keys() - new.keys())),
        *(f"put {filename} on the index" for filename in sorted(new.keys() - old.keys())),
        *(
            f"restore {filename}"
            for filename in sorted(old.keys() & new.keys())
            if old[filename] != new[filename]
        ),
        *(f"forget project {name}" for name in sorted(before.packages.keys() - after.packages.keys())),
        *(f"restore project {name}" for name in sorted(after.packages.keys() - before.packages.keys())),
    )
