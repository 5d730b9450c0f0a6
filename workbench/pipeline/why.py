"""Why a cell is to be built: in which inputs it differs from what is published, was built here, or is in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.errors import ProofFailed, WorkbenchError
from workbench.evidence import notes
from workbench.evidence.inputs import changed_inputs
from workbench.evidence.statements import check_statement
from workbench.make.cells import requires_python, serves
from workbench.publish.resigning import published_statement
from workbench.wheel.filename import wheel_name_or_none

if TYPE_CHECKING:
    from workbench.evidence.inputs import ChangedInput
    from workbench.evidence.provenance import Provenance
    from workbench.make.request import Planned
    from workbench.make.wheel_cache import WheelCache
    from workbench.paths import Paths
    from workbench.plan.plan import Plan
    from workbench.registry.model import Registry
    from workbench.store.protocol import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """How a cell compares with a wheel of its package, the nearest of those at one place (``published``, ``wheels/``).

    `changed` is empty where they have the same inputs. `beyond_key` is what had a say in that wheel and is not in its
    build key, each by name and version: so the same key may give other bytes elsewhere. `unknown` says why there is
    nothing to compare.
    """

    cell: str
    place: str
    wheel: str
    changed: tuple[ChangedInput, ...] = ()
    beyond_key: tuple[str, ...] = ()
    unknown: str = ""


def reasons(
    planned: Planned, paths: Paths, registry: Registry, store: Store, cache: WheelCache | None
) -> tuple[Why, ...]:
    """Return for each cell, and each place that has a wheel of its package, the nearest one. Raises StoreError."""
    found: list[Why] = []
    for plan in planned.plans:
        there: dict[str, list[Why]] = {}
        for each in (
            *_published(plan, planned, registry, store),
            *_built(plan, planned, paths),
            *_cached(plan, cache),
        ):
            there.setdefault(each.place, []).append(each)
        found += [min(each, key=lambda why: (bool(why.unknown), len(why.changed))) for each in there.values()]
    return tuple(found)


def _published(plan: Plan, planned: Planned, registry: Registry, store: Store) -> Iterator[Why]:
    for wheel in registry.wheels_of(plan.project):
        if wheel.yanked is None and serves(plan, wheel.filename, wheel.requires_python):
            try:
                _, _, content, where = published_statement(store, registry, wheel.filename)
                stated = check_statement(
                    content, filename=wheel.filename, sha256=wheel.sha256, keys=None, where=where
                )
            except ProofFailed as error:
                yield Why(cell=plan.cell, place="published", wheel=wheel.filename, unknown=str(error))
            else:
                made = stated.build.made
                yield _compared(plan, _own(plan, made, planned), made, "published", wheel.filename)


def _built(plan: Plan, planned: Planned, paths: Paths) -> Iterator[Why]:
    for wheel in sorted(paths.wheels.glob("*.whl")):
        name = wheel_name_or_none(wheel.name)
        if name is None or name.name != plan.project or not serves(plan, wheel.name, requires_python(wheel)):
            continue
        with suppress(WorkbenchError):  # its notes are damaged: it counts as none of ours
            known = notes.recall(wheel)
            if known and (made := known.provenance):
                yield _compared(plan, _own(plan, made, planned), made, "wheels/", wheel.name)


def _cached(plan: Plan, cache: WheelCache | None) -> Iterator[Why]:
    if cache is None:
        return
    for built in cache.kept(plan.recipe.name):
        made = built.provenance
        if made and (made.parameters.get("python"), made.parameters.get("arch")) == (
            plan.target.python,
            plan.target.arch,
        ):
            yield _compared(plan, plan, made, cache.place, f"version {made.parameters.get('version', '')}")


def _own(plan: Plan, made: Provenance, planned: Planned) -> Plan:
    """Return the plan to compare a build with, of its own cell: a wheel may serve more Pythons than its own."""
    python, arch = (made.parameters.get(axis) or getattr(plan.target, axis) for axis in ("python", "arch"))
    if (python, arch) == (plan.target.python, plan.target.arch):
        return plan
    target = replace(plan.target, python=python, arch=arch)
    return planned.planner_of(plan).of_cell(target, plan.builder) or plan


def _compared(plan: Plan, own: Plan, made: Provenance, place: str, wheel: str) -> Why:
    beyond = tuple(f"{each.name} {each.version}".strip() for each in made.beyond_key)
    changed = changed_inputs(made, own)
    return Why(cell=plan.cell, place=place, wheel=wheel, changed=changed, beyond_key=beyond)
