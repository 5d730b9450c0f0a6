"""The generations of a store: what they were, and the way back to one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from workbench.errors import UsageError
from workbench.events import note
from workbench.paths import PROGRAM
from workbench.publish.amend import (
    FilesMissing,
    amend,
    current,
    generations,
    look_again,
    refuse_to_forget,
)
from workbench.publish.commit import changed_wheels
from workbench.publish.drawing import draw_pages
from workbench.publish.signing import STAND_BY, refused_statements
from workbench.publish.wheel_files import look, texts_linked, without_links
from workbench.publish.withdraw import Change, without
from workbench.registry.file import Damaged, loads
from workbench.registry.model import Registry
from workbench.store.layout import WheelKey, history_key
from workbench.text import timestamp

if TYPE_CHECKING:
    from workbench.store.opening import Site
    from workbench.store.protocol import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One state of the registry: its number, when it was made (UTC, RFC 3339), by what, with how many wheels."""

    generation: int
    updated: str | None
    change: str
    wheels: int
    current: bool


def history(store: Store, *, limit: int = 20) -> tuple[Generation, ...]:
    """Return the last generations, the current one first; none is where the registry is lost. Raises UsageError."""
    if limit < 1:
        raise UsageError(f"--limit {limit}: show 1 generation or more")
    now = Registry()
    with suppress(Damaged):
        now = current(store)
    numbers = reversed(generations(store))
    if now.generation:
        # a publisher that was killed had kept the generation that it then did not replace
        older = [number for number in numbers if number < now.generation][: limit - 1]
        registries = [now, *(_kept(store, number) for number in older)]
    else:
        registries = [_kept(store, number) for number in islice(numbers, limit)]
    return tuple(
        Generation(
            generation=registry.generation,
            updated=registry.updated,
            change=registry.change,
            wheels=sum(1 for _ in registry.wheels()),
            current=registry is now,
        )
        for registry in registries
    )


def rollback(site: Site, generation: int, *, dry_run: bool = False) -> Change:
    """Publish what a generation published, no more and no less, in one step. No file is deleted.

    Wheels that came later leave the index and stay in the store. It makes a new generation, so a rollback can
    be rolled back. A registry that is lost or damaged is one that followed the newest that is kept. Raises UsageError
    for a generation that is not kept, or whose files are not all there, StoreError where they are being deleted.
    """
    store = site.store
    before, instead = current_or_kept(store)
    if instead is None:
        refuse_to_forget(site, before)
    if generation == before.generation and instead is None:
        return Change(done=(), generation=generation, dry_run=dry_run)
    target = _kept(store, generation)
    keys = texts_linked(target)
    target = without_links(target, keys - look(store, keys).keys())  # a log is deleted with its wheel
    now = timestamp(datetime.now(UTC))
    back = target.filenames

    def change(registry: Registry) -> Registry:
        for name, wheel in tuple(registry.wheels()):
            if wheel.filename not in back:
                registry = without(registry, WheelKey(name, wheel.filename), removed=now, delete_after=None)
        still = tuple(gone for gone in registry.removed if gone.filename not in back)
        return replace(registry, packages=target.packages, removed=still)

    done = _differences(before, change(before))
    if instead is not None:
        done = ("make the registry anew", *done)
    try:  # early what `amend` sees to in the end, and with the way out
        look_again(store, before, before, target)
    except FilesMissing as error:
        raise UsageError(
            f"generation {generation} had what is not whole in {store.place} any more: {error.missing}. Publish it "
            "again, or go back to a later generation"
        ) from error
    for refused in refused_statements(site, target):
        note(f"! {refused}: {STAND_BY}")
    if dry_run or not done:
        return Change(done=done, generation=before.generation, dry_run=dry_run)
    store.prepare()
    what = f"rollback to generation {generation}"
    amended = amend(store, change, what, may_shrink=True, instead=instead)
    draw_pages(site)
    return Change(done=done, generation=amended.generation)


def current_or_kept(store: Store) -> tuple[Registry, Registry | None]:
    """Return a store's registry; for one that is lost or damaged, twice the newest that is kept.

    The second is for `amend`, as what stands instead. The number of the kept one is that of the one that is gone. What
    is damaged in the history is passed over.
    """
    with suppress(Damaged):
        registry = current(store)
        if registry.generation:
            return registry, None
    numbers = generations(store)
    for number in reversed(numbers):
        with suppress(Damaged):
            kept = replace(_kept(store, number), generation=numbers[-1] + 1)
            return kept, kept
    return Registry(), Registry()


def _kept(store: Store, generation: int) -> Registry:
    stored = store.read(history_key(generation))
    if stored is None:
        raise UsageError(
            f"{store.place} has no generation {generation} to go back to: '{PROGRAM} store.history' lists those it has"
        )
    return loads(stored.content, where=f"{store.place}/{history_key(generation)}")


def _differences(before: Registry, after: Registry) -> tuple[str, ...]:
    told = {"remove": "take {} off the index", "publish": "put {} on the index"}
    order = [*told, "change", "yank", "unyank"]
    return (
        *(
            told.get(verb, "restore {}").format(filename)
            for verb, filename in sorted(changed_wheels(before, after), key=lambda each: order.index(each[0]))
        ),
        *(f"forget project {name}" for name in sorted(before.packages.keys() - after.packages.keys())),
        *(
            f"restore project {name}"
            for name, package in sorted(after.packages.items())
            if (was := before.packages.get(name)) is None or replace(was, wheels=package.wheels) != package
        ),
    )
