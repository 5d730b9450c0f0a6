"""The wheels of a release: made earlier or built now, then verified, several at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from workbench.builders.interpreter import find_interpreter
from workbench.builders.workplace import Workplace
from workbench.errors import UsageError
from workbench.events import note
from workbench.evidence import notes
from workbench.flags import command_line
from workbench.make.cells import find_built, sharing
from workbench.make.produce import Failure, Product, fault_in_image, produce, unverified, wheel_of
from workbench.make.verification import verify_wheels
from workbench.plan.axes import Axes
from workbench.plan.target import this_arch
from workbench.verify.report import findings_text

if TYPE_CHECKING:
    from workbench.make.request import Planned
    from workbench.make.wheel_cache import WheelCache
    from workbench.paths import Paths
    from workbench.plan.plan import Plan
    from workbench.settings import Settings

AT_ONCE = 8
"""Wheels that are verified at the same time, at most."""

_DAMAGE = ("archive", "record")
"""The checks that find a file damaged: the only fault that another build of the same inputs mends."""


def made(
    plan: Plan,
    others: Sequence[Plan],
    planned: Planned,
    paths: Paths,
    settings: Settings,
    *,
    cache: WheelCache | None,
    skip_build: bool,
) -> Product:
    """Return a plan's wheel, and those of the others whose cells it serves: made earlier, or built now."""
    if plan.target.arch == this_arch():
        find_interpreter(plan.target.python)  # to verify and to prove: missed now, and not after the build
    earlier = find_built(plan, paths.wheels, planned.planner_of(plan))
    if skip_build and not earlier:
        raise not_built(plan, planned, paths)
    if earlier:
        note(f"· {earlier.name} was built earlier from the same inputs")
    jobs = planned.request.max_jobs
    wheel = earlier or wheel_of(plan, planned.planner_of(plan), paths, settings, cache, jobs=jobs)[0]
    return Product(plans=sharing(wheel, plan, others), wheel=wheel)


def all_verified(
    products: Sequence[Product],
    planned: Planned,
    paths: Paths,
    settings: Settings,
    *,
    skip_build: bool,
    again: bool = True,
) -> tuple[tuple[Product, ...], tuple[Failure, ...]]:
    """Verify wheels, several at once, each for all cells that it serves of those asked for.

    Return those that pass, and what is wrong with the others. A damaged one is built again, once.
    """
    if not products:
        return (), ()
    asked = {each.wheel: [(plan.target.python, plan.target.arch) for plan in each.plans] for each in products}
    reports = verify_wheels(list(asked), paths, asked=asked, jobs=min(AT_ONCE, len(asked)))
    sound: list[Product] = []
    damaged: list[Product] = []
    failures: list[Failure] = []
    for product, report in zip(products, reports, strict=True):
        plan = product.plans[0]
        found = findings_text(report) or fault_in_image(product.wheel, plan, settings)
        if not found:
            Workplace.of(plan, paths).clear()
            sound.append(replace(product, report=report))
        elif again and not skip_build and any(finding.check in _DAMAGE for finding in report.findings):
            note(f"{found}\n{product.wheel.name} is damaged: it is removed and built again")
            notes.discard(product.wheel)
            damaged.append(product)
        else:
            failures.append(unverified(product.plans, product.wheel, found, paths))

    def rebuilt(plan: Plan, others: Sequence[Plan]) -> Product:
        return made(plan, others, planned, paths, settings, cache=None, skip_build=False)

    anew, unbuilt = produce([plan for each in damaged for plan in each.plans], rebuilt)
    passed, unsound = all_verified(anew, planned, paths, settings, skip_build=False, again=False)
    return (*sound, *passed), (*failures, *unbuilt, *unsound)


def not_built(plan: Plan, planned: Planned, paths: Paths) -> UsageError:
    """Return the error that says how to build a plan: by the line that asks for it, of each axis the plan's own."""
    own = {
        axis.name: getattr(plan.axes, axis.name)
        for axis in fields(Axes)
        if axis.name == "python" or getattr(planned.request.axes, axis.name)
    }
    asked = replace(planned.request, name=plan.recipe.name, axes=Axes(**own), max_jobs=None)
    # 'build' has the one folder
    remedy = "leave --skip-build out" if paths.dist else f"run '{command_line('build', asked)}' first"
    return UsageError(
        f"--skip-build: no wheel in {paths.wheels} was made by this plan of {plan.title}; {remedy}"
    )
