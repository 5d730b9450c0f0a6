"""Packages whose compiler takes a gigabyte for each unit, built under a limit of memory, by g++ and Ninja.

    .venv/bin/python benchmarks/memory.py [gigabyte] [two] [--units 3] [--elements 7000000]

``gigabyte`` builds one under a limit that holds one compiler and not two, as ``uv build`` does with ``MAX_JOBS`` for
each processor, and twice as the workbench does, whose recipe is mistaken about what a compiler takes. ``two`` runs
``build-all`` in two sites at once within one control group of 6 GB: two packages each, four jobs each, in the place of
the compiler a program that only takes its gigabyte for three seconds. Both need the right to make control groups of
version 1 (root).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.fleet.packages import package, repository
from workbench.cgroup import ControlGroup, groups_of
from workbench.paths import CHECKOUT, Paths
from workbench.process import environment
from workbench.text import file_size

GB = 1_000_000_000

BUILD = """
import subprocess
for number in range({units}):
    numbers = ",".join(map(str, range({elements})))
    open(f"u{{number}}.cpp", "w").write(f"extern const int u{{number}}_{run}[] = {{{{{{numbers}}}}}};")
rule = "rule cxx\\n  command = {command}\\n"
edges = "".join(f"build u{{n}}.o: cxx u{{n}}.cpp\\n" for n in range({units}))
open("build.ninja", "w").write(rule + edges)
subprocess.run(["ninja", "-v", "-j", os.environ["MAX_JOBS"]], check=True)
"""
"""What the build backend does: as torch's, it runs Ninja with the number of jobs that MAX_JOBS says."""

COMPILER = "g++ -c $in -o $out"

TAKES = "python3 -c 'import time; taken = bytes(1) * 1_100_000_000; time.sleep(3)' && touch $out"


@dataclass(kw_only=True)
class Watched:
    """What all that ran in a group took together: its greatest use in bytes, and how many were killed, by group."""

    most: int = 0
    killed: dict[Path, int] = field(default_factory=dict)

    @property
    def kills(self) -> int:
        """How many programs were killed because memory ran out."""
        return sum(self.killed.values())


@contextmanager
def limited(limit: int) -> Iterator[tuple[Path, Watched]]:
    """Yield a new control group with a limit, and what it takes until the block's end."""
    own = next(groups_of())
    if own.version != 1:
        sys.exit("this benchmark makes control groups of version 1, which are not there")
    group = ControlGroup(own.folder / f"bench-memory-{os.getpid()}-{time.monotonic_ns()}", 1)
    group.folder.mkdir()
    for name in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"):
        (group.folder / name).write_text(str(limit))
    watched, over = Watched(), threading.Event()

    def look_for_kills() -> None:
        for path in group.folder.rglob(
            "memory.oom_control"
        ):  # version 1 counts none that was in a group below
            with suppress(OSError):
                watched.killed[path] = ControlGroup(path.parent, 1).kills()

    def look() -> None:
        while not over.wait(0.1):
            watched.most = max(watched.most, group.used())
            look_for_kills()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield group.folder, watched
    finally:
        over.set()
        thread.join()
        look_for_kills()
        group.folder.rmdir()


def started(group: Path | None, words: Sequence[str], log: Path, **variables: str) -> subprocess.Popen[bytes]:
    """Start a program, in a control group where one is named; its output goes to a log."""
    joining = ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"] if group else []
    with log.open("ab") as output:
        return subprocess.Popen(
            [*joining, *words], cwd=CHECKOUT, env=environment(variables), stdout=output, stderr=output
        )


