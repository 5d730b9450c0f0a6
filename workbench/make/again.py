"""A wheel built again from the statement of how it was made, with the tools of then, in a fresh place; and compared.

Nothing of today's recipe, patches or settings decides what is built, and nothing that earlier builds compiled is used.
"""

from __future__ import annotations

import glob
import hashlib
import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from workbench import __version__
from workbench.builders.isolation import why_not
from workbench.builders.own_index import given, projects_here
from workbench.builders.tools import expect_toolkit
from workbench.errors import CommandFailed, ProofFailed, ToolMissing
from workbench.events import step
from workbench.evidence import notes
from workbench.evidence.built_with import ROLES_HERE, built_with
from workbench.evidence.differences import Difference, differences
from workbench.evidence.gather import isolation_of
from workbench.evidence.reproduction import FirstBuild, Reproduction
from workbench.evidence.restored import others, restored, toolkit_pins
from workbench.evidence.statements import check_statement, statement_of_file
from workbench.files import locked, remove_tree, sha256_of, write_whole
from workbench.make.build import build_wheel
from workbench.paths import Paths
from workbench.process import find_program, run
from workbench.settings import SigningSettings
from workbench.text import counted, timestamp
from workbench.toolchain.pins import digest
from workbench.wheel.filename import parse_wheel, wheel_name_or_none
from workbench.wheel.stream import BadBinary

if TYPE_CHECKING:
    from workbench.evidence.keys import Keyring
    from workbench.evidence.provenance import StatedBuild
    from workbench.plan.plan import Plan
    from workbench.settings import Settings

_LONGEST_REPORT = 200_000
"""Bytes of what diffoscope says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild:
    """How a wheel would be built again here: its plan, settings for that, and with what else than then.

    `wheels` are those in ``wheels/`` that it was built with.
    """

    first: FirstBuild
    plan: Plan
    settings: Settings
    other_tools: tuple[str, ...]
    wheels: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltAgain:
    """What came of it: where the bytes are others, `kept` is the wheel that was built, `report` diffoscope's words."""

    found: Reproduction
    kept: Path | None = None
    report: str = ""


def first_build_of(path: Path, *, keys: Keyring | None) -> FirstBuild:
    """Return a wheel's file as something to build again: its statement lies beside it.

    With `keys` one of them must have signed the statement. Raises ProofFailed, and WorkbenchError for damaged notes.
    """
    (content, sha256), where = statement_of_file(path), str(notes.statement_path(path))
    stated = check_statement(content, filename=path.name, sha256=sha256, keys=keys, where=where)
    return FirstBuild(path=path, build=stated.build, statement=stated.digest, where=where)


def _patches_here(build: StatedBuild, paths: Paths) -> dict[str, bytes]:
    """Return the texts in ``patches/`` that have the names of a build's patches, by their sha256."""
    names = {each.name.rpartition("/")[2] for each in build.made.of_role("patch")}
    found = (path for name in names for path in paths.patches.rglob(glob.escape(name)) if path.is_file())
    texts = (path.read_bytes() for path in found)
    return {hashlib.sha256(text).hexdigest(): text for text in texts}


def rebuild_of(first: FirstBuild, paths: Paths, settings: Settings, *, any_tools: bool) -> Rebuild:
    """Return how a wheel would be built again here.

    Raises ProofFailed where its statement does not say enough; ToolMissing where what it was built with is not here,
    unless `any_tools` will do: of tools, not of wheels.
    """
    made = first.build.made
    if made.changed:
        raise ProofFailed(
            f"{first.build.filename}: it was changed after its build ({made.changed}), so no build gives its bytes"
        )
    plan = restored(made, {**_patches_here(first.build, paths), **first.patches}, where=first.where)
    if toolkit := made.of_role("toolkit"):
        libraries, pins = plan.recipe.cuda_libraries, toolkit_pins(toolkit)
        expected = (
            digest(pins.requirements)
            if pins
            else expect_toolkit(plan.target, libraries, settings, may_be_in_image=False)
        )
        plan = replace(plan, toolkit=expected, toolkit_pins=pins)
    recorded = tuple(each for each in made.used if each.role in ROLES_HERE)
    other = others(recorded, tuple(built_with(plan, paths, settings)))
    if made.isolation.isolated and plan.builder != "container" and (why := why_not()):
        other = (*other, f"isolation: {made.isolation.how} then; here {why}")
    own = settings.container.create_args
    if plan.builder == "container" and plan.create_args != own:
        other = (*other, f"create_args: {_words(plan.create_args)} then, {_words(own)} here")
        plan = replace(plan, create_args=own)  # a statement gives nobody the run of this machine
    if other and not any_tools:
        listed = "".join(f"\n  {each}" for each in other)
        raise ToolMissing(
            f"{first.build.filename} was built with tools that this machine lacks, and they decide its bytes:{listed}"
            "\nBuild it again on a machine that has them, or add --any-tools: that takes what is here, and the "
            "verdict says so"
        )
    if plan.key != made.key and not other:
        elsewhere = " (the site's own CUDA toolkit may lie elsewhere here)" if toolkit else ""
        raise ProofFailed(
            f"{first.where}: the build key that it names, {made.key}, is not that of the build that it describes, "
            f"{plan.key}: another version of the workbench made it{elsewhere}. Build it again with that one: the "
            f"statement calls it {made.workbench}"
        )
    wheels = tuple(_wheels_here(plan, paths))
    _require_needs(plan, wheels, paths)
    folder = settings.store.folder or ""
    return Rebuild(
        first=first,
        plan=plan,
        settings=replace(
            settings,
            signing=SigningSettings(),
            store=replace(settings.store, folder=str(paths.root / folder)),
        ),
        other_tools=other,
        wheels=wheels,
    )


