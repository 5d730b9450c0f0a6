"""What a build requires of the site's own recipes: their wheels decide the bytes of its own, so their keys do too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from workbench.errors import RecipeError, UsageError, WorkbenchError
from workbench.recipe.load import names as recipe_names

if TYPE_CHECKING:
    from workbench.make.request import Planned
    from workbench.plan.axes import Axes
    from workbench.plan.plan import Plan


class NeedBroken(RecipeError):
    """What a build requires has a recipe here and cannot be planned: `package`, because of `why`."""

    def __init__(self, plan: Plan, package: str, why: WorkbenchError) -> None:
        super().__init__(f"{plan.title} requires {package}, which cannot be planned: {why}")
        self.package, self.why = package, why


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededPlan:
    """What a build requires of the site's own recipes: a plan, and what its package was planned with."""

    plan: Plan
    planned: Planned


def needs_of(
    plan: Plan, recipes: Path, planned_of: Callable[[str, Axes], Planned], *, asked_by: Sequence[str]
) -> Iterator[NeededPlan]:
    """Yield what a plan's `build_requires` name that has a recipe, is for its target and of a version that fits.

    A build for a GPU may require what has none of its code; what is for other targets the package index has to have.
    `planned_of` plans a package; `asked_by` are the packages whose builds require the plan's. Raises RecipeError where
    packages require each other in a circle; NeedBroken.
    """
    own = plan.recipe.name
    known = frozenset(recipe_names(recipes)) if plan.build_requires else frozenset()
    for requirement in map(Requirement, plan.build_requires):
        name = canonicalize_name(requirement.name)
        if name not in known or name == own:
            continue
        if name in asked_by:
            circle = " requires ".join((*asked_by[asked_by.index(name) :], own, name))
            raise RecipeError(
                f"build_requires: {circle}: none of them can be built first: take one requirement away"
            )
        try:
            planned = _first(name, _axes_for(plan), planned_of)
        except NeedBroken as error:
            raise NeedBroken(plan, error.package, error.why) from error
        except WorkbenchError as error:
            raise NeedBroken(plan, name, error) from error
        if planned:
            fits = requirement.specifier.contains
            plans = (each for each in planned.plans if fits(each.version, prereleases=True))
            yield from (NeededPlan(plan=each, planned=planned) for each in plans)


def _axes_for(plan: Plan) -> tuple[Axes, ...]:
    """Return for what the packages are planned that a plan's build requires: the first that one has is for it."""
    own = replace(plan.axes, version="", variant="")
    return (own,) if own.compute == "cpu" else (own, replace(own, compute="cpu", gpu=""))


def _first(name: str, tried: Sequence[Axes], planned_of: Callable[[str, Axes], Planned]) -> Planned | None:
    """Return what a package's plans are for the first axes for which it has some; None where it has none."""
    for axes in tried:
        with suppress(UsageError):
            return planned_of(name, axes)
    return None
