"""Changes to what is published: yank and unyank (PEP 592), remove, and the deletion of files.

A removed wheel is yanked, then leaves the registry and the pages, so nothing links to it any more; its file stays for
as many days as a reader may still hold an older page. Its record stays for good: the filename never gets other bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from workbench.errors import StoreError, UsageError, nearest
from workbench.publish.amend import amend, current, published, timestamp
from workbench.publish.drawing import draw_pages
from workbench.publish.wheel_files import faults, look
from workbench.registry.model import Removal
from workbench.store.layout import WheelKey, file_key, wheel_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from workbench.paths import Paths
    from workbench.registry.model import PublishedWheel, Registry
    from workbench.settings import Settings
    from workbench.store.protocol import Store

KEPT_DAYS = 7
"""How long a removed file stays, unless told otherwise."""

CENTURY = 36_500
"""In days."""

LEAVING = "is being removed"
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


# ---------------------------------------------------------------- yank


def yank(
    paths: Paths,
    settings: Settings,
    store: Store,
    filenames: Sequence[str],
    *,
    reason: str = "",
    dry_run: bool = False,
) -> Change:
    """Yank wheels: installers pass them over unless a requirement pins that very version.

    A wheel that is yanked already keeps its reason unless another is given.

    Raises UsageError for a filename that is not published, RegistryError for a registry that is lost.
    """
    return _mark(paths, settings, store, filenames, yanked=reason, dry_run=dry_run)


def unyank(
    paths: Paths, settings: Settings, store: Store, filenames: Sequence[str], *, dry_run: bool = False
) -> Change:
    """Take back a yank. Raises as `yank` does."""
    return _mark(paths, settings, store, filenames, yanked=None, dry_run=dry_run)


def _mark(
    paths: Paths,
    settings: Settings,
    store: Store,
    filenames: Sequence[str],
    *,
    yanked: str | None,
    dry_run: bool,
) -> Change:
    word = "unyank" if yanked is None else "yank"

    def mark(wheel: PublishedWheel) -> PublishedWheel:
        return wheel if yanked == "" and wheel.yanked else replace(wheel, yanked=yanked)

    def change(registry: Registry) -> Registry:
        for filename in filenames:
            name, wheel = find(registry, filename)
            registry = registry.with_wheel(name, mark(wheel))
        return registry

    registry = published(paths, store)
    found = [find(registry, filename)[1] for filename in dict.fromkeys(filenames)]
    marked = [wheel.filename for wheel in found if mark(wheel) != wheel]
    done = tuple(f"{word} {filename}" for filename in marked)
    if dry_run or not done:
        return _nothing_changed(paths, settings, store, registry, done, dry_run=dry_run)
    store.prepare()
    amended = amend(store, change, f"{word} {', '.join(marked)}")
    draw_pages(paths, settings, store)
    return Change(done=done, generation=amended.generation)


# ---------------------------------------------------------------- remove


def remove(
    paths: Paths,
    settings: Settings,
    store: Store,
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

    def choose(registry: Registry) -> tuple[tuple[str, str], ...]:
        found = (_present(registry, filename) for filename in dict.fromkeys(filenames))
        return tuple(each for each in found if each)

    return take_off(paths, settings, store, choose, after_days=after_days, dry_run=dry_run, now=now)


def take_off(
    paths: Paths,
    settings: Settings,
    store: Store,
    choose: Callable[[Registry], Collection[tuple[str, str]]],
    *,
    after_days: int,
    dry_run: bool = False,
    now: datetime | None = None,
) -> Change:
    """Remove the wheels (project and filename) that `choose` finds in a registry; see `remove`.

    In three steps, each of them whole: they are yanked, then taken off registry and pages, then deleted in time. The
    choice is made anew from the very registry that is changed, so it holds whatever others change meanwhile; a wheel
    that was yanked and then is not chosen any more is as it was.
    """
    now = now or datetime.now(UTC)
    removal = _Removal(choose=choose, removed=now, deleted=now + days("--after", after_days))
    registry = published(paths, store)
    chosen = choose(registry)
    done = removal.lines(registry, chosen)
    if dry_run or not chosen:
        return _nothing_changed(paths, settings, store, registry, done, dry_run=dry_run)
    names = ", ".join(filename for _, filename in chosen)
    store.prepare()
    amend(store, removal.withdraw, f"yank {names}")
    draw_pages(paths, settings, store)
    generation = amend(store, removal.unlist, f"remove {names}", may_shrink=True).generation
    draw_pages(paths, settings, store)
    if not after_days:
        generation = delete(store, lambda registry: due(registry, now=now))[1]
        draw_pages(paths, settings, store)  # what another drew meanwhile, of a registry that had the wheel
    return Change(done=removal.done, generation=generation)


@dataclass(slots=True, kw_only=True)
class _Removal:
    """A removal under way: the changes of the registry that it is made of, and what they came to."""

    choose: Callable[[Registry], Collection[tuple[str, str]]]
    removed: datetime
    deleted: datetime
    yanked: frozenset[str] = frozenset()
    done: tuple[str, ...] = ()

    def withdraw(self, registry: Registry) -> Registry:
        yanked = set()
        for name, filename in self.choose(registry):
            found = registry.find(filename)
            if found and found[1].yanked is None:
                yanked.add(filename)
                registry = registry.with_wheel(name, replace(found[1], yanked=LEAVING))
        self.yanked = frozenset(yanked)
        return registry

    def unlist(self, registry: Registry) -> Registry:
        chosen = self.choose(registry)
        self.done = self.lines(registry, chosen)
        for name, filename in chosen:
            registry = without(
                registry,
                name,
                filename,
                removed=timestamp(self.removed),
                delete_after=timestamp(self.deleted),
            )
        for filename in self.yanked:
            found = registry.find(filename)
            if found and found[1].yanked == LEAVING:
                registry = registry.with_wheel(found[0], replace(found[1], yanked=None))
        return registry

    def lines(self, registry: Registry, chosen: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        chosen = tuple(chosen)
        later = f" after {timestamp(self.deleted)[:10]}" if self.deleted > self.removed else ""
        return (
            *(f"take {filename} off the index" for _, filename in chosen if registry.find(filename)),
            *(f"delete {file_key(name, filename)}{later}" for name, filename in chosen),
        )


def without(
    registry: Registry, name: str, filename: str, *, removed: str, delete_after: str | None
) -> Registry:
    """Return a registry in which a wheel is removed, and remembered as such."""
    found = registry.find(filename)
    if found is None:
        return replace(
            registry,
            removed=tuple(
                replace(gone, delete_after=delete_after)
                if gone.filename == filename and gone.state == "unlisted"
                else gone
                for gone in registry.removed
            ),
        )
    gone = Removal(
        project=name, filename=filename, sha256=found[1].sha256, removed=removed, delete_after=delete_after
    )
    return remembering(registry.without_wheel(name, filename), [gone])


# ---------------------------------------------------------------- delete


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

    A wheel that was never published (without a sha256) is forgotten when it is gone, all others are remembered.

    Raises StoreError where another process ended the same deletion, and somebody published the wheel again before this
    one was through with it.
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


# ---------------------------------------------------------------- finding


def find(registry: Registry, filename: str) -> tuple[str, PublishedWheel]:
    """Return a published wheel and its project's name. Raises UsageError, with the nearest filename."""
    found = registry.find(filename)
    if found is None:
        known = (wheel.filename for _, wheel in registry.wheels())
        raise UsageError(
            f"{filename} is not published{nearest(filename, known)}: 'invoke show NAME' lists what is"
        )
    return found


def _present(registry: Registry, filename: str) -> tuple[str, str] | None:
    """Return the project and the filename of a wheel that is published, or removed; None for one that is deleted."""
    for gone in registry.removed:
        if gone.filename == filename:
            return (gone.project, filename) if gone.state != "deleted" else None
    return find(registry, filename)[0], filename


def _nothing_changed(
    paths: Paths,
    settings: Settings,
    store: Store,
    registry: Registry,
    would: tuple[str, ...],
    *,
    dry_run: bool,
) -> Change:
    """End a change that is only to be told of, or was made already: perhaps by one that was killed before it drew."""
    if not dry_run:
        draw_pages(paths, settings, store)
    return Change(done=would, generation=registry.generation, dry_run=dry_run)


def days(option: str, count: int) -> timedelta:
    """Return a number of days that an option gives. Raises UsageError for one below 0, or above a century."""
    if not 0 <= count <= CENTURY:
        raise UsageError(f"{option} {count}: a number of days, from 0 to {CENTURY}")
    return timedelta(days=count)
