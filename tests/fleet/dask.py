"""A real cluster of Dask's on loopback: a scheduler, and workers that their nannies start again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.paths import CHECKOUT
from workbench.process import environment

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Fleet:
    """The cluster: where its scheduler is, and the processes that were started."""

    address: str
    root: Path
    processes: list[subprocess.Popen[bytes]]

    def start(self, *words: str, name: str, cache: str) -> None:
        """Start a program of Dask's."""
        with (self.root / f"{name}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]],
                    cwd=self.root,
                    env=environment({"PYTHONPATH": str(CHECKOUT), "WORKBENCH_CACHE": str(self.root / cache)}),
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def worker(self, name: str) -> None:
        """Start a worker that builds one cell at a time."""
        options = ("--host=127.0.0.1", "--nthreads=1", "--memory-limit=0", "--no-dashboard", f"--name={name}")
        here = f"--local-directory={self.root / 'dask'}"
        self.start("dask_worker", self.address, *options, here, name=name, cache=f"cache-{name}")

    def close(self) -> None:
        """End it, whatever state it is in."""
        for process in self.processes:
            for number in (signal.SIGCONT, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            process.wait()
        for pid in processes(self.root):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def fleet(root: Path, workers: int) -> Fleet:
    """Start a scheduler and its workers."""
    root.mkdir()
    made, log, listens = Fleet("", root, []), root / "s.log", re.compile(r"Scheduler at: +(\S+)\n")
    made.start("dask_scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard", name="s", cache="s")
    wait_for(lambda: listens.search(log.read_text()))
    (made.address,) = listens.findall(log.read_text())
    for number in range(workers):
        made.worker(f"w{number}")
    return made


def processes(root: Path) -> list[int]:
    """Return the processes, of whoever, that work for something below a folder."""
    found = []
    for variables in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended meanwhile
            if f"WORKBENCH_LOG={root}".encode() in variables.read_bytes():
                found.append(int(variables.parent.name))
    return found


def wait_for(so: Callable[[], Any], seconds: float = 400) -> None:
    until = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
