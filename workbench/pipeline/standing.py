"""How the cells of requests stand: published, published otherwise than now, built, to build, left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from workbench.errors import ContainerError, ToolchainError, UsageError
from workbench.make.assign import AUTO, complete
from workbench.make.cells import difference, find_built, is_current, serves
from workbench.make.request import possible, require_some
from workbench.plan.target import this_arch
from workbench.publish.amend import current, refuse_a_lost_registry
from workbench.verify import cache

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workbench.make.request import Planned, Request
    from workbench.paths import Paths
    from workbench.plan.draft import Draft, LeftOut
    from workbench.plan.plan import Plan
    from workbench.registry.model import PublishedWheel, Registry
    from workbench.settings import Settings
    from workbench.store.protocol import Store


CellState = Literal["published", "changed", "built", "to build", "elsewhere", "left out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one cell stands: its package, its name there, its state, and what there is to say (a filename, a reason).

    `draft` is what would be built; None where nothing would. What is ``elsewhere`` needs another machine than this.
    """

    package: str
    cell: str
    state: CellState
    what: str
    draft: Draft | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A published wheel that serves a cell; `changed` says in what it differs from what would be made of it now."""

    wheel: PublishedWheel
    changed: str = ""


def what_is_published(store: Store) -> Registry:
    """Return a store's registry. Raises StoreError, and RegistryError where it is lost."""
    registry = current(store)
    refuse_a_lost_registry(store, registry)
    return registry


def standings(
    requests: Sequence[Request], paths: Paths, settings: Settings, registry: Registry
) -> tuple[Standing, ...]:
    """Return how each cell of some requests, each for a package, stands.

    A package for which the request makes no sense, such as a version that it does not have, is left out while there are
    others. Raises what planning raises.
    """
    found: list[Standing] = []
    wrong: list[UsageError] = []
    for request in requests:
        try:
            planned = possible(request, paths, settings, among_others=len(requests) > 1)
            if len(requests) == 1:
                require_some(planned)
        except UsageError as error:
            wrong.append(error)
            found.append(Standing(package=request.name, cell="", state="left out", what=str(error)))
        else:
            found += _standings(planned, registry, paths, settings)
    if wrong and len(wrong) == len(requests):
        raise wrong[0]
    return tuple(found)


def _standings(planned: Planned, registry: Registry, paths: Paths, settings: Settings) -> Iterator[Standing]:
    for plan in planned.plans:
        yield _standing(plan, planned, registry, paths)
    for out in planned.left_out:
        there = _elsewhere(out, planned, settings)
        if there is not None and published(there, planned, registry):
            yield _standing(there, planned, registry, paths)
            continue
        state: CellState = "left out" if there is None else "elsewhere"
        yield Standing(package=out.recipe.name, cell=out.cell, state=state, what=out.reason, draft=there)


def _elsewhere(out: LeftOut, planned: Planned, settings: Settings) -> Plan | None:
    """Return the plan of a cell that this machine has no builder for, as a machine of its own architecture has it."""
    planner = next(each for each in planned.planners if each.recipe is out.recipe)
    is_foreign = isinstance(out.error, ContainerError) and out.target.arch != this_arch()
    draft = planner.draft_of(out.target) if is_foreign and not out.target.compute.startswith("rocm") else None
    try:
        return complete(draft, "host", f"on a machine of {out.target.arch}", settings) if draft else None
    except ToolchainError:
        return None


def _standing(plan: Plan, planned: Planned, registry: Registry, paths: Paths) -> Standing:
    state: CellState
    if served := published(plan, planned, registry):
        state, what = "published", served.wheel.filename
        if served.changed:
            state, what = "changed", f"{what} was built {served.changed} than would be taken now"
    elif earlier := find_built(plan, paths.wheels, planned.planner_of(plan)):
        state, what = "built", earlier.name
        if faults := cache.faults(paths.state / "reports", earlier):
            what = f"{what} is not verified: {', '.join(faults)}"
    else:
        state, what = "to build", f"by {plan.builder}: {plan.why}"
    return Standing(package=plan.recipe.name, cell=plan.cell, state=state, what=what, draft=plan)


def published(plan: Plan, planned: Planned, registry: Registry) -> Served | None:
    """Return the published wheel that serves a plan's cell, or None; of several one that is as it would be made now.

    Where nobody names a builder, it may have been built by another one. Raises RecipeError as `is_current` does.
    """
    by_any = planned.request.builder == AUTO
    fitting = [
        wheel
        for wheel in registry.wheels_of(plan.project)
        if wheel.yanked is None and serves(plan, wheel.filename, wheel.requires_python)
    ]
    for wheel in fitting:
        if is_current(plan, wheel.build_key, wheel.build, planned.planner_of(plan), by_any=by_any):
            return Served(wheel=wheel)
    if not fitting:
        return None
    changed = _source_changed(fitting[0], plan, planned)
    return Served(wheel=fitting[0], changed=changed or "from other inputs (recipe, builder or toolchain)")


def mixed_with(plan: Plan, planned: Planned, registry: Registry) -> Served | None:
    """Return a published wheel of a plan's version that has other patches or another source than it would have now."""
    for wheel in registry.wheels_of(plan.project):
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
    draft = planned.planner_of(plan).draft_of(target)
    return difference(facts, draft) if draft else ""
