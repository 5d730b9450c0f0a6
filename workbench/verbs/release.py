"""What ``release`` prints: what was published, what was already, what was left out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from workbench import console
from workbench.make.build import require_all
from workbench.verbs.summary import describe, published_facts

if TYPE_CHECKING:
    from workbench.pipeline.release import Released, Todo
    from workbench.settings import Settings


def report(work: Todo, released: Released, settings: Settings, *, dry_run: bool, json: bool) -> None:
    """Print the closing summary: what was published, what was already, what was left out.

    Raises where a target failed.
    """
    cells = released.cells
    if json:
        console.answer_json(
            {
                "published": [asdict(cell.wheel) for cell in cells],
                "published_already": [asdict(wheel) for _, wheel in work.published],
                "to_do": [describe(plan) for plan in work.plans] if dry_run else [],
                "failed": [str(each.plan.target) for each in released.failures],
                "left_out": [{"target": str(out.target), "reason": out.reason} for out in work.left_out],
            }
        )
        require_all(released.failures, len(work.plans))
        return
    for out in work.left_out:
        console.answer(f"left out: {out.target}: {out.reason}")
    for plan, wheel in work.published:
        console.answer(f"{plan.title} is published already: {wheel.filename}")
    for cell in cells:
        console.answer_summary(f"published {cell.wheel.filename}", published_facts(cell.wheel, settings))
    for plan in work.plans if dry_run else ():
        console.answer(f"would build, repair, verify, publish and prove {plan.title} (key {plan.key})")
    for cell in work.unproved if dry_run else ():
        console.answer(f"would prove {cell.wheel.filename}: it was not proved here")
    require_all(released.failures, len(work.plans))
