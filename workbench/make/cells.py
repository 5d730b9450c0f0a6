"""Which wheel serves which cell: a wheel of a stable ABI, or one without compiled code, serves many."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import RecipeError, WorkbenchError
from workbench.events import note
from workbench.evidence import notes
from workbench.evidence.facts import BuildFacts
from workbench.make.assign import AUTO
from workbench.recipe.model import Git, Sdist
from workbench.repair.policies import glibc_range
from workbench.strict import Mismatch, parse
from workbench.verify.archive import metadata
from workbench.wheel.filename import parse_wheel, wheel_name_or_none
from workbench.wheel.serves import Audience, Machine

if TYPE_CHECKING:
    from workbench.builders.own_index import PublishedHere
    from workbench.make.request import Planned, Planner
    from workbench.plan.draft import Draft
    from workbench.plan.plan import Plan
    from workbench.recipe.model import Source


def serves(draft: Draft, filename: str, requires_python: str | None) -> bool:
    """Say whether a wheel of a draft's package is of its version, and for its cell.

    Where no glibc is asked for, any will do that there is a platform tag for.
    """
    python, arch, glibc = draft.target.python, draft.target.arch, draft.glibc
    machine = Machine(python=python, arch=arch, glibc=glibc or glibc_range(arch)[1])
    fits = Audience.of(filename, requires_python).serves(machine)
    return fits and parse_wheel(filename).version == draft.version


def is_current(
    plan: Plan, key: str | None, facts: BuildFacts | None, planner: Planner, *, by_any: bool = False
) -> bool:
    """Say whether a wheel that serves a plan's cell is what would be made now of the cell that it was built for.

    That cell's key is compared. With `by_any` it may have been built by another builder than the plan's. Raises
    RecipeError where the plan's cell would get other patches than the wheel has.
    """
    if key is None:
        return False
    if key == plan.key:
        return True
    if facts is None or facts.python is None or facts.arch is None:
        return False
    target = replace(plan.target, python=facts.python, arch=facts.arch, glibc=facts.glibc_asked)
    builder = facts.builder if by_any or target.arch != plan.target.arch else plan.builder
    own = planner.of_cell(target, builder)
    if own is None or own.key != key:
        return False
    _require_same_patches(own, plan)
    return True


def _require_same_patches(own: Draft, other: Draft) -> None:
    if own.patches != other.patches:
        raise RecipeError(
            f"{own.recipe.name}: patches_when: the wheel for {own.target} serves {other.target} as well, which would "
            "get other patches: give both the same, or build wheels that serve one Python each"
        )


def find_built(plan: Plan, wheels: Path, planner: Planner) -> Path | None:
    """Return the wheel in a folder that serves a plan's cell and was made from the inputs of now, or None.

    One without notes does not count: a build that was killed between the two leaves such a wheel.
    """
    if plan.key is None:
        return None
    for wheel in sorted(wheels.glob("*.whl")):
        filename, known = wheel_name_or_none(wheel.name), None
        if filename and filename.name == plan.project:
            with suppress(WorkbenchError):
                known = notes.recall(wheel)
        served = known and serves(plan, wheel.name, requires_python(wheel))
        if known and served and is_current(plan, known.build_key, known.facts, planner):
            if known.provenance is None or not known.provenance.took or planner.settings.signing.key is None:
                return wheel
            note(
                f"· {wheel.name} is built again: it was made with {known.provenance.took}, and is to be signed"
            )
    return None


def is_published(plan: Plan, planned: Planned, published: PublishedHere) -> bool:
    """Say whether a wheel that serves a plan's cell and was made from the inputs of now is published.

    Where nobody names a builder, it may have been built by another one. Raises RecipeError as `is_current` does.
    """
    by_any = planned.request.builder == AUTO
    for filename, told in published.get(plan.project, {}).items():
        if told.get("yanked") is None and serves(plan, filename, told.get("requires_python")):
            try:
                facts = parse(BuildFacts, told["build"]) if told.get("build") else None
            except Mismatch:
                continue
            if is_current(plan, told.get("build_key"), facts, planned.planner_of(plan), by_any=by_any):
                return True
    return False


def sharing(wheel: Path, plan: Plan, others: Sequence[Plan]) -> tuple[Plan, ...]:
    """Return a plan and those of `others` whose cells the wheel that was made of it serves as well.

    Raises RecipeError where one of them would get other patches.
    """
    needs = requires_python(wheel)
    shared = [plan]
    for each in others:
        same = replace(each.target, python=plan.target.python, arch=plan.target.arch) == plan.target
        if same and serves(each, wheel.name, needs):
            _require_same_patches(plan, each)
            shared.append(each)
    return tuple(shared)


def requires_python(wheel: Path) -> str | None:
    """Return what a wheel's METADATA says of the Pythons it takes."""
    found = BytesHeaderParser().parsebytes(metadata(wheel) or b"").get("Requires-Python")
    return str(found) if found else None


def pin_of(source: Source) -> str:
    """Return what pins a source; empty for a folder."""
    match source:
        case Sdist(sha256=pin) | Git(commit=pin):
            return pin
    return ""


def difference(facts: BuildFacts, draft: Draft) -> str:
    """Say in what a wheel's source and patches differ from a draft's; nothing where they are the same."""
    if facts.pin != pin_of(draft.source):
        return "from another source"
    had = {patch.name: patch.sha256 for patch in facts.patches}
    has = {patch.name: patch.sha256 for patch in draft.patches}
    names = [name for name in {**had, **has} if had.get(name) != has.get(name)]
    if not names and list(had) == list(has):
        return ""
    return f"with other patches ({', '.join(names) or 'in another order'})"
