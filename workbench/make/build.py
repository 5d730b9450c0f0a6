"""``build``: a recipe into repaired wheels in ``wheels/``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from packaging.utils import parse_wheel_filename

from workbench import console
from workbench.builders.raw_wheel import build_raw
from workbench.builders.tools import compiler_for
from workbench.builders.workplace import Workplace
from workbench.container.engine import find_engine
from workbench.container.trial import try_wheel
from workbench.errors import (
    BuildFailed,
    ContainerError,
    RepairFailed,
    ToolchainError,
    ToolMissing,
    VerificationFailed,
    WorkbenchError,
)
from workbench.evidence import notes as built
from workbench.evidence.facts import BuildFacts, PatchApplied
from workbench.files import scratch
from workbench.recipe.model import Git, LocalFolder, Sdist
from workbench.repair.repair import Repaired, repair
from workbench.verify.checks import parse_filename
from workbench.wheel.restamp import restamp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from workbench.make.request import Planned
    from workbench.paths import Paths
    from workbench.plan.plan import Plan
    from workbench.settings import Settings


T = TypeVar("T")

OF_ONE_TARGET = (
    BuildFailed,
    RepairFailed,
    VerificationFailed,
    ToolMissing,
    ContainerError,
    ToolchainError,
)
"""What goes wrong for one target and may go well for the next: its build, its Python, its image, its CUDA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A plan that came to no wheel, and why."""

    plan: Plan
    error: WorkbenchError


def attempt(
    todo: Sequence[Plan], make: Callable[[Plan], T]
) -> tuple[tuple[tuple[Plan, T], ...], tuple[Failure, ...]]:
    """Make what each plan is to become, one after the other; a failure for one target stops no other.

    Raises at once what would stop them all: a source that cannot be had, a full disk.
    """
    made, failures = [], []
    for number, each in enumerate(todo, 1):
        try:
            made.append((each, make(each)))
        except OF_ONE_TARGET as error:
            failures.append(Failure(plan=each, error=error))
            if number < len(todo):
                console.note(f"{error}\n· {each.title} failed; {len(todo) - number} more to go")
    return tuple(made), tuple(failures)


def build_all(
    planned: Planned, paths: Paths, settings: Settings, *, jobs: int | None = None
) -> tuple[tuple[Repaired, ...], tuple[Failure, ...]]:
    """Build and repair every plan; return the wheels, and the plans that failed."""

    def make(each: Plan) -> Repaired:
        repaired = build_wheel(each, paths, settings, jobs=jobs)
        Workplace.of(each, paths).clear()
        return repaired

    made, failures = attempt(planned.plans, make)
    return tuple(repaired for _, repaired in made), failures


def require_all(failures: Sequence[Failure], count: int) -> None:
    """Raise the error of a plan that failed, or one for all that did; `count` were tried."""
    if not failures:
        return
    first = failures[0].error
    if count == 1:
        raise first
    names = ", ".join(str(each.plan.target) for each in failures)
    raise type(first)(
        f"{len(failures)} of {count} targets failed: {names}\nThe last of them: {failures[-1].error}"
    )


def build_wheel(plan: Plan, paths: Paths, settings: Settings, *, jobs: int | None = None) -> Repaired:
    """Build and repair one plan into ``wheels/``, and keep there how it was made.

    Where the site names a runtime image, the wheel is tried in that, as it is going to be published.

    The tree stays, for whoever looks at the wheel and finds fault with it.

    Raises UsageError while another process builds the plan, and what fetching, patching, building, repairing and
    trying raise.
    """
    console.note(f"· {plan.title}: builder {plan.builder}, {plan.why}")
    place = Workplace.of(plan, paths)
    # up to the notes: what another process cleared away before them would be this one's wheel and log
    with place.opened(paths):
        raw = build_raw(place, paths, settings, jobs=jobs)
        if plan.requires or parse_wheel_filename(raw.name)[1] != plan.version:
            raw = restamp(raw, plan.version, requires=plan.requires)
        return _finish(raw, place, paths, settings)


def _finish(raw: Path, place: Workplace, paths: Paths, settings: Settings) -> Repaired:
    """Repair a plan's wheel, try it, move it into ``wheels/``, and keep there how it was made.

    Raises RepairFailed, VerificationFailed and ContainerError: what was in ``wheels/`` before is still there then.
    """
    plan = place.plan
    # in the folder itself, so that the wheel is renamed to its place, whole
    with scratch(paths.wheels, ".build.") as folder:
        repaired = _repaired(raw, folder, place, paths)
        _try(repaired.path, place, settings)
        wheel = paths.wheels / repaired.path.name
        if wheel.exists() and plan.key is None:
            console.note(f"· {wheel} was there: it is replaced")
        elif wheel.exists() and built.noted_key(wheel) != plan.key:
            console.note(f"· {wheel} was there, built from other inputs: it is replaced")
        repaired.path.replace(wheel)
    built.keep(
        wheel,
        build_key=plan.key,
        gpu=plan.target.gpu,
        facts=facts(plan, repaired),
        log=place.log.read_bytes(),
    )
    return replace(repaired, path=wheel)


def _repaired(raw: Path, into: Path, place: Workplace, paths: Paths) -> Repaired:
    plan = place.plan
    compiler = compiler_for(plan, paths) if plan.builder == "cross" else None
    with console.step(f"repair {raw.name}") as at:
        try:
            repaired = repair(
                raw,
                into,
                exclude=plan.repair_exclude,
                glibc_ceiling=plan.glibc,
                # what a cross build links to lies beside its compiler, not among this machine's own libraries
                library_path=[compiler.libraries] if compiler else (),
            )
        except RepairFailed as error:
            raise RepairFailed(f"{error}\n{place.kept}") from error
        at.outcome = repaired.policy
    return repaired


def _try(wheel: Path, place: Workplace, settings: Settings) -> None:
    """Try a wheel that was built in a container in the image that the site names for that, if it does."""
    plan = place.plan
    image = settings.container.runtime_image(plan.target.compute, plan.target.arch)
    if plan.builder != "container" or image is None:
        return
    with console.step(f"try {wheel.name} in {image}"):
        try:
            try_wheel(
                wheel,
                engine=find_engine(settings.container.engine),
                image=image,
                python=plan.target.python,
                arch=plan.target.arch,
                code=plan.recipe.smoke_code,
                requires=plan.recipe.test_requires,
            )
        except VerificationFailed as error:
            raise VerificationFailed(f"{error}\n{place.kept}") from error


def find_built(plan: Plan, paths: Paths) -> Path | None:
    """Return the wheel in ``wheels/`` that this very plan made earlier, or None.

    One that its notes do not speak of is none of them: a build that was killed between the two leaves such a wheel.
    """
    if plan.key is None:
        return None
    for wheel in sorted(paths.wheels.glob("*.whl")):
        filename = parse_filename(wheel.name)
        if filename and (filename.name, filename.version) == (plan.recipe.name, plan.version):
            try:
                known = built.recall(wheel)
            except WorkbenchError:
                continue
            if known and known.build_key == plan.key:
                return wheel
    return None


def facts(plan: Plan, repaired: Repaired) -> BuildFacts:
    """Return what the registry keeps of how a wheel was made."""
    ref = None
    match plan.source:
        case Sdist(sha256=pin, name=name):
            source = f"{name or plan.recipe.name}=={plan.recipe.version}"
        case Git(url=source, commit=pin, branch=branch, tag=tag):
            ref = branch or tag
        case LocalFolder(path=path):
            source, pin = path.name, ""
    patches = tuple(
        PatchApplied(name=patch.name, sha256=patch.sha256, description=patch.header.description)
        for patch in plan.patches
    )
    glibc = repaired.policy.removeprefix("manylinux_").split("_")[:2]
    return BuildFacts(
        source=source,
        pin=pin,
        ref=ref,
        patches=patches,
        builder=plan.builder,
        compute=plan.target.compute,
        torch=plan.target.torch,
        variant=plan.target.variant,
        glibc=".".join(glibc) if repaired.policy.startswith("manylinux_") else None,
    )
