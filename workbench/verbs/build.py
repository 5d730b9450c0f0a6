"""What ``build`` prints: what was built, or in a dry run what would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench import console
from workbench.make.build import require_all
from workbench.verbs.summary import describe, source_facts, source_line, tags_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.make.build import Failure
    from workbench.make.request import Planned
    from workbench.repair.repair import Repaired


def report(
    planned: Planned,
    made: Sequence[Repaired],
    failures: Sequence[Failure] = (),
    *,
    dry_run: bool,
    json: bool,
) -> None:
    """Print what was built, or in a dry run what would be; and what was left out. Raises where something failed."""
    todo, left_out = planned.plans, planned.left_out
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
        told = describe(each) | {
            "source": source_line(source_facts(each.source)),
            "patches": ", ".join(patch.name for patch in each.patches) or "none",
            "build_key": each.key or "none: built from a folder",
        }
        console.answer_summary(
            f"would build {each.title}", [(k.replace("_", " "), v) for k, v in told.items()]
        )
    require_all(failures, len(todo))
