"""The matrix of a project: which wheel there is for each Python and platform, and where there is none, why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from workbench.index.page_target import ANY, CPU, PageTarget, bound, by_number
from workbench.text import minor

if TYPE_CHECKING:
    from workbench.registry.model import Unavailable

Place = tuple[str, str, str, str]
"""What a column is for: a target without its Python."""


_MOST_CELLS = 2000
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
    places = _with_places_of(unavailable, [target[1:] for target in (*good, *yanked)])
    pythons = {target.python for target in (*good, *yanked)}
    pythons |= {each.python for each in unavailable if each.python}
    if max(1, len(pythons)) * len(places) > _MOST_CELLS:
        return None
    told: dict[tuple[str | None, _Key], int] = {}
    for at, each in enumerate(unavailable):
        told.setdefault((each.python, _key(each)), at)
    wide = [own for own in good if own.python[-1:] == "+" or ANY in own[:2]]

    def cell(target: PageTarget) -> PlaceCell:
        found = good.get(target) or next((good[own] for own in wide if _serves(own, target)), None)
        if found:
            return PlaceCell(version=found.version, id=found.id)
        if target in yanked:
            return PlaceCell(reason="yanked", id=yanked[target].id)
        keys = product((None, target.python), _keys(target[1:]))
        if (at := min((told[key] for key in keys if key in told), default=None)) is not None:
            return PlaceCell(reason=unavailable[at].reason, log=stored(unavailable[at].log))
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


_Key = tuple[str | None, str | None, str | None]
"""The architecture, the compute platform and the torch that a reason is for. What is None it says of all."""


def _key(each: Unavailable) -> _Key:
    return each.arch, each.compute, None if each.torch is None else minor(each.torch)


def _keys(place: Place) -> Iterator[_Key]:
    """Yield the keys of the reasons that concern a column: a few, where there may be thousands of reasons."""
    platform, compute, torch, _ = place
    computes = (None, compute) if compute else (None, compute, CPU)
    return product((None, platform.rpartition(" ")[2]), computes, (None, torch))


def _with_places_of(unavailable: Iterable[Unavailable], known: Iterable[Place]) -> list[Place]:
    """Return the columns that there are, with those that reasons need: up to some more than a table may have."""
    places = dict.fromkeys(known)
    platforms = {place[0]: None for place in places}
    concerned = {key for place in places for key in _keys(place)}
    for each in unavailable:
        if _key(each) not in concerned and len(places) <= _MOST_CELLS:
            new = _new_places(each, platforms)
            places |= dict.fromkeys(new)
            platforms |= {place[0]: None for place in new}
            concerned |= {key for place in new for key in _keys(place)}
    return list(places)


def _new_places(each: Unavailable, known: Iterable[str]) -> list[Place]:
    """Return the columns for a reason that concerns none yet, on the platforms that it names: else on those known."""
    platforms = [f"Linux {each.arch}"] if each.arch else list(known)
    torch = minor(each.torch) if each.torch else ""
    return [(platform, bound(each.compute or "", torch), torch, "") for platform in platforms or [ANY]]
