"""What an emulator costs: the CUDA sample for aarch64, cross-built and in containers, on an x86-64 machine.

    .venv/bin/python benchmarks/containers.py [--rounds 3]

Three builds of the same wheel, in turn: cross; in a container whose compilers are x86-64 programs (`toolchain.image`'s
own way); and in one where all is emulated, compilers and nvcc too. Images and toolkits are made before the clock
starts. Each is timed from the source tree to the raw wheel, the best round counts. Wall seconds: what runs in a
container is not a child of this process.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cross import COMPUTE, measure

from workbench.container.cibw import build_wheel
from workbench.container.command import CUDA_HOME, Build
from workbench.container.engine import find_engine
from workbench.container.image import ImageRecipe, build_image
from workbench.paths import CHECKOUT, Paths
from workbench.toolchain import cuda
from workbench.toolchain.variables import cuda_environment

if TYPE_CHECKING:
    from collections.abc import Callable

ARCH = "aarch64"
SAMPLE = "cuda-kernel"
LIMIT = 5
"""Cross must be this many times as fast as emulation."""


def in_container(scratch: Path, cache: Path, *, emulated: bool) -> float:
    """Build the sample once in a container; return wall seconds."""
    engine = find_engine()
    image = build_image(ImageRecipe(arch=ARCH, emulated_compilers=emulated), engine, cache=cache)
    # a toolkit whose programs are the target's own, as on an aarch64 machine
    with patch.object(cuda, "this_arch", lambda: ARCH) if emulated else patch.dict({}):
        toolkit = cuda.lay_out(COMPUTE, ARCH, cache=cache)
    folder = Path(tempfile.mkdtemp(dir=scratch))
    build = Build(
        title=SAMPLE,
        python="3.11",
        arch=ARCH,
        image=image.name,
        tree=CHECKOUT / "examples" / SAMPLE,
        output=folder,
        wheelhouse=folder / "house",
        requires=("setuptools",),
        environment=cuda_environment(CUDA_HOME, ("sm_121",), release="13.0"),
        toolkit=toolkit,
    )
    start = time.monotonic()
    build_wheel(build, engine, log=folder / "build.log")
    return time.monotonic() - start


def main() -> None:
    """Print the table; fail under the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = range(parser.parse_args().rounds)
    cache = Paths.here().cache
    with tempfile.TemporaryDirectory(prefix="containers-") as name:
        scratch = Path(name)
        (scratch / "recipes").mkdir()
        ways: dict[str, Callable[[], float]] = {
            "cross": lambda: measure(SAMPLE, ARCH, Paths(scratch)).wall,
            "container, compilers at full speed": lambda: in_container(scratch, cache, emulated=False),
            "container, all emulated": lambda: in_container(scratch, cache, emulated=True),
        }
        for way in ways.values():
            way()
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in rounds:
            for title, way in ways.items():
                seconds[title].append(way())
    best = {title: min(measured) for title, measured in seconds.items()}
    print(f"{SAMPLE} for {ARCH}, best of {len(rounds)}")
    for title, measured in best.items():
        print(f"  {title:36} {measured:6.1f} s   {measured / best['cross']:5.1f} × cross")
    ratio = best["container, all emulated"] / best["cross"]
    if ratio < LIMIT:
        sys.exit(f"cross is {ratio:.1f} × as fast as emulation, under {LIMIT}")


if __name__ == "__main__":
    main()
