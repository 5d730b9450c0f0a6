"""The cells of many packages, as a graph: which wheels must be there before which builds begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from graphlib import TopologicalSorter
from types import MappingProxyType
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from workbench.errors import RecipeError, UsageError, WorkbenchError
from workbench.fleet.orders import Order
from workbench.make.assign import assign
from workbench.make.cells import is_published
from workbench.make.needs import NeedBroken
from workbench.make.request import Planned, Request, plans
from workbench.plan.axes import Axes
from workbench.plan.spelling import spelled_out
from workbench.plan.target import cross, require_gpus_used
from workbench.recipe.load import load_versions
from workbench.recipe.load import names as recipe_names
from workbench.recipe.model import ALL

if TYPE_CHECKING:
    from workbench.builders.own_index import PublishedHere
    from workbench.make.request import Assigns
    from workbench.paths import Paths
    from workbench.plan.plan import Plan
    from workbench.plan.target import Target
    from workbench.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildCell:
    """One package for one target: its plan, and the names of the cells whose wheels its build requires.

    `planned` is what its package was planned with.
    """

    plan: Plan
    planned: Planned
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the journal knows it by: ``hnswlib-0.8.0-cp311-x86_64-cpu``."""
        return self.plan.slug

    @property
    def package(self) -> str:
        """The package's name."""
        return self.plan.recipe.name

    @property
    def family(self) -> tuple[str, str, Target]:
        """What it shares with the cells for other Pythons, which one wheel may serve as well."""
        return self.package, self.plan.recipe.version, replace(self.plan.target, python="")

    def order(
        self,
        site: str,
        *,
        wheels: Sequence[str] = (),
        jobs: int | None = None,
        deadline: float,
        cache: str = "",
    ) -> Order:
        """Return the order to build it in a site, with these wheels of the cells that it needs."""
        return Order(
            site=site,
            name=self.package,
            axes=self.plan.axes,
            builder=self.plan.builder,
            why=self.plan.why,
            version_suffix=self.planned.request.version_suffix,
            needs=self.plan.needs,
            key=self.plan.key,
            wheels=tuple(wheels),
            jobs=jobs,
            deadline=round(deadline),
            cache=cache,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Omitted:
    """What nothing is built for, and why: one target of a package, or all (`target` is empty)."""

    package: str
    target: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The cells of a run, those that others need first; and the targets and packages that have none.

    `broken` are packages that could not be planned, each with its error.
    """

    cells: tuple[BuildCell, ...]
    left_out: tuple[Omitted, ...]
    broken: tuple[tuple[str, WorkbenchError], ...]


def matrix_of(
    names: Sequence[str],
    axes: Axes,
    paths: Paths,
    settings: Settings,
    *,
    builder: str,
    published: PublishedHere = MappingProxyType({}),
    assigned: Assigns = assign,
) -> Matrix:
    """Return the cells of some packages, or of all that have a recipe where none is named.

    A package that another one's build requires, and that has a recipe here and is not published as it would be made
    now, joins them. `assigned` says who builds. Raises RecipeError for a name without a recipe.
    """
    there = recipe_names(paths.recipes)
    wanted: tuple[str, ...] = tuple(dict.fromkeys(map(canonicalize_name, names))) or there
    _require_sound(axes, wanted, paths, settings)
    cells: dict[str, BuildCell] = {}
    left_out: list[Omitted] = []
    broken: dict[str, WorkbenchError] = {}
    for name in wanted:
        request = Request(name=name, axes=axes, builder=builder)
        if names and name not in there:
            plans(request, paths, settings)  # its error names the nearest
        try:
            planned = plans(request, paths, settings, among_others=len(wanted) > 1, assigned=assigned)
        except UsageError as error:  # the axes are sound, and it is for none of their targets
            reason = str(error).partition("\n")[0]
            left_out.append(Omitted(package=name, target="", reason=reason))
            continue
        except NeedBroken as error:
            broken[error.package] = error.why
            reason = f"it needs the wheel of {error.package}, which has none: it cannot be planned"
            left_out.append(Omitted(package=name, target="", reason=reason))
            continue
        except WorkbenchError as error:
            broken[name] = error
            continue
        left_out += [Omitted(package=name, target=out.cell, reason=out.reason) for out in planned.left_out]
        cells |= {each.slug: BuildCell(plan=each, planned=planned) for each in planned.plans}
    found = _ordered(_with_needs(cells, published))
    return Matrix(cells=found, left_out=tuple(left_out), broken=tuple(broken.items()))


def _require_sound(axes: Axes, wanted: Sequence[str], paths: Paths, settings: Settings) -> None:
    """Raise UsageError for axes that make no sense for any package; what is wrong with a recipe is told later."""
    with suppress(RecipeError):
        recipe = load_versions(paths.recipes, wanted[0])[-1] if wanted else None
        if recipe:
            targets = cross(spelled_out(axes.over(Axes(**asdict(settings.matrix))), recipe))
            if ALL not in axes.compute:
                require_gpus_used(axes.gpu, targets)


def _with_needs(asked: Mapping[str, BuildCell], published: PublishedHere) -> Mapping[str, BuildCell]:
    """Return cells with the names of those that each needs, and these cells too, but for what is published."""
    cells = dict(asked)
    open_ = [*cells.values()]
    while open_:
        cell = open_.pop()
        needed = [
            BuildCell(plan=each.plan, planned=each.planned)
            for each in cell.planned.planner_of(cell.plan).needed(cell.plan)
            if each.plan.slug in cells or not is_published(each.plan, each.planned, published)
        ]
        cells[cell.name] = replace(cell, needs=tuple(each.name for each in needed))
        more = {each.name: each for each in needed if each.name not in cells}
        cells |= more
        open_ += more.values()
    return cells


def _ordered(cells: Mapping[str, BuildCell]) -> tuple[BuildCell, ...]:
    """Return cells, those that others need first: planning has found that none requires itself."""
    needs = {name: each.needs for name, each in cells.items()}
    return tuple(cells[name] for name in TopologicalSorter(needs).static_order())
