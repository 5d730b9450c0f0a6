"""Who builds cells: the protocol, and the crew that is this machine."""

from __future__ import annotations

import contextvars
import os
import platform
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from workbench.errors import WorkbenchError
from workbench.fleet.attempt import attempt
from workbench.fleet.orders import failed
from workbench.process import end_left

if TYPE_CHECKING:
    from workbench.fleet.matrix import BuildCell
    from workbench.fleet.orders import Heard, Outcome

GRACE = 5.0
"""Seconds that builds get to end after a signal, before they are killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt at a cell: the cells that it needs and their wheels, and the seconds of work after which it hangs.

    `alone`: nothing else may run beside it, because whoever built it was lost before. `hear` is told what it says
    while it runs, from any thread.
    """

    cell: BuildCell
    attempt: int
    needs: tuple[BuildCell, ...]
    wheels: tuple[Path, ...]
    deadline: float
    alone: bool
    hear: Callable[[Heard], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnded:
    """A job that came to its end."""

    job: Job
    outcome: Outcome


class Crew(Protocol):
    """Whoever builds. One thread asks it; it works beside that."""

    @property
    def size(self) -> int:
        """How many cells it can build at once, as far as is known now."""

    def unfit(self, cell: BuildCell) -> str:
        """Return why nobody of the crew can build a cell; nothing where somebody can."""

    def found(self, cell: BuildCell) -> Path | None:
        """Return a cell's wheel that the crew has already, now in the site's ``wheels/``; None without one."""

    def start(self, job: Job) -> str:
        """Begin a job and return where; nothing, with nothing begun, where nobody is free for it now."""

    def wait(self, seconds: float) -> Sequence[JobEnded]:
        """Return the jobs that have ended, after some seconds at most."""

    def close(self) -> None:
        """End what is at work."""


def usual_number() -> int:
    """Return how many cells this machine builds at once where nobody says: one for each processor."""
    return len(os.sched_getaffinity(0))


class ThisMachine:
    """Builds on this machine, some cells at once, each in a process of its own."""

    def __init__(
        self, site: Path, logs: Path, *, at_once: int, jobs: int | None = None, cache: str = ""
    ) -> None:
        self._site = site
        self._logs = logs
        self._jobs = jobs
        self._cache = cache
        self.size = at_once
        self._ended: queue.SimpleQueue[JobEnded] = queue.SimpleQueue()
        self._working: dict[str, tuple[Job, threading.Thread]] = {}

    def unfit(self, cell: BuildCell) -> str:  # noqa: ARG002 - the plan has this machine's own builder
        """Return nothing: a plan is made for this machine."""
        return ""

    def found(self, cell: BuildCell) -> Path | None:  # noqa: ARG002 - what this machine has lies in the site
        """Return None: what this machine has lies in the site."""
        return None

    def start(self, job: Job) -> str:
        """Begin a job in a thread of its own, which waits for its process."""
        working = [other for other, _ in self._working.values()]
        if len(working) >= self.size or any(other.alone for other in working) or (job.alone and working):
            return ""
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(self._work, job), daemon=True)
        self._working[job.cell.name] = (job, thread)
        thread.start()
        return platform.node()

    def _log(self, job: Job) -> Path:
        return self._logs / f"{job.cell.name}.log"

    def _work(self, job: Job) -> None:
        try:
            outcome = self._outcome(job)
        except (WorkbenchError, OSError) as error:
            outcome = failed(error)
        except Exception as error:  # noqa: BLE001 - the run waits for each job, whatever it meets
            outcome = failed(WorkbenchError(f"{type(error).__name__}: {error}"))
        self._ended.put(JobEnded(job=job, outcome=replace(outcome, where=platform.node())))

    def _outcome(self, job: Job) -> Outcome:
        self._logs.mkdir(parents=True, exist_ok=True)
        wheels = tuple(map(str, job.wheels))
        order = job.cell.order(
            str(self._site), wheels=wheels, jobs=self._jobs, deadline=job.deadline, cache=self._cache
        )
        return attempt(order, self._log(job), job.hear)

    def wait(self, seconds: float) -> tuple[JobEnded, ...]:
        """Return the jobs that have ended."""
        return tuple(self._gathered(seconds))

    def _gathered(self, seconds: float) -> Iterator[JobEnded]:
        try:
            ended = self._ended.get(timeout=seconds)
        except queue.Empty:
            return
        while True:
            _, thread = self._working.pop(ended.job.cell.name)
            thread.join()
            yield ended
            try:
                ended = self._ended.get_nowait()
            except queue.Empty:
                return

    def close(self) -> None:
        """End what is at work: it has heard the signal that ends this process, if there was one."""
        until = time.monotonic() + GRACE
        for job, thread in self._working.values():
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                end_left(self._log(job))
                thread.join()
        self._working.clear()
