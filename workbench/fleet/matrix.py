"""The cells of many packages, as a graph: which wheels must be there before which builds begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from workbench.errors import RecipeError, UsageError, WorkbenchError
from workbench.fleet.orders import Order
from workbench.make.assign import assign
from workbench.make.request import Planned, Request, plans
from workbench.plan.axes import Axes
from workbench.plan.spelling import spelled_out
from workbench.plan.target import cross, require_gpus_used
from workbench.recipe.load import load_versions
from workbench.recipe.load import names as recipe_names
from workbench.recipe.model import ALL

if TYPE_CHECKING:
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
            version_suffix=self.planned.request.version_suffix,
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
    published: frozenset[str] = frozenset(),
    assigned: Assigns = assign,
) -> Matrix:
    """Return the cells of some packages, or of all that have a recipe where none is named.

    A package that another one's build requires, and that has a recipe here and is not `published`, joins them.
    `assigned` says who builds. Raises
    UsageError where packages require each other in a circle; RecipeError for a name without a recipe.
    """
    there = recipe_names(paths.recipes)
    wanted: tuple[str, ...] = tuple(dict.fromkeys(map(canonicalize_name, names))) or there
    _require_sound(axes, wanted, paths, settings)
    cells: dict[str, BuildCell] = {}
    left_out: list[Omitted] = []
    broken: dict[str, WorkbenchError] = {}
    for name in wanted:
        if names and name not in there:
            plans(
                Request(name=name, axes=axes, builder=builder), paths, settings
            )  # its error names the nearest
        try:
            request = Request(name=name, axes=axes, builder=builder)
            planned = plans(request, paths, settings, among_others=len(wanted) > 1, assigned=assigned)
        except UsageError as error:  # the axes are sound, and it is for none of their targets
            reason = str(error).partition("\n")[0]
            left_out.append(Omitted(package=name, target="", reason=reason))
            continue
        except WorkbenchError as error:
            broken[name] = error
            continue
        left_out += [Omitted(package=name, target=out.cell, reason=out.reason) for out in planned.left_out]
        cells |= {each.slug: BuildCell(plan=each, planned=planned) for each in planned.plans}
    open_, known = [*cells.values()], frozenset(there)
    without: dict[str, str] = {}
    while open_:
        cell = open_.pop()
        try:
            needed, more = _needs(cell, cells, known - published, paths, settings, broken=broken)
        except _Broken as error:
            without[cell.name] = error.name
            continue
        cells[cell.name] = replace(cell, needs=tuple(each.name for each in needed))
        cells |= {each.name: each for each in more}
        open_ += more
    sound = {}
    for cell in _ordered(cells):
        lost = (cells[need].package for need in cell.needs if need in without)
        if why := without.get(cell.name) or next(lost, ""):
            without[cell.name] = why
            reason = (
                f"it needs the wheel of {why}, which has none: it cannot be planned, or needs one that cannot"
            )
            left_out.append(Omitted(package=cell.package, target=cell.plan.cell, reason=reason))
        else:
            sound[cell.name] = cell
    return Matrix(cells=tuple(sound.values()), left_out=tuple(left_out), broken=tuple(broken.items()))


def _require_sound(axes: Axes, wanted: Sequence[str], paths: Paths, settings: Settings) -> None:
    """Raise UsageError for axes that make no sense for any package; what is wrong with a recipe is told later."""
    with suppress(RecipeError):
        recipe = load_versions(paths.recipes, wanted[0])[-1] if wanted else None
        if recipe:
            targets = cross(spelled_out(axes.over(Axes(**asdict(settings.matrix))), recipe))
            if ALL not in axes.compute:
                require_gpus_used(axes.gpu, targets)


class _Broken(Exception):
    """A package that another requires cannot be planned."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _needs(
    cell: BuildCell,
    cells: Mapping[str, BuildCell],
    known: frozenset[str],
    paths: Paths,
    settings: Settings,
    *,
    broken: dict[str, WorkbenchError],
) -> tuple[list[BuildCell], list[BuildCell]]:
    """Return the cells that a cell's build requires, and those of them that were not in the run yet.

    What cannot be planned is put into `broken`. Raises _Broken where the cell requires that.
    """
    needed, more = [], []
    for text in cell.plan.build_requires:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        here = [each for each in cells.values() if each.package == name]
        if name == cell.package or not (here or name in known):
            continue
        if name in broken:
            raise _Broken(name)
        if not here:
            axes = replace(cell.plan.axes, version="")
            request = Request(name=name, axes=axes, builder=cell.planned.request.builder)
            try:
                assigned = cell.planned.planner_of(cell.plan).assigned
                planned = plans(request, paths, settings, among_others=True, assigned=assigned)
            except UsageError:
                continue  # it is not for this target: the package index has to have it
            except WorkbenchError as error:
                broken[name] = error
                raise _Broken(name) from error
            here = [BuildCell(plan=each, planned=planned) for each in planned.plans]
            more += here
        fitting = [
            each
            for each in here
            if _serves(each.plan, cell.plan)
            and requirement.specifier.contains(each.plan.version, prereleases=True)
        ]
        needed += fitting
    return needed, more


def _serves(provider: Plan, user: Plan) -> bool:
    """Say whether a wheel of one plan can be installed where another is built."""
    one, other = provider.target, user.target
    same = (one.python, one.arch) == (other.python, other.arch)
    return same and one.compute in ("cpu", other.compute) and one.torch in (None, other.torch)


def _ordered(cells: Mapping[str, BuildCell]) -> tuple[BuildCell, ...]:
    """Return cells, those that others need first. Raises RecipeError for a circle."""
    try:
        names = [*TopologicalSorter({name: each.needs for name, each in cells.items()}).static_order()]
    except CycleError as error:
        circle = " requires ".join(reversed([cells[name].package for name in error.args[1]]))
        raise RecipeError(
            f"build_requires: {circle}: none of them can be built first: take one requirement away"
        ) from error
    return tuple(cells[name] for name in names)
