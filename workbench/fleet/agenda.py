"""What is to be built and what may begin now: the queue of a run, and the count of what went wrong. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.fleet.journal import CellEnded
    from workbench.fleet.matrix import BuildCell
    from workbench.fleet.orders import Outcome
    from workbench.plan.target import Target

MOST_LOST = 3
"""Times that whoever builds a cell may be lost before the cell is what is wrong."""

PAUSES = (10.0, 60.0)
"""Seconds before what may go well another time, such as a download, is tried again: as often as there are numbers."""


@dataclass(slots=True, kw_only=True)
class Trial:
    """How a cell fares: attempts begun, times that its builder was lost, and when it may begin again."""

    attempts: int = 0
    lost: int = 0
    passed: int = 0
    not_before: float = 0.0

    def again(self, outcome: Outcome, now: float) -> str:
        """Return why a cell is to be tried again after an outcome; nothing where that outcome stands."""
        if outcome.lost:
            self.lost += 1
            return outcome.message if self.lost < MOST_LOST else ""
        if outcome.passing and self.passed < len(PAUSES):
            self.not_before = now + PAUSES[self.passed]
            self.passed += 1
            return outcome.message
        return ""


class Agenda:
    """The cells of a run: waiting, at work, ended.

    A cell waits for the cells that it needs, and for the first of its family: a wheel without compiled code, or of the
    stable ABI, serves the family's other Pythons as well, so that they need no build. `single` says of a package that
    its wheels are known to serve one Python each. What takes longest, by `expected` seconds, begins first. Of cells
    that are expected to take as long, those go first whose family has nothing decided yet: the others of it wait.
    """

    def __init__(
        self,
        cells: Iterable[BuildCell],
        *,
        expected: Callable[[BuildCell], float | None] = lambda _: None,
        single: Callable[[BuildCell], bool] = lambda _: False,
    ) -> None:
        self.waiting = {cell.name: cell for cell in cells}
        self.working: dict[str, BuildCell] = {}
        self.ended: dict[str, CellEnded] = {}
        self.trials: dict[str, Trial] = {}
        needed = {name for cell in self.waiting.values() for name in cell.needs}
        self._rank = {
            name: (name not in needed, -(expected(cell) or float("inf")))
            for name, cell in self.waiting.items()
        }
        self._known: set[tuple[str, str, Target]] = {
            cell.family for cell in self.waiting.values() if single(cell)
        }

    @property
    def open(self) -> bool:
        """Whether anything is left to do."""
        return bool(self.waiting or self.working)

    def trial(self, cell: BuildCell) -> Trial:
        """Return how a cell fares."""
        return self.trials.setdefault(cell.name, Trial())

    def ready(self, now: float) -> Iterator[BuildCell]:
        """Yield the cells that may begin at a time of the monotonic clock, those first that should."""
        for name in sorted(
            self.waiting, key=lambda name: (*self._rank[name], self._decided(self.waiting[name]))
        ):
            cell = self.waiting.get(name)
            if cell is None or self.trial(cell).not_before > now:
                continue
            if any(need not in self.ended for need in cell.needs) or self._held(cell):
                continue
            yield cell

    def _held(self, cell: BuildCell) -> bool:
        """Say whether another cell of a family is at work, which may make the wheel of this one too."""
        if self._decided(cell):
            return False
        return any(other.family == cell.family for other in self.working.values())

    def _decided(self, cell: BuildCell) -> bool:
        """Say whether it is known by now which Pythons a wheel of a cell's family serves."""
        return cell.family in self._known

    def unmet(self, cell: BuildCell) -> CellEnded | None:
        """Return what came of a cell that this one needs and that has no wheel; None where all have one."""
        ended = (self.ended[need] for need in cell.needs)
        return next((each for each in ended if each.state not in ("built", "there")), None)

    def begin(self, cell: BuildCell) -> int:
        """Take a cell to work; return the number of the attempt."""
        self.working[cell.name] = self.waiting.pop(cell.name)
        trial = self.trial(cell)
        trial.attempts += 1
        return trial.attempts

    def put_back(self, cell: BuildCell) -> None:
        """Let a cell wait again, after an attempt that does not count as its outcome."""
        self.waiting[cell.name] = self.working.pop(cell.name)

    def end(self, cell: BuildCell, result: CellEnded) -> None:
        """Keep what came of a cell."""
        self.working.pop(cell.name, None)
        self.waiting.pop(cell.name, None)
        self.ended[cell.name] = result
        if result.state != "there":
            self._known.add(cell.family)  # it is known by now whether its wheel serves the others


def seconds_left(
    waiting: Iterable[float | None], working: Mapping[str, tuple[float | None, float]], *, at_once: int
) -> float | None:
    """Return in how many seconds a run may end: what waits and what works spread over `at_once` builds.

    `working` has the seconds that each may take and those that it has taken. None where anything is not known.
    """
    left = [*waiting, *(None if may is None else max(0.0, may - took) for may, took in working.values())]
    known = [each for each in left if each is not None]
    if len(known) < len(left):
        return None
    return max([sum(known) / max(1, at_once), *known], default=0.0)
