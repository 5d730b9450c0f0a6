"""What a build requires of the site's own recipes: their wheels decide the bytes of its own, so their keys do too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from workbench.errors import ContainerError, RecipeError, ToolchainError, UsageError, WorkbenchError
from workbench.plan.target import this_arch
from workbench.recipe.load import load_versions
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
    """Yield what a plan's `build_requires` name that has a recipe and is for its target: the newest version that fits.

    A build for a GPU may require what has none of its code; what is for other targets the package index has to have.
    A requirement with a URL, or with a marker that does not hold where the plan is built, needs no recipe.
    `planned_of` plans a package; `asked_by` are the packages whose builds require the plan's. Raises RecipeError where
    packages require each other in a circle; NeedBroken; ContainerError and ToolchainError for what cannot be built here
    for this target.
    """
    own = plan.recipe.name
    known = frozenset(recipe_names(recipes)) if plan.build_requires else frozenset()
    wanted: dict[NormalizedName, SpecifierSet] = {}
    for requirement in map(Requirement, plan.build_requires):
        name = canonicalize_name(requirement.name)
        if name in known and name != own and requirement.url is None and _holds(requirement, plan):
            wanted[name] = wanted.get(name, SpecifierSet()) & requirement.specifier
    for name, fitting in wanted.items():
        if name in asked_by:
            circle = " requires ".join((*asked_by[asked_by.index(name) :], own, name))
            raise RecipeError(
                f"build_requires: {circle}: none of them can be built first: take one requirement away"
            )
        try:
            versions = [each.version for each in load_versions(recipes, name)]
            newest_first = reversed([*fitting.filter(versions, prereleases=True)])
            planned = _first(name, _axes_for(plan, newest_first), planned_of)
        except NeedBroken as error:
            raise NeedBroken(plan, error.package, error.why) from error
        except (ContainerError, ToolchainError) as error:
            raise type(error)(f"{plan.title} requires {name}: {error}") from error  # other targets may do
        except WorkbenchError as error:
            raise NeedBroken(plan, name, error) from error
        if planned:
            yield from (NeededPlan(plan=each, planned=planned) for each in planned.plans)


def _holds(requirement: Requirement, plan: Plan) -> bool:
    """Say whether the marker of a build requirement holds where a plan is built."""
    arch = this_arch() if plan.builder == "cross" else plan.target.arch
    python = plan.target.python_version
    there = {
        "platform_machine": arch,
        "python_version": python,
        "python_full_version": f"{python}.0",
        "extra": "",
    }
    return requirement.marker is None or requirement.marker.evaluate(there)


def _axes_for(plan: Plan, versions: Iterable[str]) -> Iterator[Axes]:
    """Yield for what a package is planned that a plan's build requires: the first that it has is for it."""
    for version in versions:
        own = replace(plan.axes, version=str(Version(version)), variant="")
        yield from (own,) if own.compute == "cpu" else (own, replace(own, compute="cpu", gpu=""))


def _first(name: str, tried: Iterable[Axes], planned_of: Callable[[str, Axes], Planned]) -> Planned | None:
    """Return what a package's plans are for the first axes for which it has some; None where it has none."""
    for axes in tried:
        with suppress(UsageError):
            return planned_of(name, axes)
    return None
