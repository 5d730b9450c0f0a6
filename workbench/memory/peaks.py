"""What the builds of a site's recipes took: it says what the next ones will take."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.files import content_of, write_whole
from workbench.strict import Mismatch, parse

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.plan.plan import Plan

GB = 1_000_000_000

_CUDA_JOB = 3_100_000_000
"""Bytes that one nvcc takes at its peak for a heavy unit of one architecture, where nothing else is known."""

JOB = 1_500_000_000
"""Bytes that one compiler of C++ takes at its peak, where nothing else is known."""

BASE = 100_000_000
"""Bytes that a build takes beside its compilers: its backend, and what runs them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """What a build took with `jobs` compilers at once: `peak` bytes in all, and `largest` its largest process.

    `killed` says that one of its processes was killed because memory ran out, if only at a first attempt.
    """

    peak: int
    largest: int
    jobs: int
    killed: bool = False

    def at(self, jobs: int) -> int:
        """Return the bytes that it is expected to take with another number of compilers at once."""
        if jobs >= self.jobs:
            return self.peak + (jobs - self.jobs) * self.largest
        return max(self.largest, self.peak * jobs // self.jobs)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """What is kept of a build: what was built, where it matters to others of the recipe, and what that took."""

    compute: str
    builder: str
    peak: Peak


def keep(plan: Plan, paths: Paths, peak: Peak) -> None:
    """Write down what a build of a plan took.

    One that took less than an earlier one, or was cut short, had some objects from before: it counts for nothing less.
    """
    before = _read(_path(plan, paths))
    if before and not before.peak.killed:
        largest = max(peak.largest, before.peak.largest)
        peak = replace(peak, peak=max(peak.peak, before.peak.at(peak.jobs)), largest=largest)
    record = _Record(compute=plan.target.compute, builder=plan.builder, peak=peak)
    write_whole(_path(plan, paths), json.dumps(asdict(record), indent=2) + "\n")


def recorded(plan: Plan, paths: Paths) -> Peak | None:
    """Return what the last build of a plan took, or else the most that one of another version or Python took.

    None where none was built for its compute platform by its builder. A file that cannot be read counts for nothing:
    the next build writes it anew.
    """
    own = _path(plan, paths)
    if found := _read(own):
        return found.peak
    others = (
        each.peak
        for each in _all(own.parent)
        if (each.compute, each.builder) == (plan.target.compute, plan.builder)
    )
    return max(others, key=lambda each: each.at(each.jobs), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a build is expected to take; a `guess` where neither a record nor its recipe says anything."""

    peak: Peak
    guess: bool = False


def expected(plan: Plan, paths: Paths) -> Expected:
    """Return what a build of a plan is expected to take: a tenth more than recorded, as its recipe says, or a guess."""
    if found := recorded(plan, paths):
        return Expected(peak=replace(found, peak=found.peak * 11 // 10))
    stated = round(plan.recipe.memory_per_job * GB) or (_CUDA_JOB if plan.target.cuda else JOB)
    peak = Peak(peak=BASE + stated, largest=stated, jobs=1)
    return Expected(peak=peak, guess=not plan.recipe.memory_per_job)


def _path(plan: Plan, paths: Paths) -> Path:
    return paths.state / "peaks" / plan.recipe.name / f"{plan.slug}-{plan.builder}.json"


def _all(folder: Path) -> Iterator[_Record]:
    yield from filter(None, map(_read, folder.glob("*.json")))


def _read(path: Path) -> _Record | None:
    try:
        return parse(_Record, json.loads(text)) if (text := content_of(path)) is not None else None
    except (ValueError, Mismatch):
        return None
