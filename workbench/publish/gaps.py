"""Gaps: why there is no wheel for a target, told on the package's page.

A build that failed is told of with its log, a target that the recipe does not support with the reason. A wheel that is
published for the target later takes the place of either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.publish.amend import amend, current
from workbench.publish.drawing import draw_pages
from workbench.store.layout import log_key

if TYPE_CHECKING:
    from workbench.registry.model import Registry, Unavailable
    from workbench.store.opening import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A target without a wheel, and why; `log` is what the build called `name` said, if one failed."""

    why: Unavailable
    name: str
    log: bytes | None = None


def tell(site: Site, project: str, gaps: Sequence[Gap]) -> bool:
    """Publish why targets of a project have no wheel, their logs first; return whether any of it was new.

    A project that is not registered stays so: for a failure alone there is no page. Raises StoreError, RegistryError.
    """
    store = site.store
    package = current(store).packages.get(project)
    reasons = [_placed(project, gap) for gap in gaps]
    if package is None:
        return False
    if package.with_reasons(reasons) == package:
        draw_pages(site)  # who told it first may have been killed before that
        return False
    store.prepare()
    for gap, why in zip(gaps, reasons, strict=True):
        if why.log is not None and gap.log is not None:
            store.create(why.log, gap.log, sha256=hashlib.sha256(gap.log).hexdigest())
    changed = False

    def change(registry: Registry) -> Registry:
        nonlocal changed
        known = registry.packages.get(project)
        after = registry.with_package(project, known.with_reasons(reasons)) if known else registry
        changed = after != registry
        return after

    amend(store, change, f"tell why {project} has no wheel for {len(gaps)} of its targets")
    draw_pages(site)
    return changed


def _placed(project: str, gap: Gap) -> Unavailable:
    """Return a reason with the key where its log goes."""
    if gap.log is None:
        return gap.why
    return replace(gap.why, log=log_key(project, gap.name, hashlib.sha256(gap.log).hexdigest()))
