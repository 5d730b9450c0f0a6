"""What it costs to find the wheels that fit among 10,000 names, beside gpkg, in the same run.

    .venv/bin/python benchmarks/consume.py [--rounds 9]

The names are real ones, with their versions varied. gpkg matches them with its own pattern and functions, told by a
listing in memory; ours groups and judges them. Each is timed in a process of its own (CPU seconds, after the imports),
once as it starts, and once more with what it had read of the names. The best of the rounds, taken in turns, count.

Then both are asked for the best wheel of each cell of a matrix, among the real names alone. Whether an answer is right
is said by `packaging.tags` and by a plain reading of such names: torch and the major release of CUDA are the cell's.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.consume.cells import compare_cells, peer
from tests.consume.names import many
from workbench.process import run

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECKOUT = Path(__file__).resolve().parent.parent
COUNT = 10_000
COLD, CACHED = 3, 20

OURS = """
import gc, json, sys, time
sys.path.insert(0, sys.argv[2])
from packaging.requirements import Requirement
from workbench.consume.host import Gpu, Host
from workbench.consume.judge import matching
from workbench.consume.names import group
from workbench.consume.offer import OfferedWheel
offers = [OfferedWheel(filename=name, url=f"https://e.com/{name}", source="e") for name in json.load(open(sys.argv[1]))]
hopper = (Gpu(name="H100", capability="9.0"),)
host = Host(python="3.12.3", arch="x86_64", glibc="2.39", torch="2.11.0", compute="cu130", cxx11_abi=True,
            driver="580.95.05", driver_cuda="13.0", gpus=hopper)
asked = Requirement("flash-attn")
gc.collect()
start = time.process_time()
groups = group(offers)
matching(groups, host, asked)
cold = time.process_time() - start
start = time.process_time()
found = matching(groups, host, asked)
print(json.dumps([cold, time.process_time() - start, len(found)]))
"""

GPKG = """
import gc, json, sys, time
from gpkg import matching
from gpkg.registry import Source
assets = [{"name": name, "browser_download_url": f"https://e.com/{name}"} for name in json.load(open(sys.argv[1]))]
matching.fetch_releases = lambda *_, **__: [{"tag_name": "v1", "assets": assets}]
source = Source(package="flash-attn", description="e", source_type="github", repo="e/e", cuda_style="full",
                wheel_name="flash_attn-{version}+cu{cuda}torch{torch}-{pytag}-{platform}.whl")
ask = lambda: matching.search_source(None, source, "2.11.0", "13.0", "3.12", "linux_x86_64", "TRUE")
gc.collect()
start = time.process_time()
ask()
cold = time.process_time() - start
start = time.process_time()
found = ask()
print(json.dumps([cold, time.process_time() - start, len(found)]))
"""


def print_cells(count: Mapping[str, int]) -> None:
    """Print how many cells both answer rightly."""
    print(
        f"{count['cells']} cells, {count['wheels']} with wheels: ours right in all; gpkg right in "
        f"{count['theirs right']}, wrong in {count['theirs wrong']}, none found in {count['theirs none']} "
        f"({count['wrong matches']} wrong matches)"
    )


def main() -> None:
    """Measure both in turn; fail where ours is not as much faster as it must be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "names.json").write_text(json.dumps(many(COUNT)))
        python = peer(place)
        programs = {"ours": (Path(sys.executable), OURS), "gpkg": (python, GPKG)}
        taken: dict[str, list[list[float]]] = {name: [] for name in programs}
        for _ in range(options.rounds):
            for name, (interpreter, code) in programs.items():
                argv: list[str | Path] = [interpreter, "-c", code, place / "names.json", CHECKOUT]
                taken[name].append(json.loads(run(argv, stdout_only=True).output))
        print_cells(compare_cells(place, python))
    fastest = {name: [min(column) for column in zip(*rows, strict=True)] for name, rows in taken.items()}
    for name, (cold, again, found) in fastest.items():
        print(
            f"{name}: {cold * 1000:.1f} ms from cold, {again * 1000:.2f} ms with the names read; {found:.0f} match"
        )
    from_cold, cached = fastest["gpkg"][0] / fastest["ours"][0], fastest["gpkg"][1] / fastest["ours"][1]
    print(
        f"from cold {from_cold:.1f} × faster (target {COLD}), with names read {cached:.0f} × (target {CACHED})"
    )
    assert from_cold >= COLD
    assert cached >= CACHED


if __name__ == "__main__":
    main()
