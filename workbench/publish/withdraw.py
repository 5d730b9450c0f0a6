"""Changes to what is published: yank and unyank (PEP 592), remove, and the deletion of files.

A removed wheel is yanked, then leaves the registry and the pages, so nothing links to it any more; its file stays for
as many days as a reader may still hold an older page. Its record stays for good: the filename never gets other bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from workbench.errors import StoreError, UsageError, nearest
from workbench.paths import PROGRAM
from workbench.publish.amend import amend, current, published
from workbench.publish.drawing import draw_pages
from workbench.publish.wheel_files import faults, is_ours, look
from workbench.registry.model import Removal
from workbench.store.layout import WheelKey, file_key, wheel_of
from workbench.text import timestamp

if TYPE_CHECKING:
    from workbench.registry.model import PublishedWheel, Registry
    from workbench.store.opening import Site
    from workbench.store.protocol import Store

KEPT_DAYS = 7
"""How long a removed file stays, unless told otherwise."""

_CENTURY = 36_500  # days

_LEAVING = "is being removed"
"""Why a wheel is yanked just before it is removed, unless it was yanked for a reason of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a change did, or would have done: a line for each effect, and the generation that it led to."""

    done: tuple[str, ...]
    generation: int
    dry_run: bool = False

    def lines(self) -> tuple[str, ...]:
        """Return what was done, as a person reads it."""
        return self.done or ("nothing to do",)


def yank(site: Site, filenames: Sequence[str], *, reason: str | None = "", dry_run: bool = False) -> Change:
    """Yank wheels: installers pass them over unless a requirement pins that very version.

    A wheel that is yanked already keeps its reason unless another is given; the reason None takes a yank back.
    Raises UsageError for a filename that is not published, RegistryError for a registry that is lost.
    """
    word = "unyank" if reason is None else "yank"

    def mark(wheel: PublishedWheel) -> PublishedWheel:
        return wheel if reason == "" and wheel.yanked else replace(wheel, yanked=reason)

    def change(registry: Registry) -> Registry:
        for filename in filenames:
            name, wheel = find(registry, filename)
            registry = registry.with_wheel(name, mark(wheel))
        return registry

    registry = published(site)
    found = [find(registry, filename)[1] for filename in dict.fromkeys(filenames)]
    marked = [wheel.filename for wheel in found if mark(wheel) != wheel]
    done = tuple(f"{word} {filename}" for filename in marked)
    if dry_run or not done:
        return _nothing_changed(site, registry, done, dry_run=dry_run)
    site.store.prepare()
    amended = amend(site.store, change, f"{word} {', '.join(marked)}")
    draw_pages(site)
    return Change(done=done, generation=amended.generation)


def remove(
    site: Site,
    filenames: Sequence[str],
    *,
    after_days: int = KEPT_DAYS,
    dry_run: bool = False,
    now: datetime | None = None,
) -> Change:
    """Take wheels off registry and pages, and delete their files once `after_days` have passed (0: at once).

    A wheel that is off the index already, as after a rollback, is given its day of deletion.
    Raises UsageError for a filename that is neither, RegistryError for a registry that is lost.
    """

    def choose(registry: Registry) -> list[WheelKey]:
        return [each for filename in dict.fromkeys(filenames) if (each := _present(registry, filename))]

    return take_off(site, choose, after_days=after_days, dry_run=dry_run, now=now)


def take_off(
    site: Site,
    choose: Callable[[Registry], Sequence[WheelKey]],
    *,
    after_days: int,
    dry_run: bool,
    now: datetime | None,
) -> Change:
    """Remove the wheels that `choose` finds in a registry; see `remove`.

    In three steps, each of them whole: they are yanked, then taken off registry and pages, then deleted in time. The
    choice is made anew from the very registry that is changed, so it holds whatever others change meanwhile; a wheel
    that was yanked and then is not chosen any more is as it was.
    """
    store, now = site.store, now or datetime.now(UTC)
    deleted = timestamp(now + days("--after", after_days))
    yanked: list[str] = []
    done: tuple[str, ...] = ()

    def withdraw(registry: Registry) -> Registry:
        nonlocal yanked
        registry, yanked = _marked(registry, [wheel.filename for wheel in choose(registry)], None, _LEAVING)
        return registry

    def unlist(registry: Registry) -> Registry:
        nonlocal done
        done = effects(registry)
        for wheel in choose(registry):
            registry = without(registry, wheel, removed=timestamp(now), delete_after=deleted)
        return _marked(registry, yanked, _LEAVING, None)[0]

    def effects(registry: Registry) -> tuple[str, ...]:
        chosen = choose(registry)
        later = f" after {deleted[:10]}" if after_days else ""
        return (
            *(f"take {wheel.filename} off the index" for wheel in chosen if registry.find(wheel.filename)),
            *(_deletion(registry, wheel, later) for wheel in chosen),
        )

    registry = published(site)
    done = effects(registry)
    if dry_run or not done:
        return _nothing_changed(site, registry, done, dry_run=dry_run)
    names = ", ".join(wheel.filename for wheel in choose(registry))
    store.prepare()
    amend(store, withdraw, f"yank {names}")
    draw_pages(site)
    generation = amend(store, unlist, f"remove {names}", may_shrink=True).generation
    draw_pages(site)
    if not after_days:
        generation = delete(store, lambda registry: due(registry, now=now))[1]
        draw_pages(site)  # what another drew meanwhile, of a registry that had the wheel
    return Change(done=done, generation=generation)


def _deletion(registry: Registry, wheel: WheelKey, later: str) -> str:
    """Return what is deleted of a wheel, and when: one that lies elsewhere stays there."""
    found = registry.find(wheel.filename)
    if found is None or is_ours(found[1]):
        return f"delete {file_key(*wheel)}{later}"
    return f"delete what proves {wheel.filename}{later}; the wheel itself stays at {found[1].url}"


def _marked(
    registry: Registry, filenames: Sequence[str], was: str | None, becomes: str | None
) -> tuple[Registry, list[str]]:
    """Return a registry in which the wheels that were yanked for one reason are for another, and which these are."""
    marked = []
    for filename in filenames:
        found = registry.find(filename)
        if found and found[1].yanked == was:
            registry = registry.with_wheel(found[0], replace(found[1], yanked=becomes))
            marked.append(filename)
    return registry, marked


def without(registry: Registry, wheel: WheelKey, *, removed: str, delete_after: str | None) -> Registry:
    """Return a registry in which a wheel is removed, and remembered as such."""
    if found := registry.find(wheel.filename):
        project, filename = wheel
        gone = Removal(project=project, filename=filename, sha256=found[1].sha256, removed=removed)
        registry = remembering(registry.without_wheel(project, filename), [gone])
    return replace(
        registry,
        removed=tuple(
            replace(gone, delete_after=delete_after)
            if gone.filename == wheel.filename and gone.state == "unlisted"
            else gone
            for gone in registry.removed
        ),
    )


def due(registry: Registry, *, now: datetime) -> tuple[Removal, ...]:
    """Return the removed files past their retention period, or whose deletion was cut short."""
    return tuple(
        gone
        for gone in registry.removed
        if gone.state == "deleting"
        or (gone.state == "unlisted" and gone.delete_after and gone.delete_after <= timestamp(now))
    )


def delete(store: Store, choose: Callable[[Registry], Sequence[Removal]]) -> tuple[tuple[Removal, ...], int]:
    """Delete the files of the wheels that `choose` finds in a registry; return them and the generation reached.

    Nothing below ``files/`` is ever deleted but what the registry says is being deleted, and it says so first: from
    then on nobody can register that wheel until it is gone (``amend``). So what is deleted is never what
    another publisher registers meanwhile.

    A wheel that was never published (without a sha256) is forgotten when it is gone, all others are remembered. Raises
    StoreError where another process ended the same deletion, and the wheel was published again before this one ended.
    """
    chosen: Sequence[Removal] = ()

    def begin(registry: Registry) -> Registry:
        nonlocal chosen
        chosen = [
            replace(gone, state="deleting") for gone in choose(registry) if not registry.find(gone.filename)
        ]
        return remembering(registry, chosen)

    def end(registry: Registry) -> Registry:
        gone = [each for each in registry.removed if each in chosen]
        left = replace(registry, removed=tuple(each for each in registry.removed if each not in gone))
        return remembering(left, [replace(each, state="deleted") for each in gone if each.sha256])

    amend(store, begin, "begin to delete removed files")
    for gone in chosen:
        _delete_files(store, gone)
    names = ", ".join(gone.filename for gone in chosen)
    return tuple(chosen), amend(store, end, f"delete {names}").generation


def _delete_files(store: Store, gone: Removal) -> None:
    """Delete a wheel and what lies beside it; the wheel last, for by it one sees what is there."""
    wheel = WheelKey(gone.project, gone.filename)
    keys = [entry.key for entry in store.entries(file_key(*wheel)) if wheel_of(entry.key) == wheel]
    # whoever else deletes it may have ended, and somebody have published it again
    if gone not in current(store).removed:
        return
    for key in sorted(keys, reverse=True):
        store.delete(key)
    after = current(store)
    again = after.find(gone.filename)
    if again and gone not in after.removed and any(faults(*again, look(store, [file_key(*wheel)]))):
        raise StoreError(
            f"{gone.filename}: published again while two processes deleted it from {store.place}, and not whole now: "
            "publish it again"
        )


def remembering(registry: Registry, gone: Sequence[Removal]) -> Registry:
    """Return a registry that remembers these removals, in place of others of the same wheels."""
    filenames = {each.filename for each in gone}
    others = (other for other in registry.removed if other.filename not in filenames)
    return replace(registry, removed=tuple(sorted((*others, *gone), key=lambda each: each.filename)))


def find(registry: Registry, filename: str) -> tuple[str, PublishedWheel]:
    """Return a published wheel and its project's name. Raises UsageError, with the nearest filename."""
    found = registry.find(filename)
    if found is None:
        known = (wheel.filename for _, wheel in registry.wheels())
        raise UsageError(
            f"{filename} is not published{nearest(filename, known)}: '{PROGRAM} show NAME' lists what is"
        )
    return found


def _present(registry: Registry, filename: str) -> WheelKey | None:
    """Return a wheel that is published, or removed; None for one that is deleted."""
    for gone in registry.removed:
        if gone.filename == filename:
            return WheelKey(gone.project, filename) if gone.state != "deleted" else None
    return WheelKey(find(registry, filename)[0], filename)


def _nothing_changed(site: Site, registry: Registry, would: tuple[str, ...], *, dry_run: bool) -> Change:
    """End a change that is only to be told of, or was made already: perhaps by one that was killed before it drew."""
    if not dry_run:
        draw_pages(site)
    return Change(done=would, generation=registry.generation, dry_run=dry_run)


def days(option: str, count: int) -> timedelta:
    """Return a number of days that an option gives. Raises UsageError for one below 0, or above a century."""
    if not 0 <= count <= _CENTURY:
        raise UsageError(f"{option} {count}: a number of days, from 0 to {_CENTURY}")
    return timedelta(days=count)
