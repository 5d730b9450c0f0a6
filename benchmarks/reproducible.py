"""Which packages of the shelf come out the same, byte by byte, when they are built twice; a dated row for each.

    .venv/bin/python benchmarks/reproducible.py [NAME ...] [--arch x86_64] [--table docs/trust.md]

Each is built in a folder with one compiler at a time, and later in another folder with two: for CUDA where the recipe
has that, else for the CPU. What differs is told, member by member, and is an error.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from heavy import axes_of, recorded

from workbench.builders.isolation import why_not
from workbench.console import listening
from workbench.errors import WorkbenchError
from workbench.files import sha256_of, write_whole
from workbench.make.produce import build_wheel
from workbench.make.request import Request, plans
from workbench.paths import CHECKOUT, Paths
from workbench.settings import read_settings

USUAL = ("hnswlib", "annoy", "xatlas", "levenshtein", "pyahocorasick")
HEAD = "| built twice |"


def built(name: str, root: Path, asked: argparse.Namespace, *, jobs: int) -> dict[str, Path]:
    """Build a package in a site of its own; return its wheels by what each was built for."""
    paths = Paths(root)
    for folder in ("recipes", "patches"):
        shutil.copytree(CHECKOUT / folder, root / folder, dirs_exist_ok=True)
    settings = read_settings(paths)
    found = plans(Request(name=name, axes=axes_of(name, "", asked, paths)), paths, settings)
    if found.left_out:
        out = found.left_out[0]
        raise WorkbenchError(f"{name} {out.target} is left out: {out.reason}")
    return {
        f"{plan.title}, {plan.builder}": build_wheel(plan, paths, settings, jobs=jobs).path
        for plan in found.plans
    }


def differing(one: Path, other: Path) -> tuple[str, ...]:
    """Return the members in which two wheels differ; "the archive itself" where that is all."""
    if sha256_of(one) == sha256_of(other):
        return ()
    with zipfile.ZipFile(one) as first, zipfile.ZipFile(other) as second:
        crcs = [{each.filename: each.CRC for each in wheel.infolist()} for wheel in (first, second)]
    names = sorted({name for crc in crcs for name in crc})
    return tuple(name for name in names if crcs[0].get(name) != crcs[1].get(name)) or ("the archive itself",)


def main() -> None:
    """Build all once, then all again; compare, and record a row for each wheel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=USUAL)
    parser.add_argument("--arch", default="x86_64")
    parser.add_argument("--torch", default="2.11")
    parser.add_argument("--gpu", default="sm_121")
    parser.add_argument("--table", type=Path)
    asked = parser.parse_args()
    failed = False
    if why := why_not():
        sys.exit(f"builds are not isolated here, so their folders' names are in the wheels: {why}")
    with tempfile.TemporaryDirectory(prefix="reproducible-") as scratch, listening():
        pairs: dict[str, list[Path]] = {}
        for folder, jobs in (("first", 1), ("another-folder", 2)):
            for name in asked.names:
                try:
                    for title, wheel in built(name, Path(scratch) / folder, asked, jobs=jobs).items():
                        pairs.setdefault(title, []).append(wheel)
                except WorkbenchError as error:
                    print(f"{name}: {error}", flush=True)
                    failed = True
        for title, wheels in pairs.items():
            found = differing(wheels[0], wheels[-1]) if len(wheels) > 1 else ("it was built once only",)
            outcome = f"differs: {', '.join(found)}" if found else "identical"
            print(f"{title}: {outcome}", flush=True)
            failed = failed or bool(found)
            if asked.table:
                page = asked.table.read_text(encoding="utf-8")
                row = f"| {title} | {outcome} | {dt.datetime.now(tz=dt.UTC).date().isoformat()} |"
                write_whole(asked.table, recorded(page, row, HEAD))
    sys.exit(failed)


if __name__ == "__main__":
    main()
