"""What a person asks to be built, and the plans that it means on this machine, for this site."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from packaging.version import Version

from workbench.builders.tools import expect_toolkit
from workbench.errors import ContainerError, ToolchainError, UsageError
from workbench.make.builder import AUTO, assign
from workbench.patches.series import read_series
from workbench.plan.plan import LeftOut, Plan, plan
from workbench.plan.target import Axes, cross, require_gpus_used
from workbench.recipe.load import load
from workbench.recipe.model import LocalFolder
from workbench.repair.policies import glibc_range

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.errors import WorkbenchError
    from workbench.recipe.model import Recipe, Source
    from workbench.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person asks to be built: a package, for which targets, from what, as which version."""

    name: str
    axes: Axes = field(default_factory=Axes)
    builder: str = AUTO
    source_dir: Path | None = None
    suffix: str = ""
    jobs: int | None = None


def plans(request: Request, site: Site) -> tuple[tuple[Plan, ...], tuple[LeftOut, ...]]:
    """Return the plans that a request means, and the targets left out with the reason.

    What cannot be built on this machine is left out, too; where that is all of them it is an error.

    Raises RecipeError, SettingsError, PatchError and UsageError; ContainerError and ToolchainError where nothing is
    left to build.
    """
    recipe = load(site.recipes, request.name)
    source: Source | None = None
    if request.source_dir is not None:
        if not request.source_dir.is_dir():
            raise UsageError(f"--source-dir {request.source_dir}: no such folder")
        source = LocalFolder(path=request.source_dir.resolve())
    patches = read_series(site.patches / recipe.patches)
    settings = site.settings
    usual = Axes(**asdict(settings.matrix))
    if recipe.torch is None:
        usual = replace(usual, torch="")  # the site's torch is for the recipes that build against one
    targets = cross(request.axes.over(usual))
    require_gpus_used(request.axes.gpu, targets)
    wanted, left_out = plan(
        recipe,
        patches,
        targets,
        source=source,
        suffix=request.suffix,
        local_version=settings.local_version,
    )
    assigned, unable = [], []
    for each in wanted:
        try:
            assigned.append(_assigned(each, request.builder, site))
        except (ContainerError, ToolchainError) as error:
            unable.append(LeftOut(target=each.target, reason=" ".join(str(error).splitlines()), error=error))
    if not assigned:
        raise _nothing_left(recipe, unable)
    return tuple(assigned), (*left_out, *unable)


def _assigned(plan: Plan, builder: str, site: Site) -> Plan:
    """Return a plan with its builder, which has what it needs as far as that can be told without a download."""
    plan = assign(plan, builder, site)
    _require_policy(plan)
    return replace(plan, toolkit=expect_toolkit(plan, site))


def _require_policy(plan: Plan) -> None:
    """Raise UsageError where no platform tag (PEP 600) says that a wheel runs with the glibc that is asked for."""
    if plan.glibc is None:
        return
    oldest, newest = glibc_range(plan.target.arch)
    if not Version(oldest) <= Version(plan.glibc) <= Version(newest):
        raise UsageError(
            f"glibc {plan.glibc} (--glibc, or workbench.yaml): the platform tags for {plan.target.arch} go from "
            f"{oldest} to {newest}"
        )


def _nothing_left(recipe: Recipe, unable: Sequence[LeftOut]) -> WorkbenchError:
    first = unable[0].error
    assert first is not None  # noqa: S101 - what this machine cannot build has one
    if len(unable) == 1:
        return first
    reasons = "".join(f"\n  {out.target}: {out.reason}" for out in unable)
    return type(first)(f"nothing here builds {recipe.name} for any of these targets:{reasons}")
