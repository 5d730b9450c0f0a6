"""How the cells of a request stand: published, published otherwise than now, built, to build, left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from workbench.make.assign import AUTO
from workbench.make.cells import difference, find_built, is_current, serves
from workbench.make.request import plans
from workbench.publish.amend import current, refuse_a_lost_registry
from workbench.verify import cache

if TYPE_CHECKING:
    from workbench.make.request import Planned, Request
    from workbench.paths import Paths
    from workbench.plan.plan import Plan
    from workbench.registry.model import PublishedWheel, Registry
    from workbench.settings import Settings
    from workbench.store.protocol import Store


CellState = Literal["published", "changed", "built", "to build", "left out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one cell stands: its target in words, its state, and what there is to say of it (a filename, a reason)."""

    target: str
    state: CellState
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A published wheel that serves a cell; `changed` says in what it differs from what would be made of it now."""

    wheel: PublishedWheel
    changed: str = ""


def standings(request: Request, paths: Paths, settings: Settings, store: Store) -> tuple[Standing, ...]:
    """Return how each cell of a request stands. Raises what planning raises."""
    planned = plans(request, paths, settings)
    registry = current(store)
    refuse_a_lost_registry(store, registry)
    found = [_standing(plan, planned, registry, paths) for plan in planned.plans]
    left = planned.left_out
    return (*found, *(Standing(target=str(out.target), state="left out", what=out.reason) for out in left))


def _standing(plan: Plan, planned: Planned, registry: Registry, paths: Paths) -> Standing:
    state: CellState
    if served := published(plan, planned, registry):
        state, what = "published", served.wheel.filename
        if served.changed:
            state, what = "changed", f"{what} was built {served.changed} than would be taken now"
    elif earlier := find_built(plan, paths.wheels, planned.planner):
        state, what = "built", earlier.name
        if faults := cache.faults(paths.state / "reports", earlier):
            what = f"{what} is not verified: {', '.join(faults)}"
    else:
        state, what = "to build", f"by {plan.builder}: {plan.why}"
    return Standing(target=str(plan.target), state=state, what=what)


def published(plan: Plan, planned: Planned, registry: Registry) -> Served | None:
    """Return the published wheel that serves a plan's cell, or None; of several one that is as it would be made now.

    Where nobody names a builder, it may have been built by another one. Raises RecipeError as `is_current` does.
    """
    by_any = planned.request.builder == AUTO
    fitting = [
        wheel
        for wheel in registry.wheels_of(plan.recipe.name)
        if wheel.yanked is None and serves(plan, wheel.filename, wheel.requires_python)
    ]
    for wheel in fitting:
        if is_current(plan, wheel.build_key, wheel.build, planned.planner, by_any=by_any):
            return Served(wheel=wheel)
    if not fitting:
        return None
    changed = _source_changed(fitting[0], plan, planned)
    return Served(wheel=fitting[0], changed=changed or "from other inputs (recipe, builder or toolchain)")


def mixed_with(plan: Plan, planned: Planned, registry: Registry) -> Served | None:
    """Return a published wheel of a plan's version that has other patches or another source than it would have now."""
    for wheel in registry.wheels_of(plan.recipe.name):
        same = wheel.yanked is None and wheel.filename.split("-")[1] == str(plan.version)
        if same and (changed := _source_changed(wheel, plan, planned)):
            return Served(wheel=wheel, changed=changed)
    return None


def _source_changed(wheel: PublishedWheel, plan: Plan, planned: Planned) -> str:
    """Say in what a wheel's source and patches differ from what its own cell would get now."""
    facts = wheel.build
    if facts is None:
        return ""
    target = replace(
        plan.target,
        python=facts.python or plan.target.python,
        arch=facts.arch or plan.target.arch,
        compute=facts.compute,
        torch=facts.torch,
        variant=facts.variant,
    )
    draft = planned.planner.draft_of(target)
    return difference(facts, draft) if draft else ""
