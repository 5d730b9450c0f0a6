"""The matrix of a project: which wheel there is for each Python and platform, and where there is none, why."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from workbench.index.page_target import ANY, CPU, PageTarget, bound, by_number, minor_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from workbench.registry.model import Unavailable

Place = tuple[str, str, str, str]
"""What a column is for: a target without its Python."""


MOST_CELLS = 2000
"""Nobody reads a larger table, and a registry made for it would cost the cube of its length."""


class ListedWheel(NamedTuple):
    """A wheel as the matrix knows it: its target, the version to show, its `id` on the page."""

    target: PageTarget
    version: str
    id: str
    yanked: bool


class PlaceCell(NamedTuple):
    """A cell: the newest wheel there is (its version and its `id`), or why there is none."""

    version: str = ""
    id: str = ""
    reason: str = ""
    log: str | None = None


class Availability(NamedTuple):
    """What there is: a column a target that is bound to no Python, a row one bound to nothing else, with its cells."""

    columns: Sequence[PageTarget]
    rows: Sequence[tuple[PageTarget, Sequence[PlaceCell]]]


def availability(
    wheels: Sequence[ListedWheel],
    unavailable: Sequence[Unavailable],
    stored: Callable[[str | None], str | None],
) -> Availability | None:
    """Cross the Pythons that there are with the platforms; None where a table would say nothing, or be too large.

    `wheels` come with the newest first. What is unavailable has its place even where no wheel is near it. `stored`
    makes a link of where a log lies.
    """
    if not wheels and not unavailable:
        return None
    good = _newest(wheel for wheel in wheels if not wheel.yanked)
    yanked = _newest(wheel for wheel in wheels if wheel.yanked)
    places = {target[1:]: None for target in (*good, *yanked)}
    for each in unavailable:
        places |= dict.fromkeys(_places_of(each, list(places)))
    pythons = {target.python for target in (*good, *yanked)}
    pythons |= {each.python for each in unavailable if each.python}
    if len(pythons) * len(places) > MOST_CELLS:
        return None
    wide = [own for own in good if own.python[-1:] == "+" or ANY in own[:2]]

    def cell(target: PageTarget) -> PlaceCell:
        found = good.get(target) or next((good[own] for own in wide if _serves(own, target)), None)
        if found:
            return PlaceCell(version=found.version, id=found.id)
        if target in yanked:
            return PlaceCell(reason="yanked", id=yanked[target].id)
        for each in unavailable:
            if each.python in (None, target.python) and _concerns(each, target[1:]):
                return PlaceCell(reason=each.reason, log=stored(each.log))
        return PlaceCell(reason="–" if ANY in (target.python, target.platform) else "not built")

    columns = sorted(places, key=lambda place: (place[0], *map(by_number, place[1:])))
    rows = [
        (PageTarget(python, ""), [cell(PageTarget(python, *place)) for place in columns])
        for python in sorted(pythons or {ANY}, key=by_number)
    ]
    return Availability([PageTarget("", *place) for place in columns], rows)


def _newest(wheels: Iterable[ListedWheel]) -> dict[PageTarget, ListedWheel]:
    found: dict[PageTarget, ListedWheel] = {}
    for wheel in wheels:
        found.setdefault(wheel.target, wheel)
    return found


def _serves(own: PageTarget, asked: PageTarget) -> bool:
    """Say whether a wheel of another cell fills this one: for its compute and torch, and running where it asks for."""
    return own[2:] == asked[2:] and own.runs(asked.python, asked.platform)


def _concerns(each: Unavailable, place: Place) -> bool:
    """Say whether a reason is one for a column. What it does not name, it says of all."""
    platform, compute, torch, _ = place
    return (
        each.arch in (None, platform.rpartition(" ")[2])
        and (each.compute in (None, compute) or (each.compute == CPU and not compute))
        and (each.torch is None or minor_version(each.torch) == torch)
    )


def _places_of(each: Unavailable, known: Sequence[Place]) -> list[Place]:
    """Return the columns that a reason needs: those that it concerns, or else new ones on the platforms it names."""
    if concerned := [place for place in known if _concerns(each, place)]:
        return concerned
    platforms = [f"Linux {each.arch}"] if each.arch else list(dict.fromkeys(place[0] for place in known))
    torch = minor_version(each.torch) if each.torch else ""
    return [(platform, bound(each.compute or "", torch), torch, "") for platform in platforms or [ANY]]
