"""Many packages at once against the plain loop, and against what is there already; ratios of one run.

    .venv/bin/python benchmarks/fleet.py [--python 3.11,3.12] [NAME ...]

``build`` for each package in turn, then ``build-all`` in another site with caches of its own, then the same again.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from workbench.paths import CHECKOUT
from workbench.process import run

USUAL = ("annoy", "hnswlib", "levenshtein")


def site(root: Path) -> dict[str, str]:
    """Make a site with this checkout's recipes; return the variables that name it and caches of its own."""
    for folder in ("recipes", "patches"):
        shutil.copytree(CHECKOUT / folder, root / folder)
    return {"WORKBENCH_SITE": str(root), "WORKBENCH_CACHE": str(root / "cache")}


def seconds(env: dict[str, str], *words: str) -> float:
    """Return the wall seconds of a command."""
    start = time.monotonic()
    run([sys.executable, "-m", "invoke", *words], cwd=CHECKOUT, env=env)
    return time.monotonic() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=USUAL)
    parser.add_argument("--python", default="3.11,3.12")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        loop, many = site(Path(folder) / "loop"), site(Path(folder) / "many")
        one = sum(
            seconds(loop, "build", name, "--python", python)
            for name in asked.names
            for python in asked.python.split(",")
        )
        together = seconds(many, "build-all", *asked.names, "--python", asked.python)
        again = seconds(many, "build-all", *asked.names, "--python", asked.python)
    print(f"the plain loop {one:.1f} s, build-all {together:.1f} s: {one / together:.2f} x faster")
    print(f"the same again {again:.1f} s: {together / again:.0f} x faster")


if __name__ == "__main__":
    main()
