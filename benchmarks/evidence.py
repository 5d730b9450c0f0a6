"""What the provenance, the bill of materials and the statement of a wheel cost: at most 1 s of CPU for a release.

python benchmarks/evidence.py

The peer is the build of the smallest C extension, in the same run: no package that is worth a wheel takes less.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
RUNS = 5
TARGET = 1.0


def cpu() -> float:
    """Return the CPU seconds of this process and of the programs that it has run."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def once(root: Path) -> None:
    """Build the small package and print the CPU seconds of its build, and of each piece of evidence."""
    from tests.verbs.conftest import made
    from workbench.builders.raw_wheel import build_raw
    from workbench.builders.workplace import Workplace
    from workbench.make.request import Request, plans
    from workbench.paths import Paths
    from workbench.repair.repair import repair
    from workbench.settings import Settings

    paths, settings = Paths(root / "site"), Settings()
    for folder in (paths.recipes, paths.patches):
        folder.mkdir(parents=True)
    made(paths, root / "upstream")
    (plan,) = plans(Request(name="demo"), paths, settings).plans
    place = Workplace.of(plan, paths)
    with place.opened(paths):
        start, times = datetime.now(UTC), [cpu()]
        raw = build_raw(place, paths, settings).path
        times.append(cpu())
        from workbench.evidence.gather import gather

        known = gather(place, paths, settings, started=start)
        times.append(cpu())
        from workbench.evidence.sbom import bill_of_materials

        bill = bill_of_materials(known, [], [], key=plan.key)
        times.append(cpu())
        wheel = repair(raw, root, describe=lambda _libraries, _grafted: bill).path
        times.append(cpu())
        from workbench.evidence.sbom import sbom_of
        from workbench.evidence.statements import write_statement

        sbom_of(wheel)
        write_statement(wheel.name, "0" * 64, known)
        times.append(cpu())
    build, gathered, billed, _, stated = (later - earlier for earlier, later in pairwise(times))
    print("measured", build, gathered, billed, stated)


def main() -> None:
    """Measure in fresh processes, for most of the cost is what they import."""
    rows = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            places = {"WORKBENCH_CACHE": f"{folder}/cache", "PYTHONPATH": str(CHECKOUT)}
            run = [sys.executable, __file__, "--once", folder]
            said = subprocess.run(
                run, env={**os.environ, **places}, check=True, capture_output=True, text=True
            ).stdout
        (measured,) = (line for line in said.splitlines() if line.startswith("measured"))
        rows.append([float(word) for word in measured.split()[1:]])
    build, gathered, billed, stated = (statistics.median(column) for column in zip(*rows, strict=True))
    whole = gathered + billed + stated
    print(f"CPU seconds of the build: {build:.2f}")
    print(f"what it used: {gathered:.2f}; the bill of materials: {billed:.2f}; the statement: {stated:.2f}")
    print(
        f"together {whole:.2f} s of CPU (target: at most {TARGET:.1f}), {whole / build:.2f} times the build"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--once"]:
        once(Path(sys.argv[2]))
    else:
        main()
