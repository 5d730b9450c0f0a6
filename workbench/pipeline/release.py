"""``release``: the main job, from a recipe to a wheel that pip and uv install from the index."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from workbench import console
from workbench.builders.interpreter import find_interpreter
from workbench.builders.workplace import Workplace
from workbench.errors import BuildFailed, FilenameTaken, RepairFailed, UsageError, VerificationFailed
from workbench.evidence import notes as built
from workbench.files import sha256_of
from workbench.make.assign import AUTO
from workbench.make.build import attempt, build_wheel, find_built
from workbench.make.request import plans
from workbench.make.verification import verify_wheels
from workbench.pipeline.proof import Proof, prove, unproved
from workbench.plan.local_version import minor
from workbench.plan.target import this_arch
from workbench.publish.amend import current, refuse_a_store_behind
from workbench.publish.gaps import Gap, tell
from workbench.publish.upload import upload
from workbench.registry.model import Unavailable
from workbench.verify.report import findings_text
from workbench.wheel.filename import label

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.make.build import Failure
    from workbench.make.request import Request
    from workbench.paths import Paths
    from workbench.plan.draft import LeftOut
    from workbench.plan.plan import Plan
    from workbench.plan.target import Target
    from workbench.registry.model import PublishedWheel, Registry
    from workbench.settings import Settings
    from workbench.store.protocol import Store
    from workbench.verify.report import Report

ATTEMPTS = 3
"""Builds of one wheel: the first, and at most two more where verification fails and another may pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """What a release of a package has to do: the plans to build, those already published, the targets left out.

    `unproved` are those of what is published that were never proved here.
    """

    request: Request
    package: str
    plans: tuple[Plan, ...]
    published: tuple[tuple[Plan, PublishedWheel], ...]
    unproved: tuple[Proof, ...]
    left_out: tuple[LeftOut, ...]


def todo(
    request: Request, paths: Paths, settings: Settings, store: Store, *, skip_build: bool = False
) -> Todo:
    """Return what a release would do; with `skip_build` only what lies in ``wheels/`` is released.

    Raises FilenameTaken where another build of the same version is, or was, published for the same target: its bytes
    never change, so this build needs a version of its own. UsageError where `skip_build` finds no wheel. RecipeError,
    PatchError, RegistryError, StoreError besides.
    """
    planned = plans(request, paths, settings)
    registry = current(store)
    refuse_a_store_behind(paths, store, registry)
    open_plans, done = [], []
    for plan in planned.plans:
        wheel = published(plan, registry)
        if wheel is None:
            _refuse_what_was_published(plan, registry, paths)
            if skip_build:
                _found_built(plan, request, paths)
            open_plans.append(plan)
        elif wheel.build_key == plan.key:
            done.append((plan, wheel))
        else:
            raise FilenameTaken(
                f"{wheel.filename} is published, built from other inputs than {plan.title} would be now; {_ANEW}"
            )
    return Todo(
        request=request,
        package=planned.planner.recipe.name,
        plans=tuple(open_plans),
        published=tuple(done),
        unproved=unproved([_proof(plan, wheel) for plan, wheel in done], paths, settings, store),
        left_out=planned.left_out,
    )


def _proof(plan: Plan, wheel: PublishedWheel) -> Proof:
    return Proof(package=plan.recipe.name, python=plan.target.python, arch=plan.target.arch, wheel=wheel)


def _refuse_what_was_published(plan: Plan, registry: Registry, paths: Paths) -> None:
    """Raise FilenameTaken for a wheel that was yanked or removed, unless these very bytes lie in ``wheels/``."""
    package = registry.packages.get(plan.recipe.name)
    for wheel in package.wheels if package else ():
        if wheel.yanked is not None and _fits(wheel.filename, plan):
            raise FilenameTaken(
                f"{wheel.filename} is published and yanked: 'invoke unyank {wheel.filename}' takes that back. {_ANEW}"
            )
    for gone in registry.removed:
        if gone.project != plan.recipe.name or not _fits(gone.filename, plan):
            continue
        earlier = find_built(plan, paths)
        if earlier is None or earlier.name != gone.filename or sha256_of(earlier) != gone.sha256:
            raise FilenameTaken(f"{gone.filename} was published and removed on {gone.removed[:10]}: {_ANEW}")


_ANEW = "published bytes never change: release it as a new version with --version-suffix .post1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What a release came to: what is published now, and the plans that failed."""

    cells: tuple[Proof, ...] = ()
    failures: tuple[Failure, ...] = ()


def release(
    work: Todo, paths: Paths, settings: Settings, store: Store, *, skip_build: bool = False
) -> Released:
    """Build, repair, verify, publish and prove what is to be done, and prove what was published and never proved.

    A wheel that this very plan made earlier is taken as it is; with `skip_build` there must be one. A wheel that
    does not verify is removed and, where that may help, built again, at most twice. A target that fails stops no
    other: where that is the package's fault and not this machine's, its page tells of it, as of what the recipe does
    not support.

    Raises InstallFailed, what publishing raises, and what building raises that is not one target's.
    """
    made, failures = attempt(
        work.plans, lambda plan: _verified(plan, work.request, paths, settings, skip_build=skip_build)
    )
    cells: tuple[Proof, ...] = ()
    if made:
        uploaded = upload(paths, settings, store, [report for _, report in made])
        wheels = {planned.wheel.filename: planned.wheel for planned in uploaded.plan.wheels}
        cells = tuple(_proof(plan, wheels[report.path.name]) for plan, report in made)
    # of a variant the page has no cell; what this machine lacks says nothing of the package
    gaps = [_left_out(each) for each in work.left_out if each.target.variant is None and each.error is None]
    gaps += [
        _failed(each, paths)
        for each in failures
        if each.plan.target.variant is None and isinstance(each.error, _OF_THE_PACKAGE)
    ]
    if gaps:
        tell(paths, settings, store, work.package, gaps)
    prove((*cells, *work.unproved), paths, settings, store)
    return Released(cells=cells, failures=failures)