def _wheels_here(plan: Plan, paths: Paths) -> Iterator[Path]:
    """Yield the wheels in ``wheels/`` that are among the build requirements of a plan."""
    pinned = {(canonicalize_name(each.name), each.sha256) for each in plan.pins or ()}
    names = {name for name, _ in pinned}
    for path in sorted(paths.wheels.glob("*.whl")):
        filename = wheel_name_or_none(path.name)
        if filename and filename.name in names and (filename.name, sha256_of(path)) in pinned:
            yield path


def _require_needs(plan: Plan, wheels: Sequence[Path], paths: Paths) -> None:
    """Raise ToolMissing where a wheel of the site's own that a build required is nowhere: no other index is asked."""
    needed = {each.package for each in plan.needs}
    there = {parse_wheel(each.name).name for each in wheels} | projects_here(paths)
    for pin in plan.pins or ():
        name = canonicalize_name(pin.name)
        if name in needed and name not in there and not pin.url:
            raise ToolMissing(
                f"{plan.title} was built with a wheel of {name} {pin.version} that its own site had made (sha256 "
                f"{pin.sha256}), and it is not here: put it into {paths.wheels}"
            )


def _words(arguments: Sequence[str]) -> str:
    return shlex.join(arguments) or "none"


def build_again(rebuild: Rebuild, paths: Paths, *, jobs: int | None) -> BuiltAgain:
    """Build a wheel again in a fresh place below the site's working files, and compare the two.

    What was built is removed where its bytes are the same. Raises what building raises; UsageError while another
    process builds the same.
    """
    first, plan, settings = rebuild.first, rebuild.plan, rebuild.settings
    with _fresh(plan, paths) as site:
        with given(rebuild.wheels, site.state):
            again = build_wheel(plan, site, settings, jobs=jobs).path
        with step(f"compare {again.name} with the first build") as at:
            rebuilt = sha256_of(again)
            same = rebuilt == first.build.sha256
            found = () if same else _differences(first.path, again)
            at.outcome = "the same bytes" if same else counted(len(found), "difference")
        verdict = Reproduction(
            filename=first.build.filename,
            sha256=first.build.sha256,
            rebuilt=rebuilt,
            statement=first.statement,
            finished=timestamp(datetime.now(UTC)),
            workbench=__version__,
            isolation=isolation_of(plan).kind,
            other_tools=rebuild.other_tools,
            differences=found,
        )
        if same:
            remove_tree(site.root)
            return BuiltAgain(found=verdict)
        return BuiltAgain(found=verdict, kept=again, report=_diffoscope(first.path, again, site.root))


def _differences(first: Path, again: Path) -> tuple[Difference, ...]:
    renamed = Difference(member="", cause=f"its filename: {first.name} | {again.name}")
    try:
        found = differences(first, again)
    except BadBinary as error:
        found = (Difference(member="", cause=f"one of the two cannot be read: {error}"),)
    return found if first.name == again.name else (renamed, *found)


@contextmanager
def _fresh(plan: Plan, paths: Paths) -> Iterator[Paths]:
    """Hold a site of a build's own: empty, but that it knows what the real one publishes."""
    root = paths.state / "again" / plan.slug
    with locked(root.with_name(f"{root.name}.lock"), busy=f"a second build of {plan.title}"):
        remove_tree(root)
        root.mkdir(parents=True)
        site = Paths(root)
        if paths.registry.is_file():
            shutil.copyfile(paths.registry, site.registry)
        yield site


def _diffoscope(first: Path, again: Path, folder: Path) -> str:
    """Return what diffoscope says of two wheels; nothing where it is not installed."""
    try:
        find_program("diffoscope")
    except ToolMissing:
        return ""
    with step("diffoscope") as at:
        told = folder / "diffoscope.txt"
        limit = f"--max-text-report-size={_LONGEST_REPORT}"
        try:
            run(
                ["diffoscope", "--no-progress", limit, f"--text={told}", first, again],
                check=False,
                timeout=600,
            )
        except CommandFailed as error:
            at.fail(str(error).splitlines()[-1])
        report = told.read_text(encoding="utf-8", errors="replace") if told.is_file() else ""
        at.outcome = str(told) if report else "it said nothing"
        write_whole(told, report)
        return report
