"""``release``: the main job, from a recipe to a wheel that pip and uv install from the index."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from workbench import console
from workbench.commands import built
from workbench.commands.build import build_wheel, describe, find_built, plans
from workbench.commands.proof import Cell, prove
from workbench.commands.upload import upload
from workbench.commands.verify import verify_wheels
from workbench.errors import FilenameTaken, UsageError, VerificationFailed
from workbench.registry.file import load as load_registry
from workbench.verify.report import findings_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.commands.build import Request
    from workbench.plan.plan import LeftOut, Plan
    from workbench.registry.model import PublishedWheel, Registry
    from workbench.site import Site
    from workbench.verify.report import Report

ATTEMPTS = 3
"""Builds of one wheel: the first, and at most two more where verification fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """What a release has to do: the plans to build, those already published, and the targets left out."""

    plans: tuple[Plan, ...]
    published: tuple[tuple[Plan, PublishedWheel], ...]
    left_out: tuple[LeftOut, ...]


def todo(request: Request, site: Site) -> Todo:
    """Return what a release would do.

    Raises FilenameTaken where another build of the same version is published for the same Python: its bytes never
    change, so this build needs a version of its own. RecipeError, PatchError, UsageError, RegistryError besides.
    """
    wanted, left_out = plans(request, site)
    registry = load_registry(site.registry)
    open_plans, done = [], []
    for plan in wanted:
        wheel = published(plan, registry)
        if wheel is None:
            open_plans.append(plan)
        elif wheel.build_key == plan.key:
            done.append((plan, wheel))
        else:
            raise FilenameTaken(
                f"{wheel.filename} is published, built from other inputs than {plan.title} would be now; "
                f"published bytes never change: release it as a new version with --version-suffix .post1"
            )
    return Todo(plans=tuple(open_plans), published=tuple(done), left_out=left_out)


def release(work: Todo, site: Site, *, jobs: int | None = None, skip_build: bool = False) -> tuple[Cell, ...]:
    """Build, repair, verify, publish and prove what is to be done, and return what is published now.

    A wheel that this very plan made earlier is taken as it is; with `skip_build` there must be one. A wheel that
    does not verify is removed and built again, at most twice.

    Raises VerificationFailed, InstallFailed, and what building and publishing raise.
    """
    if not work.plans:
        return ()
    reports = [_verified(plan, site, jobs=jobs, skip_build=skip_build) for plan in work.plans]
    uploaded = upload(reports, site)
    cells = tuple(
        Cell(package=plan.recipe.name, python=plan.target.python, wheel=planned.wheel)
        for plan, planned in zip(work.plans, uploaded.plan.wheels, strict=True)
    )
    prove(cells, site)
    return cells


def report(work: Todo, cells: Sequence[Cell], site: Site, *, json: bool) -> None:
    """Print the closing summary: what was published, what was already, what was left out."""
    if json:
        console.answer_json(
            {
                "published": [asdict(cell.wheel) for cell in cells],
                "published_already": [asdict(wheel) for _, wheel in work.published],
                "to_do": [] if cells else [describe(plan) for plan in work.plans],
                "left_out": [{"target": str(out.target), "reason": out.reason} for out in work.left_out],
            }
        )
        return
    for out in work.left_out:
        console.answer(f"left out: {out.target}: {out.reason}")
    for plan, wheel in work.published:
        console.answer(f"{plan.title} is published already: {wheel.filename}")
    for cell in cells:
        console.answer_summary(f"published {cell.wheel.filename}", _facts(cell, site))
    if not cells:
        for plan in work.plans:
            console.answer(f"would build, repair, verify, publish and prove {plan.title} (key {plan.key})")


def _facts(cell: Cell, site: Site) -> list[tuple[str, str]]:
    wheel = cell.wheel
    _, version, _, tags = parse_wheel_filename(wheel.filename)
    base = site.settings.public_url
    lines = [
        ("size", console.file_size(wheel.size)),
        ("tags", ", ".join(sorted(map(str, tags)))),
        ("sha256", wheel.sha256),
    ]
    if base:
        lines.append(("install", f"pip install --index-url {base}/index/simple/ {cell.package}=={version}"))
    else:
        lines.append(("serve", "invoke serve"))
        lines.append(
            (
                "install",
                f"pip install --index-url http://127.0.0.1:8000/index/simple/ {cell.package}=={version}",
            )
        )
    return lines


def published(plan: Plan, registry: Registry) -> PublishedWheel | None:
    """Return the wheel that is published for a plan's version and target, or None.

    Of several it is the one that this very plan made, if that is among them.
    """
    package = registry.packages.get(plan.recipe.name)
    fitting = [wheel for wheel in (package.wheels if package else ()) if _fits(wheel, plan)]
    return next((wheel for wheel in fitting if wheel.build_key == plan.key), fitting[0] if fitting else None)


def _fits(wheel: PublishedWheel, plan: Plan) -> bool:
    _, version, _, tags = parse_wheel_filename(wheel.filename)
    return (
        version == plan.version
        and wheel.yanked is None
        and any(
            _runs_on(tag.platform, plan)
            for tag in tags
            if tag.interpreter == plan.target.python_tag or tag.abi in ("abi3", "none")
        )
    )


def _runs_on(platform: str, plan: Plan) -> bool:
    """Say whether a platform tag is of a plan's architecture, and needs no newer glibc than the target has."""
    if platform == "any":
        return True
    floor = re.match(r"manylinux_2_(\d+)_", platform)
    newer = plan.target.glibc and floor and int(floor[1]) > int(plan.target.glibc.removeprefix("2."))
    return platform.endswith(f"_{plan.target.arch}") and not newer


def _verified(plan: Plan, site: Site, *, jobs: int | None, skip_build: bool) -> Report:
    for attempt in range(1, ATTEMPTS + 1):
        wheel = _wheel(plan, site, jobs=jobs, skip_build=skip_build)
        (report,) = verify_wheels([wheel], site)
        if report.passed:
            return report
        console.note(findings_text(report))
        if skip_build:
            raise VerificationFailed(f"{wheel} did not verify; build it again without --skip-build")
        built.discard(wheel)
        if attempt < ATTEMPTS:
            console.note(f"{wheel.name} is removed and built again (attempt {attempt + 1} of {ATTEMPTS})")
    raise VerificationFailed(
        f"{plan.title} did not verify in {ATTEMPTS} builds; the last findings stand above"
    )


def _wheel(plan: Plan, site: Site, *, jobs: int | None, skip_build: bool) -> Path:
    earlier = find_built(plan, site)
    if earlier:
        console.note(f"· {earlier.name} was built earlier from the same inputs")
        return earlier
    if skip_build:
        raise UsageError(
            f"--skip-build: no wheel in {site.wheels} was made by this plan of {plan.title}; "
            f"run 'invoke build {plan.recipe.name} --python {plan.target.python}' first"
        )
    return build_wheel(plan, site, jobs=jobs).path
