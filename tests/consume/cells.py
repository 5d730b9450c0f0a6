"""Which wheel gpkg and gpuwheels take for each cell of a matrix, among the names of real wheels.

Whether an answer is right is said by `packaging.tags` and by a plain reading of such names: torch and the major release
of CUDA are the cell's. The speed of both is measured by ``benchmarks/consume.py``.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from tests.consume.names import released
from tests.consume.test_names import accepted
from workbench.consume.host import Host
from workbench.consume.judge import matching
from workbench.consume.names import group
from workbench.consume.offer import OfferedWheel
from workbench.consume.rank import best
from workbench.environment import index_environment
from workbench.process import run

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.tags import Tag

PEER = "gpkg==0.4.3"

CELLS = """
import json, sys
from gpkg import matching
from gpkg.registry import Source
names, cells = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))
assets = [{"name": name, "browser_download_url": f"https://e.com/{name}"} for name in names]
matching.fetch_releases = lambda *_, **__: [{"tag_name": "v1", "assets": assets}]
source = Source(package="flash-attn", description="e", source_type="github", repo="e/e", cuda_style="full",
                wheel_name="flash_attn-{version}+cu{cuda}torch{torch}-{pytag}-{platform}.whl")
answers = []
for python, arch, torch, cuda in cells:
    found = matching.search_source(None, source, torch, cuda, python, f"linux_{arch}", "TRUE")
    best = matching.pick_best(list(found))
    answers.append([best.filename if best else None, [each.filename for each in found]])
print(json.dumps(answers))
"""

PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.13t", "3.14", "3.14t")
TORCHES = tuple(f"2.{minor}" for minor in range(4, 14))
CUDAS = ("12.4", "12.6", "12.8", "12.9", "13.0", "13.2")
GLIBC = "2.31"


accepted_by = cache(accepted)


@cache
def tags_of(ending: str) -> frozenset[Tag]:
    """Return the tags that end a filename."""
    return parse_wheel_filename(f"x-0-{ending}")[3]


def is_right(name: str, cell: tuple[str, str, str, str]) -> bool:
    """Say whether a wheel serves a cell."""
    python, arch, torch, cuda = cell
    version = name.split("-")[1].partition("+cu")[2]
    built, _, against = version.partition("torch")
    serves = not tags_of(name.split("-", 2)[2]).isdisjoint(accepted_by(python, arch, GLIBC))
    return serves and built[:2] == cuda[:2] and against == torch


def peer(place: Path) -> Path:
    """Return the interpreter of an environment in `place` that has gpkg."""
    run(["uv", "venv", "--quiet", "--python", sys.executable, place / "peer"])
    python = place / "peer" / "bin" / "python"
    run(["uv", "pip", "install", "--quiet", "--python", python, PEER], env=index_environment())
    return python


def compare_cells(place: Path, python: Path) -> Counter[str]:
    """Return how many cells both answer rightly; fail where ours is wrong, or lacks what gpkg has rightly."""
    names = [name for name in released() if name.startswith("flash_attn-")]
    cells = list(product(PYTHONS, ("x86_64", "aarch64"), TORCHES, CUDAS))
    (place / "real.json").write_text(json.dumps(names))
    (place / "cells.json").write_text(json.dumps(cells))
    argv: list[str | Path] = [python, "-c", CELLS, place / "real.json", place / "cells.json"]
    theirs = json.loads(run(argv, stdout_only=True).output)
    groups = group([OfferedWheel(filename=name, url=f"https://e.com/{name}", source="e") for name in names])
    count: Counter[str] = Counter()
    for cell, (picked, matched) in zip(cells, theirs, strict=True):
        version, arch, torch, cuda = cell
        host = Host(python=version, arch=arch, glibc=GLIBC, torch=torch, compute=f"cu{cuda.replace('.', '')}")
        found = [each.offer.filename for each in best(matching(groups, host, Requirement("flash-attn")))]
        assert all(is_right(name, cell) for name in found), cell
        assert {name for name in matched if is_right(name, cell)} <= set(found), cell
        there = any(is_right(name, cell) for name in names)
        assert bool(found) is there, cell
        right = picked is not None and is_right(picked, cell)
        assert not right or version_of(found[0]) >= version_of(picked), cell
        count["wheels"] += there
        count["theirs right"] += right
        count["theirs wrong"] += picked is not None and not right
        count["theirs none"] += picked is None and there
        count["wrong matches"] += sum(not is_right(name, cell) for name in matched)
        count["cells"] += 1
    return count


def version_of(name: str) -> Version:
    """Return a wheel's version without its local part."""
    return Version(name.split("-")[1].partition("+")[0])
