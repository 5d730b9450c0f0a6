"""What isolation costs: a package built under bubblewrap, and in the same run without it.

    .venv/bin/python benchmarks/isolation.py [NAME] [--rounds 3]

Each round builds both, in turn, from a fresh environment to the raw wheel, with no objects of earlier builds. The best
rounds are compared, in wall seconds and in CPU seconds (user and system, of the compilers too): on a busy machine the
second is the fairer.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cross import Measured
from heavy import from_nothing
from reproducible import lay_out

from workbench.builders import isolation
from workbench.builders.raw_wheel import build_raw
from workbench.builders.workplace import Workplace
from workbench.make.request import Request, plans
from workbench.paths import Paths

LIMIT = 1.15


def measure(name: str, paths: Paths, *, why_not: str) -> Measured:
    """Build a package once, for `why_not` not isolated."""
    settings = from_nothing(paths)
    (plan,) = plans(Request(name=name), paths, settings).plans
    place = Workplace.of(plan, paths)
    with patch.object(isolation, "why_not", lambda: why_not):
        start, before = time.monotonic(), os.times()
        with place.opened(paths):
            build_raw(place, paths, settings, jobs=1)
        after = os.times()
    place.clear()
    cpu = sum(after[2:4]) - sum(before[2:4])  # of the programs that it started
    return Measured(wall=time.monotonic() - start, cpu=cpu)


def main() -> None:
    """Print the table; fail over the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", default="annoy")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    if why := isolation.why_not():
        sys.exit(f"nothing is isolated here: {why}")
    with tempfile.TemporaryDirectory(prefix="bench-isolation-") as folder:
        paths = lay_out(Paths(Path(folder)))
        measure(asked.name, paths, why_not="")  # what is downloaded is there for the rounds
        ways = {"isolated": "", "not isolated": "for comparison"}
        rounds = [
            {way: measure(asked.name, paths, why_not=why) for way, why in ways.items()}
            for _ in range(asked.rounds)
        ]
    best = {
        way: Measured(wall=min(each[way].wall for each in rounds), cpu=min(each[way].cpu for each in rounds))
        for way in ways
    }
    for way, each in best.items():
        print(f"{asked.name}, {way:13} {each.wall:6.1f} s {each.cpu:6.2f} s of CPU")
    ratio = best["isolated"].cpu / best["not isolated"].cpu
    print(f"{asked.name}: isolation takes {ratio:.2f} times the CPU")
    if ratio > LIMIT:
        sys.exit(f"that is over {LIMIT}")


if __name__ == "__main__":
    main()
