"""``repair``: wheels made portable, with what that took."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from workbench import console
from workbench.commands import built
from workbench.commands.verify import arch_of, python_of
from workbench.errors import RepairFailed, UsageError
from workbench.plan.conditions import values_for
from workbench.plan.target import Target
from workbench.recipe.load import load, names
from workbench.repair.repair import Repaired, repair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.commands.built import Built
    from workbench.site import Site


def repair_wheels(wheels: Sequence[Path], site: Site, *, dry_run: bool = False) -> tuple[Repaired, ...]:
    """Repair wheels into ``wheels/`` with their recipes' excludes; with `dry_run` keep nothing of it.

    Raises UsageError without a wheel, RepairFailed, RecipeError.
    """
    if not wheels:
        raise UsageError("name the wheels: wheels/*.whl")
    with TemporaryDirectory(prefix="workbench-repair-") as scratch:
        into = Path(scratch) if dry_run else site.wheels
        return tuple(_repair(wheel, site, into) for wheel in wheels)


def _repair(wheel: Path, site: Site, into: Path) -> Repaired:
    try:
        name, *_ = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise RepairFailed(f"{wheel}: {error}") from error
    known = built.recall(wheel) if wheel.is_file() else None
    exclude: tuple[str, ...] = ()
    if name in names(site.recipes):
        exclude = values_for(load(site.recipes, name).repair_exclude, _target(wheel, known))
    with console.step(f"repair {wheel.name}") as at:
        repaired = repair(wheel, into, exclude=exclude, glibc_ceiling=site.settings.glibc)
        at.outcome = repaired.policy
    if known:
        built.keep(
            repaired.path,
            build_key=known.build_key,
            gpu=known.gpu,
            facts=known.facts,
            log=built.log_of(wheel),
        )
    return repaired


def _target(wheel: Path, known: Built | None) -> Target:
    """Return what a wheel was built for, as its filename and what is known of its build say."""
    return Target(
        python=python_of(wheel.name),
        arch=arch_of(wheel.name),
        compute=known.facts.compute if known else "cpu",
        torch=known.facts.torch if known else None,
        variant=known.facts.variant if known else None,
    )


def report(repaired: Sequence[Repaired], *, json: bool) -> None:
    """Print what repair did to each wheel."""
    if json:
        console.answer_json([each.as_dict() for each in repaired])
        return
    for each in repaired:
        facts = [
            ("policy", each.policy),
            ("grafted", ", ".join(each.grafted) or "nothing"),
            ("excluded", ", ".join(each.excluded) or "nothing"),
            ("rpaths added", ", ".join(each.rpaths_added) or "none"),
            ("rpaths removed", ", ".join(each.rpaths_removed) or "none"),
            *(("in the way", str(limit)) for limit in each.limits),
        ]
        console.answer_summary(str(each.path), facts)
