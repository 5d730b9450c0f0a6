"""Upkeep of a store: prune old versions, clean up what nobody needs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from workbench.care.compare import compare
from workbench.errors import UsageError
from workbench.index.channel import channel_of
from workbench.publish.amend import published
from workbench.publish.drawing import draw_pages
from workbench.publish.withdraw import KEPT_DAYS, Change, days, delete, due, take_off
from workbench.registry.model import Removal
from workbench.store.layout import WheelKey, file_key, wheel_of
from workbench.text import timestamp
from workbench.wheel.filename import label, parse_wheel

if TYPE_CHECKING:
    from workbench.registry.model import Registry
    from workbench.store.opening import Site

_CLEANED_DAYS = 7
"""How old a leftover must be: an upload that is under way is younger."""


def prune(
    site: Site, *, keep: int, after_days: int = KEPT_DAYS, apply: bool = False, now: datetime | None = None
) -> Change:
    """Remove what is `superseded`, which says what it raises; only say so without `apply`."""
    choose = partial(superseded, keep=keep)
    return take_off(site, choose, after_days=after_days, dry_run=not apply, now=now)


def superseded(registry: Registry, *, keep: int) -> list[WheelKey]:
    """Return the wheels that `keep` newer ones of the same package and target stand before.

    Pure. A target is what an installer, or a person who chooses a channel, tells wheels apart by: Python, ABI,
    platform, channel, and the variant, be it the recipe's or in the filename's label. A yanked wheel is older than any
    that is not. Raises UsageError for a `keep` below 1.
    """
    if keep < 1:
        raise UsageError(f"--keep {keep}: the newest wheel for a target is never pruned; keep 1 or more")
    cells: dict[object, list[tuple[object, WheelKey]]] = {}
    for name, wheel in registry.wheels():
        parsed = parse_wheel(wheel.filename, labelled=True)
        variant = wheel.build.variant if wheel.build else None
        target = (name, parsed.tags, channel_of(wheel.filename), variant, label(wheel.filename))
        age = (wheel.yanked is None, parsed.version, parsed.build)
        cells.setdefault(target, []).append((age, WheelKey(name, wheel.filename)))
    found: list[WheelKey] = []
    for wheels in cells.values():
        newest_first = sorted(wheels, key=lambda pair: pair[0], reverse=True)  # type: ignore[arg-type,return-value]
        found += [wheel for _, wheel in newest_first[keep:]]
    return sorted(found, key=lambda wheel: wheel.filename)


def clean(
    site: Site, *, older_days: int = _CLEANED_DAYS, apply: bool = False, now: datetime | None = None
) -> Change:
    """Remove what killed publishers left and the files of removed wheels past their retention period.

    Only says so without `apply`. What is younger than `older_days` may be under way, and stays, as what is not ours.
    """
    now = now or datetime.now(UTC)
    before = now - days("--older", older_days)
    store = site.store
    published(site)
    found = compare(site)
    leftovers = [leftover for leftover in store.leftovers() if leftover.modified <= before]
    young = {wheel_of(entry.key) for entry in found.strays() if entry.modified > before}
    strays = [entry for entry in found.strays() if wheel_of(entry.key) not in young]
    chosen = due(found.registry, now=now)
    done = (
        *(f"remove {leftover.what} {leftover.key}" for leftover in leftovers),
        *(f"delete {entry.key}, which is of no published wheel" for entry in strays),
        *(
            f"delete {file_key(gone.project, gone.filename)}, removed on {gone.removed[:10]}"
            for gone in chosen
        ),
    )
    if not apply or not done:
        return Change(done=done, generation=found.registry.generation, dry_run=not apply)
    for leftover in leftovers:
        store.discard(leftover)
    never = {wheel for entry in strays if (wheel := wheel_of(entry.key))}
    # the remover may have been killed before it drew: no page may link to what goes now
    draw_pages(site)
    _, generation = delete(
        store, lambda registry: (*due(registry, now=now), *_strays(registry, never, now=now))
    )
    draw_pages(site)
    return Change(done=done, generation=generation)


def _strays(registry: Registry, wheels: set[WheelKey], *, now: datetime) -> Iterator[Removal]:
    """Yield what is to be deleted of wheels that were found to have no place in the registry, and still have none."""
    removed = {gone.filename: gone for gone in registry.removed}
    for project, filename in sorted(wheels):
        gone = removed.get(filename)
        if gone is None:
            yield Removal(project=project, filename=filename, sha256="", removed=timestamp(now))
        elif gone.state == "deleted":
            yield gone