_OF_THE_PACKAGE = (BuildFailed, RepairFailed, VerificationFailed)


def _left_out(out: LeftOut) -> Gap:
    return Gap(why=_unavailable(out.target, out.reason), name=str(out.target))


def _failed(failure: Failure, paths: Paths) -> Gap:
    """Return what a package's page tells of a build that failed: the log of the compilers, or what a check found."""
    plan, error = failure.plan, failure.error
    place = Workplace.of(plan, paths)
    if isinstance(error, BuildFailed):
        reason, log = "does not build", place.log.read_bytes()
    else:
        repairing = isinstance(error, RepairFailed)
        reason = "cannot be made portable" if repairing else "did not pass its checks"
        # where its tree lies is for this machine's people
        log = str(error).removesuffix(f"\n{place.kept}").encode()
    return Gap(
        why=_unavailable(plan.target, f"{plan.version} {reason}"),
        name=plan.slug,
        log=log,
    )


def _unavailable(target: Target, reason: str) -> Unavailable:
    torch = minor(target.torch) if target.torch else None
    return Unavailable(
        reason=reason, python=target.python, arch=target.arch, compute=target.compute, torch=torch
    )


def published(plan: Plan, registry: Registry) -> PublishedWheel | None:
    """Return the wheel that is published for a plan's version and target, or None.

    Of several it is the one that this very plan made, if that is among them.
    """
    package = registry.packages.get(plan.recipe.name)
    fitting = [
        wheel
        for wheel in (package.wheels if package else ())
        if wheel.yanked is None and _fits(wheel.filename, plan)
    ]
    return next((wheel for wheel in fitting if wheel.build_key == plan.key), fitting[0] if fitting else None)


def _fits(filename: str, plan: Plan) -> bool:
    """Say whether a filename is of a plan's version, and for its target. None with a variant label is."""
    if label(filename):
        return False
    _, version, _, tags = parse_wheel_filename(filename)
    return version == plan.version and any(
        _runs_on(tag.platform, plan)
        for tag in tags
        if tag.interpreter == plan.target.python_tag or tag.abi in ("abi3", "none")
    )


def _runs_on(platform: str, plan: Plan) -> bool:
    """Say whether a platform tag is of a plan's architecture, and needs no newer glibc than the target has."""
    if platform == "any":
        return True
    floor = re.match(r"manylinux_2_(\d+)_", platform)
    newer = plan.target.glibc and floor and int(floor[1]) > int(plan.target.glibc.removeprefix("2."))
    return platform.endswith(f"_{plan.target.arch}") and not newer


def _verified(plan: Plan, request: Request, paths: Paths, settings: Settings, *, skip_build: bool) -> Report:
    if plan.target.arch == this_arch():
        find_interpreter(plan.target.python)  # to verify and to prove: missed now, and not after the build
    place = Workplace.of(plan, paths)
    for number in range(1, ATTEMPTS + 1):
        earlier = _found_built(plan, request, paths) if skip_build else find_built(plan, paths)
        if earlier:
            console.note(f"· {earlier.name} was built earlier from the same inputs")
        wheel = earlier or build_wheel(plan, paths, settings, jobs=request.jobs).path
        (report,) = verify_wheels([wheel], paths)
        if report.passed:
            if not earlier:
                place.clear()
            return report
        findings = findings_text(report)
        if skip_build:
            raise VerificationFailed(
                f"{findings}\n{wheel} did not verify; build it again without --skip-build"
            )
        built.discard(wheel)
        if number == ATTEMPTS or not (earlier or _may_come_out_otherwise(report)):
            break
        console.note(findings)
        console.note(f"{wheel.name} is removed and built again (attempt {number + 1} of {ATTEMPTS})")
    builds = f"in {number} builds" if number > 1 else "and another build would come to the same"
    raise VerificationFailed(f"{plan.title} did not verify, {builds}:\n{findings}\n{place.kept}")


def _may_come_out_otherwise(report: Report) -> bool:
    """Say whether another build of the same plan may pass: what was found can be bad luck, a file damaged on its way.

    What a wheel is called, has in it and is compiled for comes out the same each time.
    """
    return all(finding.check in ("archive", "record", "smoke") for finding in report.findings)


def _found_built(plan: Plan, request: Request, paths: Paths) -> Path:
    if earlier := find_built(plan, paths):
        return earlier
    raise UsageError(
        f"--skip-build: no wheel in {paths.wheels} was made by this plan of {plan.title}; "
        f"run '{_build_of(plan, request)}' first"
    )


def _build_of(plan: Plan, request: Request) -> str:
    """Return the command line that builds one plan of a request: what was asked for, of each axis the plan's own."""
    words = ["invoke", "build", plan.recipe.name]
    for axis in fields(request.axes):
        value = getattr(plan.target, axis.name)
        if value and (axis.name == "python" or getattr(request.axes, axis.name)):
            words += [f"--{axis.name}", value if isinstance(value, str) else ",".join(value)]
    if request.builder != AUTO:
        words += ["--builder", request.builder]
    if request.suffix:
        words += ["--version-suffix", request.suffix]
    return shlex.join(words)
