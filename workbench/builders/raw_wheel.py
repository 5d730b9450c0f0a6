"""A plan made into a raw wheel by its builder, and checked to be what was asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename
from packaging.version import Version

from workbench.builders import memory
from workbench.builders.container import build_in_container
from workbench.builders.failure import explained, left_out, why_it_failed
from workbench.builders.host import build_here
from workbench.errors import CommandFailed
from workbench.events import note, step
from workbench.wheel.elf import MACHINES
from workbench.wheel.filename import parse_wheel
from workbench.wheel.serves import Audience
from workbench.wheel.stream import BadBinary
from workbench.wheel.wheel import open_wheel

if TYPE_CHECKING:
    from workbench.builders.workplace import Workplace
    from workbench.paths import Paths
    from workbench.plan.plan import Plan
    from workbench.settings import Settings


def build_raw(place: Workplace, paths: Paths, settings: Settings, *, jobs: int | None = None) -> Path:
    """Build the plan of an opened workplace and return the raw wheel, which lies in it.

    It has the version that its source says; the plan's own may have a suffix and a local part on top. `jobs` caps the
    compilers that run at once, as `jobs_of` says.
    Raises BuildFailed, with the tree and the log kept and named; ToolchainError, ToolMissing and ContainerError where
    this machine lacks what the builder needs, or has it damaged; WorkbenchError where the disk is full or the package
    index does not answer.
    """
    plan = place.plan
    builder = build_in_container if plan.builder == "container" else build_here
    at_once = jobs_of(plan, jobs)
    with step(f"build {plan.title} ({plan.builder})") as at:
        try:
            wheel = builder(place, paths, settings, at, jobs=at_once)
        except CommandFailed as error:
            why = why_it_failed(error, place, paths, jobs=at_once)
            at.outcome = why.meaning if why else ""
            raise explained(error, why, place) from error
        at.outcome = wheel.name
    code = _check(wheel, place)
    if why := left_out(plan, place.log, place.tree, code, paths):
        note(f"· {wheel.name}: {why.meaning}\n{why.text}")
    return wheel


def jobs_of(plan: Plan, requested: int | None) -> int:
    """Return how many compilers a plan's build runs at once: `requested`, or one a processor, as far as memory goes."""
    gigabytes = plan.recipe.memory_per_job or (memory.CUDA_JOB if plan.target.cuda else 0)
    available = memory.available() if gigabytes else 0
    return memory.jobs(requested, len(os.sched_getaffinity(0)), available, round(gigabytes * 1e9))


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
