"""What it takes to build the packages that compile for long: a row of docs/built.md for each wheel.

    .venv/bin/python benchmarks/heavy.py [NAME[:VARIANT] ...] [--arch x86_64,aarch64] [--torch 2.11] [--gpu sm_121]
        [--jobs 1] [--source-dir DIR]

Each wheel is built, repaired and verified as ``invoke build`` and ``invoke verify`` do it, into ``wheels/``. Wall and
CPU seconds (user and system) are those of the build with its environment, of the programs that it started too. Memory
is the largest sum, looked at five times a second, of what these processes had resident; pages that two of them share
count twice.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from workbench.builders.workplace import Workplace
from workbench.errors import WorkbenchError
from workbench.make.produce import build_wheel
from workbench.make.request import Request, plans
from workbench.make.verification import verify_wheels
from workbench.paths import Paths
from workbench.plan.axes import Axes
from workbench.settings import read_settings
from workbench.verify.report import findings_text

if TYPE_CHECKING:
    from types import TracebackType

    from workbench.plan.plan import Plan
    from workbench.repair.repair import Repaired
    from workbench.verify.report import Report

HEAVY = (
    "causal-conv1d",
    "torch-scatter",
    "gsplat",
    "nv-grouped-gemm",
    "mamba-ssm",
    "flash-attn:hdim128",
)
COMPUTE = "cu130"
PAUSE = 0.2


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


def main() -> None:
    """Build, verify, and print a row for each wheel; what fails is told, and the rest goes on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=HEAVY, metavar="NAME[:VARIANT]")
    parser.add_argument("--arch", default="x86_64,aarch64")
    parser.add_argument("--torch", default="2.11")
    parser.add_argument("--gpu", default="sm_121")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--source-dir", type=Path, help="where the recipe's own source cannot be reached")
    asked = parser.parse_args()
    paths = Paths.here()
    failed = False
    wanted: list[Plan] = []
    for word in asked.names:
        name, _, variant = word.partition(":")
        axes = Axes(arch=asked.arch, compute=COMPUTE, torch=asked.torch, gpu=asked.gpu, variant=variant)
        found = plans(Request(name=name, axes=axes, source_dir=asked.source_dir), paths, read_settings(paths))
        planned, left_out = found.plans, found.left_out
        wanted += planned
        for out in left_out:
            print(f"{name} {out.target} is left out: {out.reason}", flush=True)
            failed = True
    for plan in wanted:
        try:
            with Meter() as meter:
                repaired = build_wheel(plan, paths, read_settings(paths), jobs=asked.jobs)
        except WorkbenchError as error:
            print(f"{plan.title}: {error}", flush=True)
            failed = True
            continue
        (report,) = verify_wheels([repaired.path], paths)
        if report.passed:
            Workplace.of(plan, paths).clear()
        print(row(f"{plan.title}, {plan.builder}", meter, repaired, report), flush=True)
        print(findings_text(report), end="", flush=True)
        failed = failed or not report.passed
    sys.exit(failed)


if __name__ == "__main__":
    main()
