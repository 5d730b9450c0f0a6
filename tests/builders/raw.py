"""A plan's raw wheel, as the builders leave it: neither restamped nor repaired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.builders.raw_wheel import build_raw
from workbench.builders.workplace import Workplace
from workbench.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.plan.plan import Plan


def built(plan: Plan, paths: Paths, *, jobs: int | None = None) -> Path:
    """Build a plan in its workplace, and return the raw wheel there."""
    place = Workplace.of(plan, paths)
    with place.opened(paths):
        return build_raw(place, paths, read_settings(paths), jobs=jobs).path
