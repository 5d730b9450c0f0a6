"""A plan becomes a repaired wheel in ``wheels/``; one build for all plans whose cells the wheel serves."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.builders.continuing import may_keep
from workbench.builders.objects import object_cache, objects_root, trim
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
from workbench.events import note, step
from workbench.evidence import notes
from workbench.evidence.facts import BuildFacts, PatchApplied
from workbench.evidence.gather import gather
from workbench.evidence.sbom import bill_of_materials
from workbench.files import scratch
from workbench.make.cells import find_built, pin_of, sharing
from workbench.make.foresight import foresee
from workbench.make.wheel_cache import give, take
from workbench.recipe.load import path_of
from workbench.recipe.model import Git, LocalFolder, Sdist
from workbench.repair.repair import Repaired, repair
from workbench.wheel.filename import parse_wheel
from workbench.wheel.rename import restamp
from workbench.wheel.stream import BadBinary

if TYPE_CHECKING:
    from workbench.evidence.provenance import Provenance
    from workbench.make.request import Planned, Planner
    from workbench.make.wheel_cache import WheelCache
    from workbench.memory.peaks import Peak
    from workbench.paths import Paths
    from workbench.plan.plan import Plan
    from workbench.recipe.model import Recipe
    from workbench.settings import Settings
    from workbench.verify.report import Report

OF_ONE_TARGET = (BuildFailed, RepairFailed, VerificationFailed, ToolMissing, ContainerError, ToolchainError)
"""What goes wrong for one target and may go well for the next: its build, its Python, its image, its CUDA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A wheel in ``wheels/``, and the plans whose cells it serves; it was made of the first of them.

    `repaired` says what repair did; None for a wheel that was built earlier. `report` is there once it is verified.
    """

    plans: tuple[Plan, ...]
    wheel: Path
    repaired: Repaired | None = None
    report: Report | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Plans that came to no verified wheel, and why; `found` is what a check found, without this machine's paths."""

    plans: tuple[Plan, ...]
    error: WorkbenchError
    found: str = ""


def produce(
    plans: Sequence[Plan], obtain: Callable[[Plan, Sequence[Plan]], Product | Failure]
) -> tuple[tuple[Product, ...], tuple[Failure, ...]]:
    """Obtain a wheel for each plan, one build for those that share it; a failure stops none of the others.

    `obtain` gets a plan and those that are still open, and says of which of them its outcome is. Raises at once what
    would stop them all: a source that cannot be fetched, a full disk.
    """
    products, failures, left = [], [], list(plans)
    while left:
        plan, *others = left
        try:
            outcome = obtain(plan, others)
        except OF_ONE_TARGET as error:
            outcome = Failure(plans=(plan,), error=error)
        left = [each for each in others if each not in outcome.plans]
        if isinstance(outcome, Product):
            products.append(outcome)
        else:
            failures.append(outcome)
            if left:
                note(f"{outcome.error}\n· {plan.title} failed; {len(left)} more to go")
    return tuple(products), tuple(failures)


def build_all(
    planned: Planned,
    paths: Paths,
    settings: Settings,
    *,
    jobs: int | None = None,
    cache: WheelCache | None = None,
) -> tuple[tuple[Product, ...], tuple[Failure, ...]]:
    """Build and repair every plan, but for what was built earlier; return the wheels, and the plans that failed.

    What was built earlier lies in ``wheels/``, or in the `cache`. Where the site names a runtime image, each wheel is
    tried in it.
    """

    def obtain(plan: Plan, others: Sequence[Plan]) -> Product | Failure:
        wheel, repaired = find_built(plan, paths.wheels, planned.planner_of(plan)), None
        if wheel is None:
            wheel, repaired = wheel_of(plan, planned.planner_of(plan), paths, settings, cache, jobs=jobs)
        shared = sharing(wheel, plan, others)
        if found := fault_in_image(wheel, plan, settings):
            return unverified(shared, wheel, found, paths)
        Workplace.of(plan, paths).clear()
        return Product(plans=shared, wheel=wheel, repaired=repaired)

    return produce(planned.plans, obtain)


def failure_of(failures: Sequence[Failure], count: int) -> WorkbenchError | None:
    """Return the error of the plans that failed, of `count` that were tried; None where none did."""
    if not failures:
        return None
    first, last = failures[0].error, failures[-1].error
    names = [plan.cell for each in failures for plan in each.plans]
    failed = f"{len(names)} of {count} targets failed: {', '.join(names)}\nThe last of them: {last}"
    return first if count == 1 else type(first)(failed)


def wheel_of(
    plan: Plan,
    planner: Planner,
    paths: Paths,
    settings: Settings,
    cache: WheelCache | None,
    *,
    jobs: int | None,
) -> tuple[Path, Repaired | None]:
    """Return the wheel of a plan that is not in ``wheels/`` yet, there: out of the `cache`, or built and put into it.

    What repair did is None for one that was built elsewhere. Raises StoreError, and what `build_wheel` raises.
    """
    if cache and (found := take(plan, cache, paths, planner)):
        return found, None
    repaired = build_wheel(plan, paths, settings, jobs=jobs)
    if cache:
        give(plan, repaired.path, cache)
    return repaired.path, repaired


