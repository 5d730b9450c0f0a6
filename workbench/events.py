"""Progress as events: what works says what it is at, and whoever listens shows it.

    with step("fetch hnswlib-0.8.0.tar.gz") as at:
        at.detail("redirected")
        at.outcome = "36.2 kB"

A context variable carries the listener (`LISTENER`): a thread of a pool has it where it runs in a copy of the context.
Without one, nothing is shown.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBegan:
    """A step, known by its number, began; `total` units of work are known to lie before it, if any.

    `expected` is how many seconds it took before, None where that is not known. `waits`: it is not worked at, but waits
    for others.
    """

    step: int
    title: str
    total: int | None = None
    unit: str = ""
    expected: float | None = None
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMoved:
    """What a step is at now: the last line it said, and how many of its units are done.

    `memory` is how many bytes it takes now; 0 where that is not known.
    """

    step: int
    detail: str = ""
    done: int = 0
    memory: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded:
    """A step ended after some seconds, with what came of it, if that is worth a word."""

    step: int
    outcome: str
    failed: bool
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Something that a person should know, beside the steps."""

    text: str


Event = StepBegan | StepMoved | StepEnded | Noted

LISTENER: ContextVar[Callable[[Event], None]] = ContextVar("LISTENER", default=lambda _: None)
"""Who is told. It may be called from several threads at once."""

_numbers = itertools.count(1)


class Step:
    """One step under way. Set `outcome` for its closing line, `failed` where the work goes on all the same.

    A step that ends with an exception failed in any case. Called with a count, it has done so many more units.
    """

    def __init__(self, number: int, tell: Callable[[Event], None]) -> None:
        self._number = number
        self._tell = tell
        self._detail = ""
        self._done = self._memory = 0
        self._lock = threading.Lock()
        self.outcome = ""
        self.failed = False

    def detail(self, text: str) -> None:
        """Say what the step is at: a line of a compiler's, a file."""
        self._detail = text
        self._moved()

    def takes(self, memory: int) -> None:
        """Say how many bytes of memory it takes now."""
        self._memory = memory
        self._moved()

    def note(self, text: str) -> None:
        """Say something that a person should know to whoever hears of this step, from any thread."""
        self._tell(Noted(text=text))

    def fail(self, outcome: str) -> None:
        """Say that what the step did went wrong, though the work goes on."""
        self.outcome = outcome
        self.failed = True

    def __call__(self, count: int) -> None:
        """Advance by a count."""
        with self._lock:
            self._done += count
        self._moved()

    def _moved(self) -> None:
        moved = StepMoved(step=self._number, detail=self._detail, done=self._done, memory=self._memory)
        self._tell(moved)


@contextmanager
def step(
    title: str,
    *,
    total: int | None = None,
    unit: str = "bytes",
    expected: float | None = None,
    waits: bool = False,
) -> Iterator[Step]:
    """Tell of a step from its beginning to its end, however it ends.

    One over `total` units, ``"bytes"`` or a plural noun (``"wheels"``), is called with what was done. `expected` is how
    many seconds it took before. One that `waits` for others is not worked at.
    """
    tell, number, start = LISTENER.get(), next(_numbers), time.monotonic()
    unit = "" if total is None else unit
    tell(StepBegan(step=number, title=title, total=total, unit=unit, expected=expected, waits=waits))
    at = Step(number, tell)
    try:
        yield at
    except BaseException:
        at.fail(at.outcome)
        raise
    finally:
        seconds = time.monotonic() - start
        tell(StepEnded(step=number, outcome=at.outcome, failed=at.failed, seconds=seconds))


def note(text: str) -> None:
    """Say something that a person should know, beside the steps."""
    LISTENER.get()(Noted(text=text))
