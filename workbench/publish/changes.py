"""Changes to what is published: yank and unyank (PEP 592), and remove.

A removed wheel leaves the registry and the pages at once, so nothing links to it any more; its file stays for
as many days as a reader may still hold an older page. Its record stays for good: the filename never gets
other bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from workbench.errors import UsageError, nearest
from workbench.publish.pages import copy_registry, draw_pages
from workbench.publish.registry import amend, current, timestamp
from workbench.registry.model import Removal
from workbench.store.layout import file_key

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from workbench.registry.model import PublishedWheel, Registry
    from workbench.site import Site
    from workbench.store.protocol import Store

KEPT_DAYS = 7
"""How long a removed file stays, unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a change did, or would have done: a line for each effect, and the generation that it led to."""

    done: tuple[str, ...]
    generation: int
    dry_run: bool = False

    def lines(self) -> tuple[str, ...]:
        """Return what was done, as a person reads it."""
        return self.done or ("nothing to do",)

    def as_dict(self) -> dict[str, Any]:
        """Return the plain form, for JSON."""
        return {"done": list(self.done), "generation": self.generation, "dry_run": self.dry_run}


def yank(
    site: Site, store: Store, filenames: Sequence[str], *, reason: str = "", dry_run: bool = False
) -> Change:
    """Yank wheels: installers pass them over unless a requirement pins that very version.

    A wheel that is yanked already keeps its reason unless another is given.

    Raises UsageError for a filename that is not published.
    """
    return _mark(site, store, filenames, yanked=reason, dry_run=dry_run)


def unyank(site: Site, store: Store, filenames: Sequence[str], *, dry_run: bool = False) -> Change:
    """Take back a yank. Raises UsageError for a filename that is not published."""
    return _mark(site, store, filenames, yanked=None, dry_run=dry_run)


def _mark(site: Site, store: Store, filenames: Sequence[str], *, yanked: str | None, dry_run: bool) -> Change:
    word = "unyank" if yanked is None else "yank"

    def mark(wheel: PublishedWheel) -> PublishedWheel:
        return wheel if yanked == "" and wheel.yanked else replace(wheel, yanked=yanked)

    def change(registry: Registry) -> Registry:
        for filename in filenames:
            name, wheel = find(registry, filename)
            registry = registry.with_wheel(name, mark(wheel))
        return registry

    registry = current(store)
    found = [find(registry, filename)[1] for filename in filenames]
    done = tuple(f"{word} {wheel.filename}" for wheel in found if mark(wheel) != wheel)
    if dry_run or not done:
        return Change(done=done, generation=registry.generation, dry_run=dry_run)
    store.prepare()
    amended = amend(store, change, ", ".join(done))
    draw_pages(site, store)
    return Change(done=done, generation=amended.after.generation)


def remove(
    site: Site,
    store: Store,
    filenames: Sequence[str],
    *,
    after_days: int = KEPT_DAYS,
    dry_run: bool = False,
    now: datetime | None = None,
) -> Change:
    """Take wheels off registry and pages, and delete their files once `after_days` have passed (0: at once).

    Raises UsageError for a filename that is not published.
    """
    if after_days < 0:
        raise UsageError(f"--after {after_days}: a number of days, 0 or more")
    now = now or datetime.now(UTC)
    delete_after = timestamp(now + timedelta(days=after_days))
    registry = current(store)
    found = [find(registry, filename) for filename in filenames]
    done = [f"take {filename} off the index" for filename in filenames]
    if after_days:
        done += [f"delete {file_key(name, w.filename)} after {delete_after[:10]}" for name, w in found]
    else:
        done += [f"delete {file_key(name, w.filename)}" for name, w in found]
    if dry_run or not found:
        return Change(done=tuple(done), generation=registry.generation, dry_run=dry_run)

    def change(registry: Registry) -> Registry:
        for filename in filenames:
            name, wheel = find(registry, filename)
            registry = without(registry, name, wheel, removed=timestamp(now), delete_after=delete_after)
        return registry

    store.prepare()
    amended = amend(store, change, f"remove {', '.join(filenames)}", may_shrink=True)
    draw_pages(site, store)
    generation = amended.after.generation
    if not after_days:
        generation = delete_due(store, now=now)[1]
        copy_registry(site, store)
    return Change(done=tuple(done), generation=generation)


def due(registry: Registry, *, now: datetime) -> tuple[Removal, ...]:
    """Return the removed files whose time has come, or whose deletion was cut short."""
    return tuple(
        gone
        for gone in registry.removed
        if gone.state == "deleting"
        or (gone.state == "unlisted" and gone.delete_after and gone.delete_after <= timestamp(now))
    )


def delete_due(store: Store, *, now: datetime) -> tuple[tuple[Removal, ...], int]:
    """Delete the files of removed wheels whose time has come; return them and the generation reached.

    The registry says so first: from then on none of them can be published again until it is gone, so what is
    deleted is never what another publisher has just registered.
    """

    def begin(registry: Registry) -> Registry:
        return _in_state(registry, due(registry, now=now), "deleting")

    begun = amend(store, begin, "begin to delete removed files").after
    chosen = due(begun, now=now)
    for gone in chosen:
        # the wheel, and all that lies beside it under its name; the wheel last, for by it one sees what is there
        beside = [entry.key for entry in store.entries(file_key(gone.project, gone.filename))]
        for key in sorted(beside, reverse=True):
            store.delete(key)
    names = ", ".join(gone.filename for gone in chosen)
    ended = amend(store, lambda registry: _in_state(registry, chosen, "deleted"), f"delete {names}")
    return chosen, ended.after.generation


def without(
    registry: Registry, name: str, wheel: PublishedWheel, *, removed: str, delete_after: str | None
) -> Registry:
    """Return a registry in which this wheel is removed, and remembered as such."""
    gone = Removal(
        project=name,
        filename=wheel.filename,
        sha256=wheel.sha256,
        removed=removed,
        delete_after=delete_after,
    )
    others = (other for other in registry.removed if other.filename != wheel.filename)
    ordered = tuple(sorted((*others, gone), key=lambda gone: gone.filename))
    return replace(registry.without_wheel(name, wheel.filename), removed=ordered)


def find(registry: Registry, filename: str) -> tuple[str, PublishedWheel]:
    """Return a published wheel and its project's name. Raises UsageError, with the nearest filename."""
    found = registry.find(filename)
    if found is None:
        known = (wheel.filename for _, wheel in registry.wheels())
        raise UsageError(
            f"{filename} is not published{nearest(filename, known)}: 'invoke show NAME' lists what is"
        )
    return found


def _in_state(
    registry: Registry, chosen: Collection[Removal], state: Literal["deleting", "deleted"]
) -> Registry:
    removed = tuple(replace(gone, state=state) if gone in chosen else gone for gone in registry.removed)
    return replace(registry, removed=removed)
