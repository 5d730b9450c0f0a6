"""What sending wheels to a package index costs beside twine, in the same run.

    .venv/bin/python benchmarks/publish.py [--rounds 5]

A real pypiserver on loopback, with a password; 20 wheels of 10 MB, verified before, as `release` hands them over. The
programs take turns, each with an index of its own that is empty; then the workbench is called again, with nothing to
do. What counts is the CPU of the program that sends, all that it starts included: medians, and as multiples of twine's.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from upload import Cost, measure

from tests.outlets.conftest import wheel
from tests.outlets.indexes import USER, pypiserver
from workbench.outlets.credentials import variables_for

BIN = Path(sys.executable).parent
COUNT, SIZE = 20, 10_000_000
PASSWORD = "s3cret-secret"  # noqa: S105 - a stand-in's; twine sends no letter beyond Latin-1
OURS, AGAIN, TWINE = "workbench", "workbench, nothing to do", "twine"


def main() -> None:
    """Measure, and print a table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    rounds = arguments.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="workbench-publish-") as name:
        site = Path(name) / "site"
        (site / "recipes").mkdir(parents=True)
        wheels = [wheel(site / "wheels", f"1.{number}", size=SIZE) for number in range(COUNT)]
        # programs are compiled once, as they are for those who use them, and not for each round
        usual = {"WORKBENCH_SITE": str(site), "PYTHONDONTWRITEBYTECODE": None}
        invoke: list[str | Path] = [BIN / "invoke", "--search-root", Path(__file__).resolve().parent.parent]
        measure([*invoke, "verify", *wheels], usual)
        costs: dict[str, list[Cost]] = {TWINE: [], OURS: [], AGAIN: []}
        for number in range(rounds):
            for program in random.sample([OURS, TWINE], 2):
                with pypiserver(Path(name) / f"{program}-{number}", PASSWORD) as url:
                    login = {variables_for(url, url)[0]: f"{USER}:{PASSWORD}"}
                    ours: list[str | Path] = [*invoke, "upload", *wheels, "--to", url]
                    quiet = ["--non-interactive", "--disable-progress-bar"]
                    twine: list[str | Path] = [BIN / "twine", "upload", *quiet, *wheels]
                    if program == OURS:
                        costs[OURS].append(measure(ours, {**usual, **login}))
                        costs[AGAIN].append(measure(ours, {**usual, **login}))
                    else:
                        told = {
                            "TWINE_USERNAME": USER,
                            "TWINE_PASSWORD": PASSWORD,
                            "TWINE_REPOSITORY_URL": url,
                        }
                        costs[TWINE].append(measure(twine, {**usual, **told}))
        print(f"{COUNT} wheels of {SIZE // 1_000_000} MB to pypiserver, medians of {rounds}")
        base = median(each.cpu for each in costs[TWINE])
        for program, found in costs.items():
            cpu, wall = (median(getattr(each, key) for each in found) for key in ("cpu", "wall"))
            print(f"{program:28}{cpu:8.3f} s CPU  ×{cpu / base:.3f}{wall:10.2f} s")


if __name__ == "__main__":
    main()
