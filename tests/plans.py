"""Plans as tests need them: drafted, and given to a builder without asking this machine."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from workbench.plan.draft import Draft, drafts
from workbench.plan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.patches.series import PatchFile
    from workbench.plan.plan import Builder
    from workbench.plan.target import Target
    from workbench.recipe.model import Recipe, Source


def planned(
    recipe: Recipe,
    target: Target,
    patches: Sequence[PatchFile] = (),
    *,
    source: Source | None = None,
    suffix: str = "",
    builder: Builder = "host",
) -> Plan:
    """Return the plan of a recipe for a target, built by `builder`."""
    ((draft,), _) = drafts(recipe, patches, [target], source=source, suffix=suffix)
    return given_to(draft, builder)


def given_to(draft: Draft, builder: Builder = "host") -> Plan:
    """Return a draft's plan."""
    return Plan(**{each.name: getattr(draft, each.name) for each in fields(Draft)}, builder=builder, why="")
