"""``verify``: wheels, checked with what their recipes say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename

from workbench.errors import UsageError, VerificationFailed, WorkbenchError
from workbench.events import note
from workbench.evidence import notes as built
from workbench.files import expect_wheels
from workbench.paths import PROGRAM
from workbench.plan.gpu import is_amd
from workbench.text import counted
from workbench.verify import cache
from workbench.verify.report import Expectation, findings_text
from workbench.wheel.filename import parse_wheel

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.recipe.model import Recipe
    from workbench.verify.report import Cell, Report
    from workbench.wheel.filename import WheelName


def verify_wheels(
    wheels: Sequence[Path],
    paths: Paths,
    *,
    gpu: Sequence[str] = (),
    asked: Mapping[Path, Sequence[Cell]] = MappingProxyType({}),
    reuse: bool = False,
    static: bool = False,
    jobs: int | None = None,
) -> tuple[Report, ...]:
    """Return a report for each wheel, in their order.

    `gpu` are architectures (``sm_121``) that must be in every wheel; one that was built here must have those that it
    was built for in any case. A wheel is tried for each cell that is `asked` of it too. `reuse` takes a report that was
    kept for an unchanged file, and `static` runs nothing of the wheels: no smoke test. At most so many `jobs` run at
    once. Raises UsageError without a wheel or for a path that is not a file, RecipeError.
    """
    requests = [
        _request(wheel, paths, tuple(gpu), tuple(asked.get(wheel, ()))) for wheel in expect_wheels(wheels)
    ]
    wanted = [replace(each, smoke=each.smoke and not static) for each in requests]
    if reuse:
        kept = [report for each in wanted if (report := cache.recall(paths.state / "reports", each))]
        if len(kept) == len(wanted):
            return tuple(kept)
    from workbench.verify.verifier import verify  # what it imports costs more than asking for what is known

    return verify(wanted, paths, reuse=reuse, jobs=jobs)


def verified(
    wheels: Sequence[Path], paths: Paths, *, recipes: bool = True, static: bool = False
) -> tuple[Report, ...]:
    """Return the reports of wheels, which all pass; those verified before are not read again.

    `static` runs nothing of them, as where they were tried on another machine. Raises VerificationFailed where one does
    not pass, its findings shown, UsageError first for one without a recipe, which a site's pages need.
    """
    for wheel in expect_wheels(wheels) if recipes else ():
        with suppress(InvalidWheelFilename):  # which is a finding
            expect_recipe(wheel, paths)
    reports = verify_wheels(wheels, paths, reuse=True, static=static)
    for each in reports:
        if not each.passed:
            note(findings_text(each))
    if error := not_passed(reports):
        raise error
    return reports


def expect_recipe(wheel: Path, paths: Paths) -> Recipe:
    """Return the recipe of a wheel's package. Raises UsageError for one without."""
    parsed = parse_wheel(wheel.name)
    recipe = _recipe_of(parsed, paths)
    if recipe is None:
        raise UsageError(
            f"{wheel.name}: {parsed.name} has no recipe, which says where a package comes from: "
            f"'{PROGRAM} add-package {parsed.name} --source ...' makes one"
        )
    return recipe


def _recipe_of(wheel: WheelName, paths: Paths) -> Recipe | None:
    if not any(paths.recipes.glob("*.py")):
        return None  # who only sends wheels has none, and need not wait for what reads them
    from workbench.recipe.load import maker_of

    return maker_of(paths.recipes, wheel.name, wheel.version)


def not_passed(reports: Sequence[Report]) -> VerificationFailed | None:
    """Return the error of the wheels that did not pass; None where all did."""
    failed = [each for each in reports if not each.passed]
    if not failed:
        return None
    findings = sum(len(each.findings) for each in failed)
    return VerificationFailed(
        f"{len(failed)} of {counted(len(reports), 'wheel')} did not pass, with "
        f"{counted(findings, 'finding')}: {', '.join(each.path.name for each in failed)}"
    )


def _request(wheel: Path, paths: Paths, gpu: tuple[str, ...], asked: tuple[Cell, ...]) -> Expectation:
    """Ask for a wheel what its recipe says; for one without a recipe, that it is sound and installs."""
    try:
        parsed = parse_wheel(wheel.name)
    except InvalidWheelFilename:
        return Expectation(path=wheel)  # verification's own finding
    known, unknown = None, ""
    try:
        notes = built.read(wheel)
        known = notes.gpu if notes else None
    except WorkbenchError as error:
        unknown = str(error)  # why it should be known and is not
    gpus = dict.fromkeys((*gpu, *(known or ())))
    if amd := [each for each in gpus if is_amd(each)]:
        note(f"· {wheel.name}: code for AMD's GPUs is not read, so {', '.join(amd)} was not looked for")
    wanted = tuple(each for each in gpus if each not in amd)
    recipe = _recipe_of(parsed, paths)
    if recipe is None:
        return Expectation(path=wheel, gpu=wanted, gpu_unknown=unknown, smoke=True, asked=asked)
    return Expectation(
        path=wheel,
        modules=recipe.modules,
        gpu=wanted,
        gpu_unknown=unknown,
        some_gpu=known is None and all(pattern.startswith("cu") for pattern in recipe.compute),
        smoke_test=recipe.smoke_test,
        test_requires=recipe.test_requires,
        smoke=True,
        asked=asked,
    )
