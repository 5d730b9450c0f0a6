"""A plan's raw wheel, as the builders leave it: neither restamped nor repaired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.builders.build import build
from workbench.builders.workplace import Workplace

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.plan.plan import Plan
    from workbench.site import Site


def built(plan: Plan, site: Site, *, jobs: int | None = None) -> Path:
    """Build a plan in its workplace, and return the raw wheel there."""
    place = Workplace.of(plan, site)
    with place.opened(site):
        return build(place, site, jobs=jobs)
