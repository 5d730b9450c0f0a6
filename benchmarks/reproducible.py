"""Which packages come out the same, byte by byte, when they are built twice; a dated row for each wheel.

    .venv/bin/python benchmarks/reproducible.py [NAME[:VARIANT] ...] [--arch x86_64,aarch64] [--again]
        [--table docs/trust.md]

Each is built in a folder with one compiler at a time, and then in another folder with two: for CUDA where the recipe
has that, else for the CPU; neither takes objects of earlier builds. What differs is told, member by member, and is an
error. Without names it is all that docs/built.md has rows for and the CUDA samples, what compiles quickly first. One
at a time, and each row is written at once: a run that is ended goes on where it was, for what the table has as
identical under the same build key is not built again, unless ``--again`` says so.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from heavy import COMPUTE, HEAVY, axes_of, from_nothing, recorded

from workbench.builders.isolation import why_not
from workbench.console import listening
from workbench.errors import WorkbenchError
from workbench.files import sha256_of, write_whole
from workbench.make.build import build_wheel
from workbench.make.request import Request, plans
from workbench.paths import CHECKOUT, Paths
from workbench.plan.axes import Axes
from workbench.recipe.load import path_of
from workbench.settings import read_settings

if TYPE_CHECKING:
    from workbench.plan.plan import Plan

SAMPLES = ("cuda-kernel", "cuda-cmake")
SAMPLE = """\
from workbench.recipe import Recipe, Sdist
recipe = Recipe(name={name!r}, version="1.0", description="A sample", source=Sdist(sha256={pin!r}), compute=("cu13*",))
"""
HEAD = "| built twice |"
KEY = 12
"""Characters of a build key that a row shows."""


def planned(words: Iterable[str], asked: argparse.Namespace, paths: Paths) -> Iterator[Plan]:
    """Yield what is to be built; what cannot be is told."""
    for word in words:
        name, _, variant = word.partition(":")
        if name in SAMPLES:
            axes = Axes(arch=asked.arch, compute=COMPUTE, gpu=asked.gpu)
            request = Request(name=name, axes=axes, source_dir=CHECKOUT / "examples" / name)
        else:
            request = Request(name=name, axes=axes_of(name, variant, asked, paths))
        found = plans(request, paths, read_settings(paths))
        for out in found.left_out:
            print(f"{name} {out.target} is left out: {out.reason}", flush=True)
        yield from found.plans


def lay_out(paths: Paths) -> Paths:
    """Make a site with the shelf's recipes and the samples'."""
    for folder in ("recipes", "patches"):
        shutil.copytree(CHECKOUT / folder, paths.root / folder)
    for name in SAMPLES:
        path_of(paths.recipes, name).write_text(SAMPLE.format(name=name, pin="0" * 64))
    return paths


def title_of(plan: Plan) -> str:
    """Return what a row calls a wheel, as in docs/built.md."""
    return f"{plan.title}, {plan.builder}"


def cost(plan: Plan, page: str) -> float:
    """Return the CPU seconds that docs/built.md has for a wheel; those of one that it does not have are few."""
    row = re.search(rf"^\| {re.escape(title_of(plan))} \| \d+ \| (\d+) \|", page, re.MULTILINE)
    return float(row[1]) if row else 0


def key_of(plan: Plan) -> str:
    """Return how a row names the inputs; a sample, which is a folder of this checkout, has no key."""
    return plan.key[:KEY] if plan.key else "none"


def is_recorded(plan: Plan, page: str) -> bool:
    """Say whether a table has a wheel as identical, of the same inputs."""
    return plan.key is not None and f"| {title_of(plan)} | identical | {key_of(plan)} |" in page


def differing(one: Path, other: Path) -> tuple[str, ...]:
    """Return the members in which two wheels differ; "the archive itself" where that is all."""
    if sha256_of(one) == sha256_of(other):
        return ()
    with zipfile.ZipFile(one) as first, zipfile.ZipFile(other) as second:
        crcs = [{each.filename: each.CRC for each in wheel.infolist()} for wheel in (first, second)]
    names = sorted({name for crc in crcs for name in crc})
    return tuple(name for name in names if crcs[0].get(name) != crcs[1].get(name)) or ("the archive itself",)


def outcome_of(plan: Plan, keep: Path | None) -> str:
    """Build a wheel in two folders, and return what a row says of it. Raises WorkbenchError."""
    with tempfile.TemporaryDirectory(prefix="reproducible-") as scratch:
        wheels = []
        for folder, jobs in (("first", 1), ("another-folder", 2)):
            site = Path(scratch) / folder
            site.mkdir()
            paths = lay_out(Paths(site))
            wheel = build_wheel(plan, paths, from_nothing(paths), jobs=jobs).path
            wheels.append(wheel.rename(Path(scratch) / f"{folder}-{wheel.name}"))
            shutil.rmtree(site)
        found = differing(*wheels)
        if found and keep:
            keep.mkdir(parents=True, exist_ok=True)
            for wheel in wheels:
                shutil.move(wheel, keep / wheel.name)
    return f"differs: {', '.join(found)}" if found else "identical"


def main() -> None:
    """Build each wheel twice, compare, and record a row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=(*SAMPLES, *HEAVY), metavar="NAME[:VARIANT]")
    parser.add_argument("--arch", default="x86_64,aarch64")
    parser.add_argument("--torch", default="2.11")
    parser.add_argument("--gpu", default="sm_121")
    parser.add_argument("--again", action="store_true", help="also what the table has as identical")
    parser.add_argument("--table", type=Path, help="the page to write rows to")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where wheels that differ are left")
    asked = parser.parse_args()
    if why := why_not():
        sys.exit(f"builds are not isolated here, so their folders' names are in the wheels: {why}")
    failed = False
    with tempfile.TemporaryDirectory(prefix="reproducible-") as site, listening():
        wanted = list(planned(asked.names, asked, lay_out(Paths(Path(site)))))
        built = (CHECKOUT / "docs" / "built.md").read_text(encoding="utf-8")
        for plan in sorted(wanted, key=lambda each: cost(each, built)):
            title = title_of(plan)
            page = asked.table.read_text(encoding="utf-8") if asked.table else ""
            if is_recorded(plan, page) and not asked.again:
                print(f"{title}: identical, as the table has it", flush=True)
                continue
            try:
                outcome = outcome_of(plan, asked.keep)
            except WorkbenchError as error:
                print(f"{title}: {error}", flush=True)
                failed = True
                continue
            print(f"{title}: {outcome}", flush=True)
            failed = failed or outcome != "identical"
            if asked.table:
                today = dt.datetime.now(tz=dt.UTC).date().isoformat()
                row = f"| {title} | {outcome} | {key_of(plan)} | {today} |"
                write_whole(asked.table, recorded(page, row, HEAD))
    sys.exit(failed)


if __name__ == "__main__":
    main()