class Site:
    """A site of its own, with packages of heavy units."""

    def __init__(self, root: Path, units: int, elements: int, command: str = COMPILER) -> None:
        self.paths, self.units, self.elements = Paths(root / "site"), units, elements
        self.command = command
        for folder in (self.paths.recipes, self.paths.patches):
            folder.mkdir(parents=True)
        self.source = repository(root / "upstream")
        self.log = root / "log"

    def add(self, name: str, *, run: int = 1, memory: float = 0) -> None:
        """Write a recipe; `memory` is what it says that one compiler takes, in gigabytes."""
        before = BUILD.format(units=self.units, elements=self.elements, run=run, command=self.command)
        package(self.paths, self.source, name, before=before, requires=("ninja>=1.13",))
        if memory:
            path = self.paths.recipes / f"{name}.py"
            path.write_text(
                path.read_text().replace(
                    "    environment=", f"    memory_per_job={memory},\n    environment="
                )
            )

    def start(self, *words: str, group: Path | None = None, cache: Path) -> subprocess.Popen[bytes]:
        """Start a command of the workbench for this site."""
        command = ["invoke", *words]
        variables = {"WORKBENCH_SITE": str(self.paths.root), "WORKBENCH_CACHE": str(cache)}
        return started(group, command, self.log, **variables)


def gigabyte(root: Path, units: int, elements: int) -> bool:
    """Build a package under a limit that holds one compiler and not two; say whether all went as it should."""
    site, limit = Site(root, units, elements), 2
    (site.paths.root / "workbench.yaml").write_text(f"max_memory: {limit}\n")
    source, _ = site.source
    processors = os.cpu_count() or 1
    with limited(limit * GB) as (group, watched):
        before = BUILD.format(units=units, elements=elements, run=0, command=COMPILER)
        variables = {"PACKAGE": "plain", "BEFORE": before, "MAX_JOBS": str(processors)}
        words = ["uv", "build", "--wheel", "--out-dir", str(root / "out"), str(source)]
        plain = started(group, words, root / "plain.log", **variables).wait()
    print(f"MAX_JOBS={processors}, limit {limit} GB: exit {plain}, {watched.kills} killed")
    results = []
    for run in (1, 2):
        site.add("heavy", run=run, memory=0.3)
        begin = time.monotonic()
        status = site.start(
            "build", "heavy", "--max-jobs", str(max(2, processors)), cache=root / "cache"
        ).wait()
        said = site.log.read_text()
        retried = said.count("memory ran out: once more")
        site.log.write_text("")
        (root / f"heavy-{run}.log").write_text(said)
        results.append((status, retried))
        print(f"workbench, run {run}: exit {status}, {retried} tried again, {time.monotonic() - begin:.0f} s")
    return plain != 0 and results[1] == (0, 0)


def two(root: Path, units: int, _elements: int) -> bool:
    """Run build-all in two sites at once within 6 GB; say whether all went as it should."""
    units *= 2
    sites = []
    for name in ("one", "two"):
        (root / name).mkdir()
        site = Site(root / name, units, 1, TAKES)
        for letter in "ab":
            site.add(f"{name}{letter}")
        sites.append(site)
    with limited(6 * GB) as (group, watched):
        words = ("build-all", "--at-once", "2", "--max-jobs", "4")
        running = [site.start(*words, group=group, cache=root / "cache") for site in sites]
        statuses = [each.wait() for each in running]
    again = sum(site.log.read_text().count("memory ran out: once more") for site in sites)
    wheels = sum(len([*site.paths.wheels.glob("*.whl")]) for site in sites)
    print(
        f"two build-all of two packages each, {units} units of a gigabyte each, in 6 GB: exits {statuses}, "
        f"{wheels} wheels, {watched.kills} killed, {again} tried again, together at most {file_size(watched.most)}"
    )
    return statuses == [0, 0] and not watched.kills and watched.most < 6 * GB


def main() -> None:
    """Run the parts that are named, or all; fail where one does not go as it should."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=["gigabyte", "two", []])
    parser.add_argument("--units", type=int, default=3)
    parser.add_argument("--elements", type=int, default=7_000_000)
    asked = parser.parse_args()
    sound = True
    for name, part in {"gigabyte": gigabyte, "two": two}.items():
        if not asked.parts or name in asked.parts:
            with tempfile.TemporaryDirectory(prefix=f"bench-memory-{name}-") as folder:
                sound = part(Path(folder), asked.units, asked.elements) and sound
    sys.exit(not sound)


if __name__ == "__main__":
    main()
