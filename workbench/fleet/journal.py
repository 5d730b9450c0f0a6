"""The journal: what was begun and what came of it, a line of JSON each, only ever appended to.

A line is on the disk before the work goes on. One that a kill cut short is no record, and the next stands on a line of
its own. Several processes may write at once.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

from workbench.files import locked
from workbench.strict import Mismatch, parse

State = Literal["built", "there", "failed", "not tried"]
"""A wheel was built; it was there; the build failed; it was not begun, because of what it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBegan:
    """A run of ``build-all``, known by its id: the line that asked for it, and how many cells it has."""

    run: str
    time: float
    host: str
    line: str
    cells: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CellBegan:
    """An attempt at a cell began, the `attempt`-th in its run, on a machine."""

    run: str
    time: float
    cell: str
    attempt: int
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLost:
    """An attempt came to nothing and is made again: why."""

    run: str
    time: float
    cell: str
    attempt: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CellEnded:
    """What came of a cell.

    `seconds` are those of its last attempt, `peak` the bytes of memory that it took; `status`, `message`, `brief` and
    `trouble` tell of an error.
    """

    run: str
    time: float
    cell: str
    package: str
    target: str
    key: str | None
    state: State
    wheel: str = ""
    seconds: float = 0.0
    attempts: int = 0
    where: str = ""
    peak: int = 0
    status: int = 0
    message: str = ""
    brief: str = ""
    trouble: str = ""
    passing: bool = False

    @property
    def reason(self) -> str:
        """Why it has no wheel, in one line."""
        told = self.brief or self.message.partition("\n")[0]
        return f"{self.trouble}: {told}" if self.trouble else told


def counted_states(cells: Iterable[CellEnded]) -> str:
    """Return in words how many cells are in which state: ``2 built, 1 failed``; nothing for none."""
    return ", ".join(f"{count} {state}" for state, count in Counter(each.state for each in cells).items())


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySeen:
    """How many bytes of memory were free on this machine, and how many cells were at work."""

    run: str
    time: float
    free: int
    running: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """A run came to its end, whatever came of its cells."""

    run: str
    time: float


Record = RunBegan | CellBegan | CellLost | CellEnded | MemorySeen | RunEnded

_KINDS: dict[str, type[Record]] = {
    "run": RunBegan,
    "began": CellBegan,
    "lost": CellLost,
    "ended": CellEnded,
    "memory": MemorySeen,
    "done": RunEnded,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run, as the journal tells it; `ended` is None where it goes on, or was killed."""

    began: RunBegan
    attempts: tuple[CellBegan, ...]
    cells: tuple[CellEnded, ...]
    memory: tuple[MemorySeen, ...]
    ended: float | None


class Journal:
    """The journal in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, record: Record) -> None:
        """Append a record; it is on the disk when this returns. Raises OSError."""
        line = json.dumps({"event": _NAMES[type(record)], **asdict(record)}).encode() + b"\n"
        with locked(self.path.with_suffix(".lock")):
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                size = os.fstat(descriptor).st_size
                torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
                os.write(descriptor, b"\n" * torn + line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def records(self) -> Iterator[Record]:
        """Yield the records, in their order."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        for line in lines:
            try:
                data = json.loads(line)
                yield parse(_KINDS[data.pop("event")], data)
            except (ValueError, KeyError, AttributeError, Mismatch):
                continue  # cut short by a kill, or written by another version

    def runs(self) -> tuple[Run, ...]:
        """Return the runs, the oldest first."""
        began: dict[str, RunBegan] = {}
        attempts: dict[str, list[CellBegan]] = {}
        cells: dict[str, dict[str, CellEnded]] = {}
        memory: dict[str, list[MemorySeen]] = {}
        ended: dict[str, float] = {}
        for each in self.records():
            match each:
                case RunBegan():
                    began[each.run] = each
                case CellBegan():
                    attempts.setdefault(each.run, []).append(each)
                case CellEnded():
                    cells.setdefault(each.run, {})[each.cell] = each
                case MemorySeen():
                    memory.setdefault(each.run, []).append(each)
                case RunEnded():
                    ended[each.run] = each.time
        return tuple(
            Run(
                began=first,
                attempts=tuple(attempts.get(run, ())),
                cells=tuple(cells.get(run, {}).values()),
                memory=tuple(memory.get(run, ())),
                ended=ended.get(run),
            )
            for run, first in began.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """What earlier runs tell: the seconds and the wheel of each cell's last build, by cell and by package.

    `longest` are the most seconds that a cell has worked: in a build, or until its deadline ended it. What came from a
    cache has no seconds.
    """

    seconds: dict[str, float]
    longest: dict[str, float]
    of_package: dict[str, float]
    wheels: dict[str, str]

    @classmethod
    def of(cls, runs: tuple[Run, ...]) -> Experience:
        """Return what some runs tell, the newest last."""
        ended = [cell for run in runs for cell in run.cells]
        made = [cell for cell in ended if cell.state == "built"]
        built = [cell for cell in made if cell.seconds]
        longest: dict[str, float] = {}
        of_package: dict[str, float] = {}
        for cell in (*built, *(cell for cell in ended if cell.trouble == "deadline")):
            longest[cell.cell] = max(cell.seconds, longest.get(cell.cell, 0))
        for cell in built:
            of_package[cell.package] = max(cell.seconds, of_package.get(cell.package, 0))
        return cls(
            seconds={cell.cell: cell.seconds for cell in built},
            longest=longest,
            of_package=of_package,
            wheels={cell.package: cell.wheel for cell in made},
        )

    def expected(self, cell: str, package: str) -> float | None:
        """Return how many seconds a cell may take: as its last build took, or another target's; None: not known."""
        return self.seconds.get(cell, self.of_package.get(package))


def new_run(line: str, cells: int) -> RunBegan:
    """Return the first record of a run of its own."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    run = f"{stamp}-{uuid4().hex[:6]}"
    return RunBegan(run=run, time=time.time(), host=platform.node(), line=line, cells=cells)
