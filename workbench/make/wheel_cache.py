"""A cache of wheels by their build key: what one machine has built, another one takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from workbench.errors import StoreError
from workbench.events import note
from workbench.evidence import notes
from workbench.files import scratch
from workbench.make.cells import find_built

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.evidence.built import Built
    from workbench.make.request import Planner
    from workbench.paths import Paths
    from workbench.plan.plan import Plan


class WheelCache(Protocol):
    """A cache of wheels. Of a build key it holds one wheel at most, and that one never changes."""

    place: str
    """Where it is, in a person's words."""

    def fetch(self, package: str, key: str, into: Path) -> Path | None:
        """Put the wheel of a package's build key into a folder, its notes beside it; return its path.

        It has the sha256 that it was offered with. None where there is no such wheel, and where it is damaged: that is
        told. Raises StoreError where the cache does not answer.
        """

    def offer(self, package: str, key: str, wheel: Path) -> bool:
        """Put in a wheel, with the notes beside it, unless there is one of that key; say whether it was put in.

        Raises StoreError.
        """

    def kept(self, package: str) -> Iterator[Built]:
        """Yield how each wheel of a package was made. Raises StoreError."""


def take(plan: Plan, cache: WheelCache, paths: Paths, planner: Planner) -> Path | None:
    """Return the wheel of a plan's build key out of a cache, in ``wheels/``; None where it has none that fits.

    It is looked at as one that was built here earlier is: its notes are of these bytes and of this key, and it serves
    the plan's cell. Raises StoreError.
    """
    if plan.key is None:
        return None
    with scratch(paths.wheels, ".cache.") as folder:
        found = cache.fetch(plan.recipe.name, plan.key, folder)
        if found is None:
            return None
        if find_built(plan, folder, planner) != found:
            note(f"· {found.name} of {cache.place} is not taken: it is not a wheel of {plan.title}")
            return None
        wheel = notes.move(found, paths.wheels)
    note(f"· {wheel.name} was built elsewhere from the same inputs: it comes from {cache.place}")
    return wheel


def give(plan: Plan, wheel: Path, cache: WheelCache) -> None:
    """Put a wheel that was built of a plan into a cache. A note tells where that is not possible: the wheel is here."""
    if plan.key is None:
        return
    try:
        cache.offer(plan.recipe.name, plan.key, wheel)
    except StoreError as error:
        note(f"· {wheel.name} was not put into {cache.place}: {error}")
