"""What it takes to build the shelf's packages: a row of docs/built.md for each wheel, which this program writes there.

    .venv/bin/python benchmarks/heavy.py [NAME[:VARIANT] ...] [--arch x86_64,aarch64] [--torch 2.11] [--gpu sm_121]
        [--jobs 1] [--source-dir DIR] [--table docs/built.md]

Each wheel is built, repaired and verified as ``invoke build`` and ``invoke verify`` do it, into ``wheels/``: for CUDA
where the recipe has that, else for the CPU. Wall and CPU seconds (user and system) are those of the build with its
environment, of the programs that it started too. Memory is the largest sum, looked at five times a second, of what
these processes had resident; pages that two of them share count twice. Only a wheel that passes gets a row.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Self

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from workbench.builders.workplace import Workplace
from workbench.errors import WorkbenchError
from workbench.files import write_whole
from workbench.make.build import build_wheel
from workbench.make.request import Request, plans
from workbench.make.verification import verify_wheels
from workbench.paths import CHECKOUT, Paths
from workbench.plan.axes import Axes
from workbench.recipe.load import load
from workbench.settings import CacheSettings, Settings, read_settings
from workbench.verify.report import findings_text

if TYPE_CHECKING:
    from types import TracebackType

    from workbench.plan.plan import Plan
    from workbench.repair.repair import Repaired
    from workbench.verify.report import Report

HEAVY = (
    *("causal-conv1d", "torch-scatter", "gsplat", "nv-grouped-gemm", "mamba-ssm", "flash-attn:hdim128"),
    *("diso", "torch-spline-conv", "deepspeed", "nerfacc", "xformers", "torchsort"),
    *(
        "pyahocorasick",
        "levenshtein",
        "pycocotools",
        "fasttext",
        "sentencepiece",
        "hnswlib",
        "annoy",
        "xatlas",
    ),
)
"""What docs/built.md has rows for."""

COMPUTE = "cu130"
PAUSE = 0.2
HEAD = "| wheel, builder |"


@dataclass(slots=True)
class Meter:
    """Seconds and bytes of what this process and its children do while it is entered."""

    wall: float = 0
    cpu: float = 0
    peak: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.wall, self.cpu = -time.monotonic(), -sum(os.times()[:4])
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()
        self.wall += time.monotonic()
        self.cpu += sum(os.times()[:4])

    def _watch(self) -> None:
        while not self._stop.wait(PAUSE):
            self.peak = max(self.peak, resident(os.getpid()))


def resident(pid: int) -> int:
    """Return the bytes that a process and all below it have resident. One that ends meanwhile counts nothing."""
    total, waiting = 0, [pid]
    while waiting:
        folder = Path("/proc") / str(waiting.pop())
        try:
            total += int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for thread in (folder / "task").iterdir():
                waiting += map(int, (thread / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def from_nothing(paths: Paths) -> Settings:
    """Return a site's settings, but that nothing which was compiled before is taken."""
    return replace(read_settings(paths), cache=CacheSettings(objects=False))


def row(title: str, meter: Meter, repaired: Repaired, report: Report) -> str:
    """Return a row of the table in docs/built.md."""
    found = {str(each) for file in report.gpu_code for each in file.loadable}
    cells = [
        title,
        f"{meter.wall:.0f}",
        f"{meter.cpu:.0f}",
        f"{meter.peak / 2**30:.1f}",
        ", ".join(sorted(found)) or "none",
        f"{repaired.path.stat().st_size / 1e6:.1f}",
        repaired.policy,
        dt.datetime.now(tz=dt.UTC).date().isoformat(),
    ]
    return f"| {' | '.join(cells)} |"


def recorded(page: str, new: str, head: str = HEAD) -> str:
    """Return the page with a row in the table of that head: in place of the same wheel's, else as the last."""
    before, head, after = page.partition(head)
    table, gap, rest = after.partition("\n\n")
    rows = table.splitlines()
    wheel = new[: new.index(" | ")]
    at = next((i for i, each in enumerate(rows) if each.startswith(f"{wheel} | ")), len(rows))
    rows[at : at + 1] = [new]
    return "".join((before, head, "\n".join(rows), gap, rest))


def axes_of(name: str, variant: str, asked: argparse.Namespace, paths: Paths) -> Axes:
    """Return what a package is built for: CUDA where its recipe has that, and torch where it is built against one."""
    recipe = load(paths.recipes, name)
    if not any(fnmatch(COMPUTE, pattern) for pattern in recipe.compute):
        return Axes(arch=asked.arch, compute="cpu", variant=variant)
    torch = asked.torch if recipe.torch else ""
    return Axes(arch=asked.arch, compute=COMPUTE, torch=torch, gpu=asked.gpu, variant=variant)


def main() -> None:
    """Build, verify, and record a row for each wheel; what fails is told, and the rest goes on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=HEAVY, metavar="NAME[:VARIANT]")
    parser.add_argument("--arch", default="x86_64,aarch64")
    parser.add_argument("--torch", default="2.11")
    parser.add_argument("--gpu", default="sm_121")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--source-dir", type=Path, help="where the recipe's own source cannot be reached")
    parser.add_argument("--table", type=Path, default=CHECKOUT / "docs" / "built.md")
    asked = parser.parse_args()
    paths = Paths.here()
    failed = False
    wanted: list[Plan] = []
    for word in asked.names:
        name, _, variant = word.partition(":")
        axes = axes_of(name, variant, asked, paths)
        found = plans(Request(name=name, axes=axes, source_dir=asked.source_dir), paths, read_settings(paths))
        planned, left_out = found.plans, found.left_out
        wanted += planned
        for out in left_out:
            print(f"{name} {out.target} is left out: {out.reason}", flush=True)
            failed = True
    for plan in wanted:
        try:
            with Meter() as meter:
                repaired = build_wheel(plan, paths, from_nothing(paths), jobs=asked.jobs)
        except WorkbenchError as error:
            print(f"{plan.title}: {error}", flush=True)
            failed = True
            continue
        (report,) = verify_wheels([repaired.path], paths)
        made = row(f"{plan.title}, {plan.builder}", meter, repaired, report)
        print(made, findings_text(report), sep="\n", end="", flush=True)
        if report.passed:
            Workplace.of(plan, paths).clear()
            write_whole(asked.table, recorded(asked.table.read_text(encoding="utf-8"), made))
        failed = failed or not report.passed
    sys.exit(failed)


if __name__ == "__main__":
    main()
