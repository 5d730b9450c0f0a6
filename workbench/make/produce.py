"""A plan becomes a repaired wheel in ``wheels/``; one build for all plans whose cells the wheel serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.builders.own_index import OF_THIS_RUN, given, published_here
from workbench.builders.workplace import Workplace
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
from workbench.files import UnderWay
from workbench.make.cells import find_built, is_published, sharing
from workbench.make.wheel_cache import give, take
from workbench.recipe.load import path_of

if TYPE_CHECKING:
    from workbench.make.request import Planned, Planner
    from workbench.make.wheel_cache import WheelCache
    from workbench.paths import Paths
    from workbench.plan.plan import Plan
    from workbench.recipe.model import Recipe
    from workbench.repair.repair import Repaired
    from workbench.settings import Settings
    from workbench.verify.report import Report

_OF_ONE_TARGET = (BuildFailed, RepairFailed, VerificationFailed, ToolMissing, ContainerError, ToolchainError)
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
        except _OF_ONE_TARGET as error:
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
    from workbench.make.build import build_wheel

    def make(needed: Plan, own: Planner) -> Path:
        return wheel_of(needed, own, paths, settings, cache, jobs=jobs)[0]

    with _own_wheels(plan, planner, paths, make):
        repaired = build_wheel(plan, paths, settings, jobs=jobs)
    if cache:
        give(plan, repaired.path, cache)
    return repaired.path, repaired


@contextmanager
def _own_wheels(
    plan: Plan, planner: Planner, paths: Paths, make: Callable[[Plan, Planner], Path]
) -> Iterator[None]:
    """Let a build have what it requires of the site's own recipes: what this run has made, or what lies in ``wheels/``.

    What is in neither comes from the site's index where it is published as it would be made now, and is made now where
    it is not: the package index may have another one of that name. Where another process makes it, that is waited for.
    Raises what `make` raises.
    """
    if not plan.needs or OF_THIS_RUN.get():
        yield
        return
    found, published = [], published_here(paths)
    for each in planner.needed(plan):
        own = each.planned.planner_of(each.plan)
        wheel = find_built(each.plan, paths.wheels, own)
        if wheel is None and not is_published(each.plan, each.planned, published):
            note(f"· {plan.title} requires {each.plan.title}: that is built first")
            place = Workplace.of(each.plan, paths)
            while wheel is None:
                try:
                    wheel = make(each.plan, own)
                    place.clear()
                except UnderWay:
                    place.wait()
                    wheel = find_built(each.plan, paths.wheels, own)
        found += [wheel] if wheel else []
    with given(found, paths.state):
        yield


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
    from workbench.container.engine import find_engine
    from workbench.container.trial import try_wheel

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
