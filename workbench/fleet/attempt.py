"""One attempt at one cell: a program of its own, so that whatever becomes of a build happens to it alone.

``python attempt.py ORDER`` reads an order and writes lines of JSON on stdout: ``{"heard": …}``, a `Heard`; at the end
``{"outcome": …}``, the `Outcome`. Without that line it was killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import UsageError, WorkbenchError
from workbench.events import LISTENER, Noted, StepBegan, StepEnded, StepMoved
from workbench.files import write_whole
from workbench.fleet.orders import Heard, Order, Outcome, failed
from workbench.process import ended_by_signals, run
from workbench.strict import Mismatch, parse
from workbench.text import duration

if TYPE_CHECKING:
    from workbench.events import Event

_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from workbench.fleet.attempt import main; main(sys.argv[2])"
)
"""Names the folder that this package lies in: a checkout is not installed."""


def attempt(order: Order, log: Path, hear: Callable[[Heard], None]) -> Outcome:
    """Build an order in a process of its own, which says in `log` what it does; return what came of it.

    `hear` is told what it says meanwhile.
    """
    said: list[Outcome] = []

    def read(line: str) -> None:
        try:
            told = json.loads(line)
            if "heard" in told:
                hear(parse(Heard, told["heard"]))
            elif "outcome" in told:
                said.append(parse(Outcome, told["outcome"]))
        except (ValueError, TypeError, Mismatch):
            return  # a traceback, or what a library prints: it is in the log

    paper = log.with_suffix(".order.json")
    write_whole(paper, order.as_json())
    log.unlink(missing_ok=True)
    root = Path(__file__).resolve().parents[2]
    done = run([sys.executable, "-c", _START, root, paper], log=log, on_line=read, check=False)
    if said:
        return said[-1]
    if done.status in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return Outcome(lost=True, message="its process was killed (signal 9): memory may have run out")
    return Outcome(
        status=WorkbenchError.exit_code,
        message=f"its process ended with {done.status} and left no outcome; its log: {log}\n{done.tail}",
    )


def main(paper: str) -> None:
    """Build what the order in a file says, and tell of it on stdout."""
    order = Order.of_json(Path(paper).read_text(encoding="utf-8"))
    tell = _Teller()
    LISTENER.set(tell)
    clock = _Clock(tell, order.deadline)
    with ended_by_signals():
        try:
            outcome = _build(order)
        except (WorkbenchError, OSError) as error:
            outcome = failed(error)
        except KeyboardInterrupt:
            if not clock.rung:
                raise
            limit = duration(order.deadline)
            why = f"it did not end within {limit}, which is far more than it took before, and was ended"
            outcome = Outcome(status=WorkbenchError.exit_code, message=why, trouble="deadline")
        seconds = 0.0 if outcome.taken else round(tell.worked(), 3)
        tell.say("outcome", replace(outcome, seconds=seconds))


class _Clock:
    """Ends this process, as a signal would, once it has worked for some seconds."""

    def __init__(self, tell: _Teller, seconds: float) -> None:
        self.rung = False
        self._tell, self._seconds = tell, seconds
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while (left := self._seconds - self._tell.worked()) > 0:
            time.sleep(min(left, 1))
        self.rung = True
        os.kill(os.getpid(), signal.SIGTERM)


def _build(order: Order) -> Outcome:
    from workbench.builders.own_index import given
    from workbench.evidence import notes
    from workbench.fleet.stored_wheels import wheel_cache
    from workbench.make.produce import build_all
    from workbench.make.request import Request, plans
    from workbench.paths import Paths
    from workbench.settings import read_settings

    paths = Paths(Path(order.site))
    settings = read_settings(paths)
    request = Request(
        name=order.name,
        axes=order.axes,
        builder=order.builder,
        version_suffix=order.version_suffix,
        max_jobs=order.jobs,
    )
    planned = plans(request, paths, settings)
    (plan,) = (replace(each, why=order.why, needs=order.needs) for each in planned.plans)
    if plan.key != order.key:
        raise UsageError(
            f"{plan.title} has another build key here ({plan.key}) than where it was planned ({order.key}): the recipe "
            "was changed meanwhile, or this machine has another toolkit, image or version of the workbench"
        )
    with given([*map(Path, order.wheels)], paths.state):
        made, failures = build_all(
            replace(planned, plans=(plan,)),
            paths,
            settings,
            jobs=order.jobs,
            cache=wheel_cache(paths, settings, order.cache),
        )
    for failure in failures:
        return failed(failure.error)
    wheel = made[0].wheel
    known = notes.read(wheel)
    peak = known.memory.peak if known and known.memory else 0
    return Outcome(wheel=wheel.name, peak=peak, taken=made[0].repaired is None)


class _Teller:
    """Writes what happens as lines of JSON, what a step is at, and takes, no more than once a second."""

    def __init__(self) -> None:
        self._titles: dict[int, str] = {}
        self._last = 0.0
        self._memory = 0
        self._began = time.monotonic()
        self._waiting: dict[int, float] = {}
        self._waited = 0.0

    def worked(self) -> float:
        """Return for how many seconds it has worked, without what it waited for others."""
        now = time.monotonic()
        return now - self._began - self._waited - sum(now - since for since in [*self._waiting.values()])

    def __call__(self, event: Event) -> None:
        match event:
            case StepBegan():
                self._titles[event.step] = event.title
                if event.waits:
                    self._waiting[event.step] = time.monotonic()
                self.say("heard", Heard(at=event.title))
            case StepMoved() if time.monotonic() - self._last >= 1:
                self._last, self._memory = time.monotonic(), event.memory
                title = self._titles.get(event.step, "")
                at = ": ".join(filter(None, (title, event.detail)))
                self.say("heard", Heard(at=at, memory=event.memory))
            case StepEnded():
                self._titles.pop(event.step, None)
                if self._memory:
                    self._memory = 0
                    self.say("heard", Heard(memory=0))
                if since := self._waiting.pop(event.step, None):
                    self._waited += time.monotonic() - since
            case Noted():
                self.say("heard", Heard(note=event.text))

    def say(self, what: str, value: Heard | Outcome) -> None:
        """Write one line."""
        sys.stdout.write(json.dumps({what: asdict(value)}) + "\n")
        sys.stdout.flush()
