"""Cells as jobs of a CI service: one to a cell, or several to a job where there are more than it takes.

Which cells share a job is decided by what building them cost before, so that the longest job is as short as can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import mean
from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError
from workbench.evidence import notes
from workbench.recipe.model import USUAL
from workbench.wheel.filename import wheel_name_or_none

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.evidence.facts import BuildFacts
    from workbench.pipeline.standing import Standing
    from workbench.plan.draft import Draft
    from workbench.registry.model import Registry

SHARED = ("python", "torch", "variant", "version")
"""The axes of which a job may have several, the first to be shared first. (An architecture has machines of its own.)"""

_UNKNOWN = 60.0
"""The seconds of a build of which nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixJob:
    """What one job releases; each axis as its flag takes it, empty where there is none.

    `state` and `what` are those of its cells. `seconds` is an estimate.
    """

    package: str
    version: str
    python: str
    arch: str
    compute: str
    torch: str
    gpu: str
    variant: str
    glibc: str
    state: str
    what: str
    seconds: float

    @property
    def title(self) -> str:
        """Name it to a person: ``hnswlib 0.8.0 3.10,3.11 x86_64 cpu``."""
        torch, glibc = self.torch and f"torch{self.torch}", self.glibc and f"glibc{self.glibc}"
        words = (self.package, self.version, self.python, self.arch, self.compute, torch, self.variant, glibc)
        return " ".join(filter(None, words))

    def as_dict(self) -> dict[str, str]:
        """Return its entry of a matrix: all of it text."""
        told = asdict(self)
        del told["seconds"]
        return {"title": self.title, **told}


def jobs(cells: Iterable[Standing], *, costs: Mapping[tuple[str, str], float]) -> tuple[MatrixJob, ...]:
    """Return a job for each cell that would be built, in their order. `costs` are as `recorded_costs` tells them."""
    return tuple(_job(each.draft, each, costs) for each in cells if each.draft and each.state != "left out")


def _job(draft: Draft, cell: Standing, costs: Mapping[tuple[str, str], float]) -> MatrixJob:
    axes = asdict(draft.axes) | {"version": draft.recipe.version}
    return MatrixJob(
        package=cell.package, state=cell.state, what=cell.what, seconds=_cost(draft, costs), **axes
    )


def recorded_costs(registry: Registry, wheels: Path) -> dict[tuple[str, str], float]:
    """Return the seconds that builds took of what is published, or lies in a folder.

    That is the mean, by project and compute platform.
    """
    took: dict[tuple[str, str], list[float]] = {}

    def add(filename: str, facts: BuildFacts) -> None:
        name = wheel_name_or_none(filename)
        if name and facts.seconds is not None:
            took.setdefault((name.name, facts.compute), []).append(facts.seconds)

    for _, published in registry.wheels():
        if published.build:
            add(published.filename, published.build)
    for wheel in sorted(wheels.glob("*.whl")):
        try:
            known = notes.read(wheel)
        except WorkbenchError:
            continue  # it is told where the wheel itself is used
        if known:
            add(wheel.name, known.facts)
    return {each: mean(seconds) for each, seconds in took.items()}


def _cost(draft: Draft, costs: Mapping[tuple[str, str], float]) -> float:
    """Return the seconds that a build may take: of its own project; else as others of its compute platform."""
    compute = draft.target.compute
    if own := costs.get((draft.project, compute)):
        return own
    return mean([seconds for (_, other), seconds in costs.items() if other == compute] or [_UNKNOWN])


def grouped(every: Sequence[MatrixJob], at_most: int) -> tuple[MatrixJob, ...]:
    """Return jobs that do the same work and are `at_most` so many, where sharing makes them that few."""
    found = tuple(every)
    for axis in SHARED:
        if len(found) > at_most:
            found = _sharing(found, axis, at_most)
    return found


def _sharing(every: Sequence[MatrixJob], axis: str, at_most: int) -> tuple[MatrixJob, ...]:
    """Return jobs of which those that differ in one axis alone are put together.

    They are one a row, and as long as there may be more, the longest is divided.
    """
    order = {each: i for i, each in enumerate(every)}
    rows: dict[MatrixJob, list[MatrixJob]] = {}
    for each in every:
        # a job whose state is "changed" builds nothing
        state = each.state if each.state == "changed" else ""
        rows.setdefault(replace(each, **{axis: "", "state": state, "what": ""}, seconds=0), []).append(each)
    divided = [[row] for row in rows.values()]
    for _ in range(at_most - len(divided)):
        longest = max((row for row in divided if len(row) < sum(map(len, row))), key=_longest, default=None)
        if longest is None:
            break
        longest[:] = _bundles([job for bundle in longest for job in bundle], len(longest) + 1)
    return tuple(_together(sorted(bundle, key=order.__getitem__), axis) for row in divided for bundle in row)


def _longest(bundles: Iterable[Iterable[MatrixJob]]) -> float:
    return max(sum(job.seconds for job in bundle) for bundle in bundles)


def _bundles(row: Iterable[MatrixJob], count: int) -> list[list[MatrixJob]]:
    """Divide a row into bundles of about the same length: the longest first, each into the shortest bundle so far."""
    bundles: list[list[MatrixJob]] = [[] for _ in range(count)]
    for each in sorted(row, key=lambda job: -job.seconds):
        min(bundles, key=lambda bundle: (sum(job.seconds for job in bundle), len(bundle))).append(each)
    return bundles


def _together(bundle: Sequence[MatrixJob], axis: str) -> MatrixJob:
    values = [getattr(each, axis) or (USUAL if axis == "variant" else "") for each in bundle]
    return replace(
        bundle[0],
        **{axis: ",".join(values) if len(bundle) > 1 else getattr(bundle[0], axis)},
        state=", ".join(dict.fromkeys(each.state for each in bundle)),
        what="; ".join(dict.fromkeys(each.what for each in bundle)),
        seconds=sum(each.seconds for each in bundle),
    )
