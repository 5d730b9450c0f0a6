"""What a person asks to be built, and the plans that it means on this machine, for this site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from packaging.version import Version

from workbench.errors import ContainerError, SettingsError, ToolchainError, UsageError
from workbench.make.assign import AUTO, assign, complete
from workbench.make.needs import needs_of
from workbench.patches.series import read_series
from workbench.plan.axes import Axes
from workbench.plan.draft import LeftOut, built_for_none, drafts
from workbench.plan.plan import Builder, Needed
from workbench.plan.spelling import spelled_out
from workbench.plan.target import cross, require_gpus_used
from workbench.recipe.load import load_versions
from workbench.recipe.model import LocalFolder
from workbench.recipe.versions import asked_for
from workbench.repair.policies import glibc_range
from workbench.source.requires_python import excludes, recall_pythons

if TYPE_CHECKING:
    from workbench.errors import WorkbenchError
    from workbench.make.needs import NeededPlan
    from workbench.patches.series import PatchFile
    from workbench.paths import Paths
    from workbench.plan.draft import Draft
    from workbench.plan.plan import Plan
    from workbench.plan.target import Target
    from workbench.recipe.model import Recipe, Source
    from workbench.settings import Settings
    from workbench.source.quote import Quote


Assigns = Callable[["Draft", str, "Settings"], "Plan"]
"""Makes a plan of a draft and of the builder that somebody wants, as `assign` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person asks to be built: a package, for which targets, from what, as which version."""

    name: str
    axes: Axes = field(default_factory=Axes)
    builder: str = AUTO
    source_dir: Path | None = None
    version_suffix: str = ""
    max_jobs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a request means: its plans, and the targets left out with the reason.

    `planners`, one for each version, plan other targets too.
    """

    request: Request
    planners: tuple[Planner, ...]
    plans: tuple[Plan, ...]
    left_out: tuple[LeftOut, ...]

    def planner_of(self, plan: Draft) -> Planner:
        """Return the planner that a plan is of."""
        return next(each for each in self.planners if each.recipe.version == plan.recipe.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Plans one version of a request's package for any target: read once, the recipe, its series and the settings.

    `assigned` says who builds a draft: this machine, unless others do. `asked_by` are the packages whose builds require
    this one, the outermost first.
    """

    paths: Paths
    recipe: Recipe
    series: tuple[PatchFile, ...]
    source: Source | None
    suffix: str
    settings: Settings
    upstream_python: Quote | None = None
    assigned: Assigns = assign
    asked_by: tuple[str, ...] = ()
    _needed: dict[tuple[Target, tuple[Needed, ...]], tuple[NeededPlan, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )
    _cells: dict[tuple[Target, str], Plan | None] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        request: Request,
        paths: Paths,
        settings: Settings,
        *,
        assigned: Assigns = assign,
        asked_by: tuple[str, ...] = (),
    ) -> Planner:
        """Return the planner of a request's package, at the version that `recipe` is of.

        Raises PatchError, UsageError.
        """
        folder = request.source_dir
        if folder and not folder.is_dir():
            raise UsageError(f"--source-dir {folder}: no such folder")
        series = tuple(read_series(paths.patches / recipe.patches))
        source = LocalFolder(path=folder.resolve()) if folder else None
        return cls(
            paths=paths,
            recipe=recipe,
            series=series,
            source=source,
            suffix=request.version_suffix,
            settings=settings,
            upstream_python=recall_pythons(source or recipe.source, series, paths.cache),
            assigned=assigned,
            asked_by=asked_by,
        )

    def drafts(self, targets: Sequence[Target]) -> tuple[tuple[Draft, ...], tuple[LeftOut, ...]]:
        """Return the drafts for some targets, and those left out. Raises what drafting raises."""
        return drafts(
            self.recipe,
            self.series,
            targets,
            source=self.source,
            suffix=self.suffix,
            local_version=self.settings.local_version,
            glibc=self.settings.glibc,
            beyond=self._beyond,
        )

    def _beyond(self, python: str) -> str | None:
        told = self.upstream_python
        if told is None or not excludes(told, python):
            return None
        return f"upstream supports Python {told.text} ({told.where} of its source)"

    def plan(self, draft: Draft, builder: str) -> Plan:
        """Return the plan of a draft, built by `builder`.

        Raises what `assign` raises; UsageError where no platform tag (PEP 600) says that a wheel runs with its glibc;
        NeedBroken and RecipeError for what it requires of the site's own.
        """
        oldest, newest = glibc_range(draft.target.arch)
        if draft.glibc and not Version(oldest) <= Version(draft.glibc) <= Version(newest):
            origin = "--glibc" if draft.target.glibc else "workbench.yaml: glibc:"
            raise UsageError(
                f"{origin} {draft.glibc}: the platform tags for {draft.target.arch} go from {oldest} to {newest}"
            )
        return self._with_needs(self.assigned(draft, builder, self.settings), builder, self.assigned)

    def needed(self, plan: Plan) -> tuple[NeededPlan, ...]:
        """Return what a plan that this planner has made requires of the site's own recipes."""
        return self._needed.get((plan.target, plan.needs), ())

    def _with_needs(self, plan: Plan, builder: str, assigned: Assigns) -> Plan:
        def planned_of(name: str, axes: Axes) -> Planned:
            request = Request(name=name, axes=axes, builder=builder)
            asking = (*self.asked_by, self.recipe.name)
            return plans(
                request, self.paths, self.settings, among_others=True, assigned=assigned, asked_by=asking
            )

        found = tuple(needs_of(plan, self.paths.recipes, planned_of, asked_by=self.asked_by))
        needs = tuple(Needed(package=each.plan.recipe.name, key=str(each.plan.key)) for each in found)
        self._needed[plan.target, needs] = found
        return replace(plan, needs=needs)

    def draft_of(self, target: Target) -> Draft | None:
        """Return the draft for one target, or None where the recipe does not support it now."""
        made, _ = self.drafts([target])
        return made[0] if made else None

    def of_cell(self, target: Target, builder: str) -> Plan | None:
        """Return the plan of a target as that builder makes it, on whichever machine; None where there is none now."""
        if (target, builder) not in self._cells:
            draft, found = self.draft_of(target), None
            if draft and builder in get_args(Builder):
                with suppress(ToolchainError):
                    found = self._with_needs(_as_built(draft, builder, self.settings), builder, _as_built)
            self._cells[target, builder] = found
        return self._cells[target, builder]


def _as_built(draft: Draft, builder: str, settings: Settings) -> Plan:
    """Make the plan of a draft as that builder makes it, on whichever machine (`Assigns`)."""
    return complete(draft, cast("Builder", builder), "as it was built", settings)


def plans(
    request: Request,
    paths: Paths,
    settings: Settings,
    *,
    among_others: bool = False,
    assigned: Assigns = assign,
    asked_by: tuple[str, ...] = (),
) -> Planned:
    """Return the plans that a request means, and the targets left out: this machine may not be able to build for all.

    Where it is one request among others, its torch is for those packages that build against one. `assigned` says who
    builds a draft, where others than this machine do; `asked_by` names the packages whose builds require this one.

    Raises RecipeError, SettingsError, PatchError and UsageError; ContainerError and ToolchainError where none is left.
    """
    found = possible(
        request, paths, settings, among_others=among_others, assigned=assigned, asked_by=asked_by
    )
    require_some(found)
    return found


def possible(
    request: Request,
    paths: Paths,
    settings: Settings,
    *,
    among_others: bool = False,
    assigned: Assigns = assign,
    asked_by: tuple[str, ...] = (),
) -> Planned:
    """Return what `plans` does; no plan at all where nothing that was asked for can be built."""
    version = request.axes.version or settings.matrix.version
    recipes = asked_for(load_versions(paths.recipes, request.name), version)
    if request.source_dir and len(recipes) > 1:
        raise UsageError(f"--source-dir {request.source_dir}: it is one version: name it with --version")
    planners = [
        Planner.of(recipe, request, paths, settings, assigned=assigned, asked_by=asked_by)
        for recipe in recipes
    ]
    made: list[Plan] = []
    left_out: list[LeftOut] = []
    unable: list[LeftOut] = []
    for planner in planners:
        axes, against = request.axes, planner.recipe.torch
        if among_others and against is None:
            axes = replace(axes, torch="")
        targets = targets_of(planner.recipe, axes, settings)
        wanted, unsupported = planner.drafts(targets)
        left_out += unsupported
        for each in wanted:
            try:
                made.append(planner.plan(each, request.builder))
            except (ContainerError, ToolchainError) as error:
                reason = " ".join(str(error).splitlines())
                unable.append(LeftOut(recipe=each.recipe, target=each.target, reason=reason, error=error))
    return Planned(
        request=request,
        planners=tuple(planners),
        plans=tuple(made),
        left_out=(*left_out, *unable),
    )


def targets_of(recipe: Recipe, axes: Axes, settings: Settings) -> tuple[Target, ...]:
    """Return the targets that axes mean for a recipe, over those of the site. Raises UsageError and SettingsError."""
    usual = Axes(**asdict(settings.matrix))
    if recipe.torch is None:
        usual = replace(usual, torch="")  # the site's torch is for the recipes that build against one
    try:
        targets = cross(spelled_out(axes.over(usual), recipe))
    except UsageError as error:
        axis, _, why = str(error).removeprefix("--").partition(" ")
        if getattr(axes, axis, why):
            raise
        raise SettingsError(f"workbench.yaml: matrix.{axis}: {why}") from error
    require_gpus_used(axes.gpu, targets)
    return targets


def require_some(planned: Planned) -> None:
    """Raise the error of a request that nothing is left of: the recipe's own reasons, or what this machine lacks."""
    if not planned.plans:
        raise _nothing_left(planned.left_out)


def _nothing_left(left_out: Sequence[LeftOut]) -> WorkbenchError:
    unable = [out for out in left_out if out.error is not None]
    if not unable:
        return built_for_none(left_out)
    first = unable[0].error
    assert first is not None  # noqa: S101 - what this machine cannot build has one
    if len(unable) == 1:
        return first
    reasons = "".join(f"\n  {out.cell}: {out.reason}" for out in unable)
    return type(first)(f"nothing here builds {unable[0].recipe.name} for any of these targets:{reasons}")
