"""A plan made into a raw wheel by its builder, and checked to be what was asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename
from packaging.version import Version

from workbench.builders import memory
from workbench.builders.container import build_in_container
from workbench.builders.host import build_here
from workbench.errors import CommandFailed
from workbench.events import step
from workbench.plan.target import this_arch
from workbench.process import pieces_of
from workbench.toolchain import cross
from workbench.troubles import TROUBLES, look_for
from workbench.wheel.elf import MACHINES
from workbench.wheel.filename import parse_wheel
from workbench.wheel.serves import Audience
from workbench.wheel.stream import BadBinary
from workbench.wheel.wheel import open_wheel

if TYPE_CHECKING:
    from workbench.builders.workplace import Workplace
    from workbench.errors import WorkbenchError
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
    with step(f"build {plan.title} ({plan.builder})") as at:
        try:
            wheel = builder(place, paths, settings, at, jobs=jobs_of(plan, jobs))
        except CommandFailed as error:
            raise _explained(error, place) from error
        at.outcome = wheel.name
    _check(wheel, place)
    return wheel


def jobs_of(plan: Plan, requested: int | None) -> int:
    """Return how many compilers a plan's build runs at once: `requested`, or one a processor, as far as memory goes."""
    gigabytes = plan.recipe.memory_per_job or (memory.CUDA_JOB if plan.target.cuda else 0)
    available = memory.available() if gigabytes else 0
    return memory.jobs(requested, len(os.sched_getaffinity(0)), available, round(gigabytes * 1e9))


def _explained(error: CommandFailed, place: Workplace) -> WorkbenchError:
    """Return the error of a build on this machine that failed: the package's, unless its log tells otherwise."""
    crossing = place.plan.target.arch != this_arch()
    pieces = pieces_of(place.log)
    told = (look_for(piece, TROUBLES) or (cross.lacked(piece) if crossing else None) for piece in pieces)
    seen = next(filter(None, told), None)
    if seen is None:
        return place.failed(str(error))
    why = f"{seen.trouble.meaning}\n{seen.line}\n{error}"
    if seen.trouble.error is None:
        return place.failed(why)
    return seen.trouble.error(f"{place.plan.title} was not built: {why}\n{place.kept}")


def _check(wheel: Path, place: Workplace) -> None:
    """Raise BuildFailed where the wheel is of another package, version or machine than the plan's, or not a wheel."""
    recipe, arch = place.plan.recipe, place.plan.target.arch
    try:
        made = parse_wheel(wheel.name)
        with open_wheel(wheel) as opened:
            programs = {entry.name: machine for entry, machine in opened.machines()}
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
