"""``build``: a recipe into repaired wheels in ``wheels/``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from packaging.utils import parse_wheel_filename
from packaging.version import Version

from workbench import console
from workbench.build.build import build
from workbench.build.tools import expect_toolkit
from workbench.build.workplace import Workplace
from workbench.commands import built
from workbench.commands.builder import assign
from workbench.commands.summary import tags_of
from workbench.errors import (
    BuildFailed,
    ContainerError,
    RepairFailed,
    ToolchainError,
    ToolMissing,
    UsageError,
    VerificationFailed,
)
from workbench.patches.series import read_series
from workbench.plan.plan import LeftOut, Plan, plan
from workbench.plan.target import Axes, cross, require_gpus_used
from workbench.recipe.load import load
from workbench.recipe.model import Git, LocalFolder, Sdist
from workbench.registry.model import BuildFacts, PatchApplied
from workbench.repair.policies import glibc_range
from workbench.repair.repair import Repaired, repair
from workbench.repair.restamp import restamp
from workbench.verify.checks import parse_filename

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workbench.errors import WorkbenchError
    from workbench.recipe.model import Recipe, Source
    from workbench.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person asks to be built: a package, for which targets, from what, as which version."""

    name: str
    axes: Axes = field(default_factory=Axes)
    builder: str = "auto"
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
    expect_toolkit(plan, site)
    return plan


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


T = TypeVar("T")

OF_ONE_TARGET = (
    BuildFailed,
    RepairFailed,
    VerificationFailed,
    ToolMissing,
    ContainerError,
    ToolchainError,
)
"""What goes wrong for one target and may go well for the next: its build, its Python, its image, its CUDA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A plan that came to no wheel, and why."""

    plan: Plan
    error: WorkbenchError


def attempt(
    todo: Sequence[Plan], make: Callable[[Plan], T]
) -> tuple[tuple[tuple[Plan, T], ...], tuple[Failure, ...]]:
    """Make what each plan is to become, one after the other; a failure for one target stops no other.

    Raises at once what would stop them all: a source that cannot be had, a full disk.
    """
    made, failures = [], []
    for number, each in enumerate(todo, 1):
        try:
            made.append((each, make(each)))
        except OF_ONE_TARGET as error:
            failures.append(Failure(plan=each, error=error))
            if number < len(todo):
                console.note(f"{error}\n· {each.title} failed; {len(todo) - number} more to go")
    return tuple(made), tuple(failures)


def build_all(
    planned: tuple[tuple[Plan, ...], tuple[LeftOut, ...]], site: Site, *, jobs: int | None = None
) -> tuple[tuple[Repaired, ...], tuple[Failure, ...]]:
    """Build and repair every plan; return the wheels, and the plans that failed."""

    def make(each: Plan) -> Repaired:
        repaired = build_wheel(each, site, jobs=jobs)
        Workplace.of(each, site).clear()
        return repaired

    made, failures = attempt(planned[0], make)
    return tuple(repaired for _, repaired in made), failures


def require_all(failures: Sequence[Failure], count: int) -> None:
    """Raise the error of a plan that failed, or one for all that did; `count` were tried."""
    if not failures:
        return
    first = failures[0].error
    if count == 1:
        raise first
    names = ", ".join(str(each.plan.target) for each in failures)
    raise type(first)(
        f"{len(failures)} of {count} targets failed: {names}\nThe last of them: {failures[-1].error}"
    )