def build_wheel(plan: Plan, paths: Paths, settings: Settings, *, jobs: int | None = None) -> Repaired:
    """Build and repair one plan into ``wheels/``, and keep there how it was made.

    The tree stays, for whoever finds fault with the wheel. Raises UsageError while another process builds the plan, and
    what each step does.
    """
    place, started = Workplace.of(plan, paths), datetime.now(UTC)
    # up to the notes: what another process cleared away before them would be this one's wheel and log
    with place.opened(paths, keeps=may_keep(plan, settings)):
        foresee(plan, place.tree, paths, settings)
        cache = object_cache(plan, paths, settings)
        built = build_raw(place, paths, settings, jobs=jobs, cache=cache)
        raw = built.path
        if cache:
            trim(objects_root(paths), cache.limit, but=plan.recipe.name)
        made = parse_wheel(raw.name)
        if plan.requires or (made.name, made.version) != (plan.project, plan.version):
            try:
                raw = restamp(raw, plan.version, name=plan.project, requires=plan.requires)
            except BadBinary as error:
                raise place.failed(f"it made {raw.name}, which is not a whole wheel: {error}") from error
        return _finish(raw, place, gather(place, paths, settings, started=started), paths, took=built.took)


def _finish(raw: Path, place: Workplace, made: Provenance, paths: Paths, *, took: Peak) -> Repaired:
    """Repair a plan's wheel, move it into ``wheels/``, and keep there how it was made.

    Raises RepairFailed: what was in ``wheels/`` before is still there then.
    """
    plan = place.plan
    # in the folder itself, so that the wheel is renamed to its place, whole
    with scratch(paths.wheels, ".build.") as folder:
        try:
            repaired = _repaired(raw, folder, plan, made, paths)
        except RepairFailed as error:
            raise RepairFailed(f"{error}\n{place.kept}") from error
        wheel = paths.wheels / repaired.path.name
        if wheel.exists() and plan.key is None:
            note(f"· {wheel} was there: it is replaced")
        elif wheel.exists() and notes.noted_key(wheel) != plan.key:
            note(f"· {wheel} was there, built from other inputs: it is replaced")
        repaired.path.replace(wheel)
    notes.keep(
        wheel,
        build_key=plan.key,
        gpu=plan.target.gpu,
        facts=facts(plan, repaired, seconds=made.seconds),
        provenance=made,
        memory=took,
        log=place.log.read_bytes(),
    )
    return replace(repaired, path=wheel)


def _repaired(raw: Path, into: Path, plan: Plan, made: Provenance, paths: Paths) -> Repaired:
    compiler = compiler_for(plan, paths) if plan.builder == "cross" else None
    # what a cross build links to lies beside its compiler, not among this machine's own libraries
    beside = [compiler.root / "lib"] if compiler else ()
    with step(f"repair {raw.name}") as at:
        repaired = repair(
            raw,
            into,
            exclude=plan.repair_exclude,
            glibc_ceiling=plan.glibc,
            library_path=beside,
            describe=partial(bill_of_materials, made, key=plan.key),
            epoch=made.epoch,
        )
        at.outcome = repaired.policy
    return repaired


def fault_in_image(wheel: Path, plan: Plan, settings: Settings) -> str:
    """Try a wheel that was built in a container in the image that the site names for that; return what is wrong.

    Nothing where it works, and where no image is named. Raises ContainerError.
    """
    target = plan.target
    image = settings.container.runtime_image(target.compute, target.arch)
    if plan.builder != "container" or image is None:
        return ""
    return fault_in(image, wheel, plan.recipe, settings, python=target.python, arch=target.arch)


def fault_in(image: str, wheel: Path, recipe: Recipe, settings: Settings, *, python: str, arch: str) -> str:
    """Try a wheel in an image as its recipe says; return what is wrong, "" where it works. Raises ContainerError."""
    with step(f"try {wheel.name} in {image}") as at:
        try:
            try_wheel(
                wheel,
                engine=find_engine(settings.container.engine),
                image=image,
                python=python,
                arch=arch,
                code=recipe.smoke_code,
                requires=recipe.test_requires,
            )
        except VerificationFailed as error:
            at.fail("it does not work there")
            return str(error)
    return ""


def unverified(plans: tuple[Plan, ...], wheel: Path, found: str, paths: Paths) -> Failure:
    """Return the failure of a wheel in which verification found something: the wheel stays.

    What was found may lie in the recipe's questions, and to change those changes no wheel.
    """
    plan = plans[0]
    recipe = path_of(paths.recipes, plan.recipe.name)
    again = (
        f"If the test is wrong, change modules, smoke_test or test_requires in {recipe} and run the same command "
        "again: it verifies this wheel and builds nothing. If the wheel is wrong, change what it is built from: that "
        "builds another one."
    )
    error = VerificationFailed(
        f"{plan.title} was built and did not pass verification:\n{found}\nThe wheel is kept, not verified: {wheel}\n"
        f"{again if plan.key else 'It was built from a folder, so the same command builds it again.'}"
    )
    return Failure(plans=plans, error=error, found=found.replace(str(wheel), wheel.name))


def facts(plan: Plan, repaired: Repaired, *, seconds: int) -> BuildFacts:
    """Return what the registry keeps of how a wheel was made."""
    ref = None
    match plan.source:
        case Sdist(name=name):
            source = f"{name or plan.recipe.name}=={plan.recipe.version}"
        case Git(url=source, branch=branch, tag=tag):
            ref = branch or tag
        case LocalFolder(path=path):
            source = path.name
    needs = re.match(r"manylinux_(\d+)_(\d+)", repaired.policy)
    return BuildFacts(
        source=source,
        pin=pin_of(plan.source),
        ref=ref,
        patches=tuple(
            PatchApplied(name=patch.name, sha256=patch.sha256, description=patch.description)
            for patch in plan.patches
        ),
        builder=plan.builder,
        python=plan.target.python,
        arch=plan.target.arch,
        glibc_asked=plan.target.glibc,
        compute=plan.target.compute,
        torch=plan.target.torch,
        variant=plan.target.variant,
        glibc=".".join(needs.groups()) if needs else None,
        seconds=seconds,
    )
