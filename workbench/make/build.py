"""One plan built and repaired into ``wheels/``.

What builds and repairs is imported here alone: most of the time there is a wheel already.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from workbench.builders.continuing import may_keep
from workbench.builders.objects import object_cache, objects_root, trim
from workbench.builders.raw_wheel import build_raw
from workbench.builders.tools import compiler_for
from workbench.builders.workplace import Workplace
from workbench.errors import RepairFailed
from workbench.events import note, step
from workbench.evidence import notes
from workbench.evidence.facts import BuildFacts, PatchApplied
from workbench.evidence.gather import gather
from workbench.evidence.sbom import bill_of_materials
from workbench.files import scratch
from workbench.make.cells import pin_of
from workbench.make.foresight import foresee
from workbench.recipe.model import Git, LocalFolder, Sdist
from workbench.repair.repair import Repaired, repair
from workbench.wheel.filename import parse_wheel
from workbench.wheel.rename import restamp
from workbench.wheel.stream import BadBinary

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.evidence.provenance import Provenance
    from workbench.memory.peaks import Peak
    from workbench.paths import Paths
    from workbench.plan.plan import Plan
    from workbench.settings import Settings


def build_wheel(plan: Plan, paths: Paths, settings: Settings, *, jobs: int | None = None) -> Repaired:
    """Build and repair one plan into ``wheels/``, and keep there how it was made.

    The tree stays, for whoever finds fault with the wheel. Raises UnderWay while another process builds the plan, and
    what each step does.
    """
    place, started = Workplace.of(plan, paths), datetime.now(UTC)
    # up to the notes: what another process cleared away before them would be this one's wheel and log
    with place.opened(paths, keeps=may_keep(plan, settings)):
        foresee(plan, place.tree, paths, settings)
        cache = object_cache(plan, paths, settings)
        built = build_raw(place, paths, settings, jobs=jobs, cache=cache)
        raw = built.path
        if cache:
            trim(objects_root(paths), cache.limit, but=plan.recipe.name)
        made = parse_wheel(raw.name)
        if plan.requires or (made.name, made.version) != (plan.project, plan.version):
            try:
                raw = restamp(raw, plan.version, name=plan.project, requires=plan.requires)
            except BadBinary as error:
                raise place.failed(f"it made {raw.name}, which is not a whole wheel: {error}") from error
        return _finish(raw, place, gather(place, paths, settings, started=started), paths, took=built.took)


def _finish(raw: Path, place: Workplace, made: Provenance, paths: Paths, *, took: Peak) -> Repaired:
    """Repair a plan's wheel, move it into ``wheels/``, and keep there how it was made.

    Raises RepairFailed: what was in ``wheels/`` before is still there then.
    """
    plan = place.plan
    # in the folder itself, so that the wheel is renamed to its place, whole
    with scratch(paths.wheels, ".build.") as folder:
        try:
            repaired = _repaired(raw, folder, plan, made, paths)
        except RepairFailed as error:
            raise RepairFailed(f"{error}\n{place.kept}") from error
        wheel = paths.wheels / repaired.path.name
        if wheel.exists() and plan.key is None:
            note(f"· {wheel} was there: it is replaced")
        elif wheel.exists() and notes.noted_key(wheel) != plan.key:
            note(f"· {wheel} was there, built from other inputs: it is replaced")
        repaired.path.replace(wheel)
    notes.keep(
        wheel,
        build_key=plan.key,
        gpu=plan.target.gpu,
        facts=facts(plan, repaired, seconds=made.seconds),
        provenance=made,
        memory=took,
        log=place.said,
    )
    return replace(repaired, path=wheel)


def _repaired(raw: Path, into: Path, plan: Plan, made: Provenance, paths: Paths) -> Repaired:
    compiler = compiler_for(plan, paths) if plan.builder == "cross" else None
    # what a cross build links to lies beside its compiler, not among this machine's own libraries
    beside = [compiler.root / "lib"] if compiler else ()
    with step(f"repair {raw.name}") as at:
        repaired = repair(
            raw,
            into,
            exclude=plan.repair_exclude,
            glibc_ceiling=plan.glibc,
            library_path=beside,
            describe=partial(bill_of_materials, made, key=plan.key),
            epoch=made.epoch,
        )
        at.outcome = repaired.policy
    return repaired


def facts(plan: Plan, repaired: Repaired, *, seconds: int) -> BuildFacts:
    """Return what the registry keeps of how a wheel was made."""
    ref = None
    match plan.source:
        case Sdist(name=name):
            source = f"{name or plan.recipe.name}=={plan.recipe.version}"
        case Git(url=source, branch=branch, tag=tag):
            ref = branch or tag
        case LocalFolder(path=path):
            source = path.name
    needs = re.match(r"manylinux_(\d+)_(\d+)", repaired.policy)
    return BuildFacts(
        source=source,
        pin=pin_of(plan.source),
        ref=ref,
        patches=tuple(
            PatchApplied(name=patch.name, sha256=patch.sha256, description=patch.description)
            for patch in plan.patches
        ),
        builder=plan.builder,
        python=plan.target.python,
        arch=plan.target.arch,
        glibc_asked=plan.target.glibc,
        compute=plan.target.compute,
        torch=plan.target.torch,
        variant=plan.target.variant,
        glibc=".".join(needs.groups()) if needs else None,
        seconds=seconds,
    )