def build_wheel(plan: Plan, site: Site, *, jobs: int | None = None) -> Repaired:
    """Build and repair one plan into ``wheels/``, and keep there how it was made.

    The tree stays, for whoever looks at the wheel and finds fault with it.

    Raises what fetching, patching, building and repairing raise.
    """
    console.note(f"· {plan.title}: builder {plan.builder}, {plan.why}")
    raw = build(plan, site, jobs=jobs)
    if plan.requires or parse_wheel_filename(raw.name)[1] != plan.version:
        raw = restamp(raw, plan.version, requires=plan.requires)
    place = Workplace.of(plan, site)
    before = {wheel.name for wheel in site.wheels.glob("*.whl")}
    with console.step(f"repair {raw.name}") as at:
        try:
            repaired = repair(
                raw,
                site.wheels,
                exclude=plan.repair_exclude,
                glibc_ceiling=plan.glibc,
                # what a cross build links to lies beside its compiler, not among this machine's own libraries
                library_path=[Path(f"/usr/{plan.target.arch}-linux-gnu/lib")]
                if plan.builder == "cross"
                else (),
            )
        except RepairFailed as error:
            raise RepairFailed(f"{error}\n{place.kept}") from error
        at.outcome = repaired.policy
    if repaired.path.name in before and built.noted_key(repaired.path) != plan.key:
        console.note(f"· {repaired.path} was there, built from other inputs: it is replaced")
    built.keep(
        repaired.path,
        build_key=plan.key,
        gpu=plan.target.gpu,
        facts=facts(plan, repaired),
        log=built.without_secrets(place.log.read_bytes()),
    )
    return repaired


def find_built(plan: Plan, site: Site) -> Path | None:
    """Return the wheel in ``wheels/`` that this very plan made earlier, or None."""
    if plan.key is None:
        return None
    for wheel in sorted(site.wheels.glob("*.whl")):
        filename = parse_filename(wheel.name)
        if filename and (filename.name, filename.version) == (plan.recipe.name, plan.version):
            known = built.recall(wheel)
            if known and known.build_key == plan.key:
                return wheel
    return None


def facts(plan: Plan, repaired: Repaired) -> BuildFacts:
    """Return what the registry keeps of how a wheel was made."""
    ref = None
    match plan.source:
        case Sdist(sha256=pin, name=name):
            source = f"{name or plan.recipe.name}=={plan.recipe.version}"
        case Git(url=source, commit=pin, branch=branch, tag=tag):
            ref = branch or tag
        case LocalFolder(path=path):
            source, pin = path.name, ""
    patches = tuple(
        PatchApplied(name=patch.name, sha256=patch.sha256, description=patch.header.description)
        for patch in plan.patches
    )
    glibc = repaired.policy.removeprefix("manylinux_").split("_")[:2]
    return BuildFacts(
        source=source,
        pin=pin,
        ref=ref,
        patches=patches,
        builder=plan.builder,
        compute=plan.target.compute,
        torch=plan.target.torch,
        variant=plan.target.variant,
        glibc=".".join(glibc) if repaired.policy.startswith("manylinux_") else None,
    )


def describe(plan: Plan) -> dict[str, Any]:
    """Return a plan's plain form, for ``--dry-run`` and JSON."""
    return {
        "package": plan.recipe.name,
        "version": str(plan.version),
        "target": str(plan.target),
        "builder": plan.builder,
        "why": plan.why,
        "source": str(plan.source),
        "patches": [patch.name for patch in plan.patches],
        "build_key": plan.key,
    }


def report(
    planned: tuple[tuple[Plan, ...], tuple[LeftOut, ...]],
    made: Sequence[Repaired],
    failures: Sequence[Failure] = (),
    *,
    dry_run: bool,
    json: bool,
) -> None:
    """Print what was built, or in a dry run what would be; and what was left out. Raises where something failed."""
    todo, left_out = planned
    if json:
        console.answer_json(
            {
                "plans": [describe(each) for each in todo],
                "wheels": [repaired.as_dict() for repaired in made],
                "failed": [str(each.plan.target) for each in failures],
                "left_out": [{"target": str(out.target), "reason": out.reason} for out in left_out],
            }
        )
        require_all(failures, len(todo))
        return
    for out in left_out:
        console.answer(f"left out: {out.target}: {out.reason}")
    for repaired in made:
        facts = [
            ("size", console.file_size(repaired.path.stat().st_size)),
            ("tags", tags_of(repaired.path.name)),
            ("policy", repaired.policy),
        ]
        if repaired.grafted:
            facts.append(("grafted", ", ".join(repaired.grafted)))
        console.answer_summary(str(repaired.path), facts)
    for each in todo if dry_run else ():
        console.answer_summary(f"would build {each.title}", [(k, str(v)) for k, v in describe(each).items()])
    require_all(failures, len(todo))
