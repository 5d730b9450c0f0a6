"""What a build requires of the site's own recipes: their wheels decide the bytes of its own, so their keys do too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from workbench.errors import RecipeError, UsageError, WorkbenchError
from workbench.recipe.load import names as recipe_names

if TYPE_CHECKING:
    from workbench.make.request import Planned
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
    plan: Plan, recipes: Path, planned_of: Callable[[str], Planned], *, asked_by: Sequence[str]
) -> Iterator[NeededPlan]:
    """Yield what a plan's `build_requires` name that has a recipe, is for its target and of a version that fits.

    What is for other targets the package index has to have. `planned_of` plans a package; `asked_by` are the packages
    whose builds require the plan's. Raises RecipeError where packages require each other in a circle; NeedBroken.
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
            planned = planned_of(name)
        except UsageError:
            continue
        except NeedBroken as error:
            raise NeedBroken(plan, error.package, error.why) from error
        except WorkbenchError as error:
            raise NeedBroken(plan, name, error) from error
        for each in planned.plans:
            if _serves(each, plan) and requirement.specifier.contains(each.version, prereleases=True):
                yield NeededPlan(plan=each, planned=planned)


def _serves(provider: Plan, user: Plan) -> bool:
    """Say whether a wheel of one plan can be installed where another is built."""
    one, other = provider.target, user.target
    same = (one.python, one.arch) == (other.python, other.arch)
    return same and one.compute in ("cpu", other.compute) and one.torch in (None, other.torch)
