"""Wheels that somebody has, repaired as their recipes ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename

from workbench.errors import RepairFailed
from workbench.events import step
from workbench.evidence import notes as built
from workbench.files import expect_wheels, temporary
from workbench.plan.draft import values_for
from workbench.plan.target import Target, this_arch, this_python
from workbench.recipe.load import maker_of
from workbench.repair.repair import Repaired, repair
from workbench.verify.pythons import own_cell
from workbench.wheel.filename import parse_wheel
from workbench.wheel.serves import Audience

if TYPE_CHECKING:
    from workbench.evidence.built import Built
    from workbench.paths import Paths
    from workbench.settings import Settings


def repair_wheels(
    wheels: Sequence[Path], paths: Paths, settings: Settings, *, dry_run: bool = False
) -> tuple[Repaired, ...]:
    """Repair wheels into ``wheels/`` with their recipes' excludes; with `dry_run` only say what that would make.

    Raises UsageError without a wheel or for a path that is not a file, RepairFailed, RecipeError.
    """
    wheels = expect_wheels(wheels)
    if not dry_run:
        return tuple(_repair(wheel, paths, settings, paths.wheels) for wheel in wheels)
    with temporary() as folder:
        made = [_repair(wheel, paths, settings, folder) for wheel in wheels]
        return tuple(replace(each, path=paths.wheels / each.path.name) for each in made)


def _repair(wheel: Path, paths: Paths, settings: Settings, into: Path) -> Repaired:
    try:
        parsed = parse_wheel(wheel.name)
    except InvalidWheelFilename as error:
        raise RepairFailed(f"{wheel}: {error}") from error
    known = built.recall(wheel)
    recipe = maker_of(paths.recipes, parsed.name, parsed.version)
    exclude = values_for(recipe.repair_exclude, _target(wheel, known)) if recipe else ()
    with step(f"repair {wheel.name}") as at:
        repaired = repair(wheel, into, exclude=exclude, glibc_ceiling=settings.glibc)
        at.outcome = repaired.policy
    if known:
        built.keep(
            repaired.path,
            build_key=known.build_key,
            gpu=known.gpu,
            facts=known.facts,
            provenance=known.provenance,
            log=built.log_of(wheel),
        )
    return repaired


def _target(wheel: Path, known: Built | None) -> Target:
    """Return what a wheel was built for, as its filename and what is known of its build say."""
    python, arch = own_cell(Audience.of(wheel.name)) or (this_python(), this_arch())
    return Target(
        python=python,
        arch=arch,
        compute=known.facts.compute if known else "cpu",
        torch=known.facts.torch if known else None,
        variant=known.facts.variant if known else None,
    )
