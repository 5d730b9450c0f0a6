"""What a cross build costs beside a build for this machine: the CUDA samples, for aarch64 and for x86-64.

    .venv/bin/python benchmarks/cross.py [--rounds 3]

Each round builds both, in turn, from a fresh environment to the raw wheel. The best rounds are compared, in wall
seconds and in CPU seconds (user and system, of the compilers too): on a busy machine the second is the fairer.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from workbench.builders.raw_wheel import build_raw
from workbench.builders.workplace import Workplace
from workbench.make.assign import assign
from workbench.paths import CHECKOUT, Paths
from workbench.plan.draft import drafts
from workbench.plan.target import Target, this_arch, this_python
from workbench.recipe.model import LocalFolder, Recipe, Sdist
from workbench.settings import read_settings
from workbench.toolchain.cuda import lay_out

COMPUTE = "cu130"
LIMIT = 1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Seconds of one build."""

    wall: float
    cpu: float


def measure(name: str, arch: str, paths: Paths) -> Measured:
    """Build a sample once."""
    recipe = Recipe(
        name=name, version="1.0", description="a sample", source=Sdist(sha256="0" * 64), compute=("cu13*",)
    )
    target = Target(python=this_python(), arch=arch, compute=COMPUTE, gpu=("sm_121",))
    ((draft,), _) = drafts(recipe, (), (target,), source=LocalFolder(path=CHECKOUT / "examples" / name))
    planned = assign(draft, "host" if arch == this_arch() else "cross", read_settings(paths))
    start, before = time.monotonic(), os.times()
    place = Workplace.of(planned, paths)
    with place.opened(paths):
        build_raw(place, paths, read_settings(paths))
    after = os.times()
    cpu = sum(
        getattr(after, field) - getattr(before, field) for field in ("children_user", "children_system")
    )
    return Measured(wall=time.monotonic() - start, cpu=cpu)


def main() -> None:
    """Print the table; fail over the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    root = Path(tempfile.mkdtemp(prefix="bench-cross-"))
    paths = Paths(root)
    try:
        for arch in ("x86_64", "aarch64"):
            lay_out(COMPUTE, arch, cache=paths.cache)
        ratios = []
        print(
            f"{'sample':12} {'host s':>8} {'cross s':>8} {'ratio':>6} {'host CPU':>9} {'cross CPU':>9} {'ratio':>6}"
        )
        for name in ("cuda-kernel", "cuda-cmake"):
            pairs = [(measure(name, "x86_64", paths), measure(name, "aarch64", paths)) for _ in range(rounds)]
            wall = [min(each.wall for each in side) for side in zip(*pairs, strict=True)]
            cpu = [min(each.cpu for each in side) for side in zip(*pairs, strict=True)]
            ratios.append(cpu[1] / cpu[0])
            print(
                f"{name:12} {wall[0]:8.1f} {wall[1]:8.1f} {wall[1] / wall[0]:6.2f} "
                f"{cpu[0]:9.1f} {cpu[1]:9.1f} {ratios[-1]:6.2f}"
            )
        assert max(ratios) <= LIMIT, (
            f"a cross build takes more than {LIMIT} times the CPU of one for this machine"
        )
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
