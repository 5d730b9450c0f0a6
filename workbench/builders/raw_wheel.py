"""A plan made into a raw wheel by its builder, and checked to be what was asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename
from packaging.version import Version

from workbench.build_group import build_group, why_not
from workbench.builders.container import build_in_container
from workbench.builders.failure import OF_MEMORY, explained, left_out, tried, why_it_failed
from workbench.builders.host import build_here
from workbench.errors import CommandFailed
from workbench.events import note, step
from workbench.memory import peaks
from workbench.memory.admission import Ledger
from workbench.memory.peaks import Peak
from workbench.memory.share import Share
from workbench.text import counted
from workbench.wheel.elf import MACHINES
from workbench.wheel.filename import parse_wheel
from workbench.wheel.serves import Audience
from workbench.wheel.stream import BadBinary
from workbench.wheel.wheel import open_wheel

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from workbench.builders.objects import ObjectCache
    from workbench.builders.workplace import Workplace
    from workbench.cgroup import ControlGroup
    from workbench.errors import WorkbenchError
    from workbench.memory.admission import Grant
    from workbench.paths import Paths
    from workbench.plan.plan import Plan
    from workbench.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RawWheel:
    """A wheel as its builder left it, and what the build took."""

    path: Path
    took: Peak


def build_raw(
    place: Workplace,
    paths: Paths,
    settings: Settings,
    *,
    jobs: int | None = None,
    cache: ObjectCache | None = None,
) -> RawWheel:
    """Build the plan of an opened workplace and return the raw wheel, which lies in it.

    It has the version that its source says; the plan's own may have a suffix and a local part on top. `jobs` caps the
    compilers that run at once. The build waits until there is memory for it on this machine (`Ledger.admitted`). One
    that is killed because memory ran out is tried once more, with half the compilers. What is compiled goes through the
    object `cache`; without one all of it is compiled.

    Raises BuildFailed, with the tree and the log kept and named; ToolchainError, ToolMissing and ContainerError where
    this machine lacks what the builder needs, or has it damaged; WorkbenchError where the disk is full or the package
    index does not answer.
    """
    plan = place.plan
    with admitted(plan, paths, settings, jobs=jobs) as grant:
        attempt = partial(_attempt, place, paths, settings, grant, cache)
        try:
            raw = attempt(jobs=grant.jobs, most=jobs or len(os.sched_getaffinity(0)))
        except _KilledForMemory as killed:
            if killed.took.jobs == 1:
                raise killed.error from killed.cause
            fewer = killed.took.jobs // 2
            note(
                f"· {plan.title}: memory ran out: once more with {counted(fewer, 'job')} instead of {killed.took.jobs}"
            )
            try:
                raw = attempt(jobs=fewer, most=fewer)
            except _KilledForMemory as again:
                raise again.error from again.cause
            raw = replace(raw, took=replace(raw.took, killed=True))
    for each in tried(place):
        note(f"· {raw.path.name}: its build has no network, and tried to reach {each}")
    code = _check(raw.path, place)
    if why := left_out(plan, place.log, place.tree, code, paths):
        note(f"· {raw.path.name}: {why.meaning}\n{why.text}")
    return raw


def admitted(
    plan: Plan, paths: Paths, settings: Settings, *, jobs: int | None = None
) -> AbstractContextManager[Grant]:
    """Return the place on this machine that a build of a plan gets.

    It has at most `jobs` where somebody says so, else one for each processor that the other builds leave.
    """
    cpus = len(os.sched_getaffinity(0))
    size = peaks.expected(plan, paths).peak.at
    ledger = Ledger.of(paths, settings.most_memory)
    return ledger.admitted(plan.title, size, wanted=jobs or cpus, cpus=None if jobs else cpus)


class _KilledForMemory(Exception):
    """A build was killed because memory ran out: the `error` that tells a person, its `cause`, and what it took."""

    def __init__(self, error: WorkbenchError, cause: CommandFailed, took: Peak) -> None:
        super().__init__()
        self.error, self.cause, self.took = error, cause, took


def _attempt(
    place: Workplace,
    paths: Paths,
    settings: Settings,
    grant: Grant,
    cache: ObjectCache | None,
    *,
    jobs: int,
    most: int,
) -> RawWheel:
    """Build with a number of jobs, and `most` where more fit later.

    Raises _KilledForMemory, and what `build_raw` raises.
    """
    plan = place.plan
    expected = peaks.expected(plan, paths)
    builder = build_in_container if plan.builder == "container" else build_here

    def told(used: int, groups: tuple[ControlGroup, ...]) -> None:
        grant.uses(used, groups)
        at.takes(used)

    with (
        step(f"build {plan.title} ({plan.builder})") as at,
        build_group(settings.most_memory, told=told) as group,
        Share(grant, group, expected, jobs=jobs, most=most).opened() as share,
    ):
        if settings.max_memory and not group.limited:
            note(f"· nothing holds the build to max_memory: {why_not()}")
        try:
            wheel = builder(place, paths, settings, at, share=share, cache=cache)
        except CommandFailed as error:
            why = why_it_failed(error, place, paths, jobs=jobs, killed=group.killed)
            at.outcome = why.meaning if why else ""
            explanation = explained(error, why, place)
            if why is None or why.name not in OF_MEMORY:
                raise explanation from error
            # one process more of this size did not fit, neither beside what was measured nor in what was claimed
            largest = max(group.largest, expected.peak.largest)
            peak = max(group.peak, grant.claimed) + largest
            took = Peak(peak=peak, largest=largest, jobs=share.offered, killed=True)
            peaks.keep(plan, paths, took)
            place.doubt()
            raise _KilledForMemory(explanation, error, took) from error
        at.outcome = " with ".join(filter(None, (wheel.name, str(place.units))))
    # what was compiled earlier took no memory now; and of a container that was not seen nothing is known
    if not place.took and (group.apart or plan.builder != "container"):
        peaks.keep(plan, paths, share.took)
    return RawWheel(path=wheel, took=share.took)


def _check(wheel: Path, place: Workplace) -> tuple[str, ...]:
    """Return the GPU architectures that a wheel for CUDA has code for.

    Raises BuildFailed where the wheel is of another package, version or machine than the plan's, or not a wheel.
    """
    recipe, arch = place.plan.recipe, place.plan.target.arch
    try:
        made = parse_wheel(wheel.name)
        with open_wheel(wheel) as opened:
            programs = {entry.name: machine for entry, machine in opened.machines()}
            libraries = tuple(opened.libraries()) if place.plan.target.cuda else ()
    except (InvalidWheelFilename, BadBinary) as error:
        raise place.failed(f"it made {wheel.name}, which is not a wheel: {error}") from error
    if (made.name, made.version) != (recipe.name, Version(recipe.version)):
        raise place.failed(f"it made {wheel.name}, and the recipe says {recipe.name} {recipe.version}")
    if arch not in Audience.of(wheel.name).architectures:
        raise place.failed(f"it made {wheel.name}, which is not for {arch}")
    # a build that fetches something prebuilt, or runs this machine's compiler in a cross build, makes such programs
    others = {*MACHINES.values()} - {arch}
    if foreign := [path for path, machine in programs.items() if machine in others]:
        raise place.failed(
            f"it made {', '.join(foreign)}, not for {arch}: the build has run this machine's compiler, or fetched "
            "something prebuilt"
        )
    found = {each for library in libraries if library.gpu_code for each in library.gpu_code.loadable}
    return tuple(map(str, sorted(found)))
