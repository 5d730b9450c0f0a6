"""``build-all``: every cell to its end, whatever comes of the others, with a journal that the next run goes on from."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError
from workbench.events import Step, note, step
from workbench.fleet.agenda import Agenda, seconds_left
from workbench.fleet.crew import Crew, Job, JobEnded
from workbench.fleet.journal import (
    CellBegan,
    CellEnded,
    CellLost,
    Experience,
    Journal,
    MemorySeen,
    Run,
    RunBegan,
    RunEnded,
    State,
    counted_states,
)
from workbench.fleet.orders import failed
from workbench.make.cells import find_built
from workbench.memory.free import available
from workbench.text import duration
from workbench.wheel.filename import parse_wheel

if TYPE_CHECKING:
    from workbench.fleet.matrix import BuildCell, Matrix
    from workbench.fleet.orders import Heard, Outcome
    from workbench.paths import Paths

TICK = 0.5
"""Seconds after which a run looks again at what may begin."""

SAMPLE = 10.0
"""Seconds from one look at the memory to the next."""

_SLOW = 4
"""A build hangs that takes so many times what its cell's longest took."""

PATIENCE = 15 * 60.0
"""Seconds that every build gets."""

LONGEST = 24 * 60 * 60.0
"""Seconds that a build gets of which nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A cell that is at work: what is shown of it, and since when, by the monotonic clock."""

    cell: BuildCell
    step: Step
    stack: ExitStack
    began: float


def journal_of(paths: Paths) -> Journal:
    """Return the journal of a site's runs."""
    return Journal(paths.state / "fleet" / "journal.jsonl")


def deadline_of(longest: float | None) -> float:
    """Return the seconds after which a build hangs, by the longest that its cell has taken; None: not known."""
    return LONGEST if longest is None else max(PATIENCE, _SLOW * longest)


def unfinished(runs: Sequence[Run], line: str) -> Run | None:
    """Return the last run of a line if it did not come to its end, or None."""
    last = next((run for run in reversed(runs) if run.began.line == line), None)
    return last if last and last.ended is None else None


class Building:
    """One run over a matrix: what waits begins where the crew has room, what ends is written down."""

    def __init__(
        self,
        matrix: Matrix,
        crew: Crew,
        paths: Paths,
        *,
        began: RunBegan,
        runs: Sequence[Run],
        settled: Mapping[str, CellEnded],
    ) -> None:
        self._crew = crew
        self._paths = paths
        self._began = began
        self._journal = journal_of(paths)
        self._settled = settled
        self._known = Experience.of(tuple(runs))
        self._agenda = Agenda(matrix.cells, expected=self._expected, single=self._single)
        self._cells = {cell.name: cell for cell in matrix.cells}
        self._wheels: dict[str, Path] = {}
        self._shown: dict[str, Progress] = {}
        self._unbuilt: set[str] = set()
        self._sampled = float("-inf")

    def _expected(self, cell: BuildCell) -> float | None:
        return self._known.expected(cell.name, cell.package)

    def _single(self, cell: BuildCell) -> bool:
        """Say whether a package's wheels are known to serve one Python each: those of a Python's own ABI do."""
        wheel = self._known.wheels.get(cell.package)
        return wheel is not None and all(
            tag.abi.startswith("cp") and tag.abi.startswith(tag.interpreter)
            for tag in parse_wheel(wheel).tags
        )

    def run(self) -> tuple[CellEnded, ...]:
        """Build everything and return what came of each cell, in the matrix's order.

        An exception, Ctrl-C among them, ends what is at work; the journal keeps what was done.
        """
        agenda, cells = self._agenda, [*self._agenda.waiting]
        self._journal.add(self._began)
        try:
            with step("build-all", total=len(cells), unit="cells") as at:
                while agenda.open:
                    waiting = len(agenda.waiting)
                    self._begin(at)
                    idle = len(agenda.waiting) == waiting
                    for ended in self._crew.wait(TICK) if agenda.working or idle else ():
                        self._take(ended, at)
                    self._look(at)
                at.outcome = self._counted()
        finally:
            self._crew.close()
            for each in self._shown.values():
                each.step.fail("interrupted")
                each.stack.close()
        self._journal.add(RunEnded(run=self._began.run, time=time.time()))
        return tuple(agenda.ended[name] for name in cells)

    def _begin(self, at: Step) -> None:
        """Begin what may begin, and settle what needs no build."""
        for cell in (*self._agenda.ready(time.monotonic()),):
            if self._settle(cell, at):
                continue
            if cell not in (*self._agenda.ready(time.monotonic()),):
                continue  # one of its family began just now
            trial = self._agenda.trial(cell)
            stack = ExitStack()
            shown = step(cell.plan.title, expected=self._expected(cell))
            job = Job(
                cell=cell,
                attempt=trial.attempts + 1,
                needs=tuple(self._cells[need] for need in cell.needs),
                wheels=tuple(self._wheels[need] for need in cell.needs),
                deadline=deadline_of(self._known.longest.get(cell.name)),
                alone=trial.lost > 0,
                hear=partial(self._hear, cell),
            )
            where = self._crew.start(job)
            if not where:
                continue
            number = self._agenda.begin(cell)
            self._journal.add(
                CellBegan(run=self._began.run, time=time.time(), cell=cell.name, attempt=number, where=where)
            )
            self._shown[cell.name] = Progress(
                cell=cell, step=stack.enter_context(shown), stack=stack, began=time.monotonic()
            )

    def _hear(self, cell: BuildCell, heard: Heard) -> None:
        """Show what a cell's build says."""
        if not (shown := self._shown.get(cell.name)):
            return
        if heard.at is not None:
            shown.step.detail(heard.at)
        if heard.memory is not None:
            shown.step.takes(heard.memory)
        if heard.note is not None:
            shown.step.note(f"{cell.plan.title}: {heard.note}")

    def _settle(self, cell: BuildCell, at: Step) -> bool:
        """Settle a cell that needs no build, or can have none; say whether it is settled, or looked at again later.

        What has to be built is looked at once, and again where a wheel of its family turned up.
        """
        if cell.name in self._unbuilt:
            return False
        try:
            result = self._without_build(cell)
        except WorkbenchError as error:
            outcome = failed(error)
            if self._again(cell, outcome):
                return True
            result = replace(
                self._result(cell, "failed"),
                status=outcome.status,
                message=outcome.message,
                brief=outcome.brief,
                passing=outcome.passing,
            )
        if result is None:
            self._unbuilt.add(cell.name)
            return False
        self._end(cell, result, at)
        return True

    def _again(self, cell: BuildCell, outcome: Outcome) -> bool:
        """Say whether a cell is tried again after an outcome, and write that down."""
        trial = self._agenda.trial(cell)
        why = trial.again(outcome, time.monotonic())
        if why:
            self._journal.add(
                CellLost(
                    run=self._began.run, time=time.time(), cell=cell.name, attempt=trial.attempts, why=why
                )
            )
            first = why.partition("\n")[0]
            note(f"· {cell.plan.title} is tried again: {first}")
            self._unbuilt.discard(cell.name)
        return bool(why)

    def _without_build(self, cell: BuildCell) -> CellEnded | None:
        """Return what comes of a cell without a build; None where it has to be built. Raises WorkbenchError."""
        if unmet := self._agenda.unmet(cell):
            message = f"it needs the wheel of {unmet.package} {unmet.target}, which has none"
            return replace(self._result(cell, "not tried"), message=message)
        planner = cell.planned.planner_of(cell.plan)
        if found := find_built(cell.plan, self._paths.wheels, planner) or self._crew.found(cell):
            self._wheels[cell.name] = found
            return replace(self._result(cell, "there"), wheel=found.name)
        if (before := self._settled.get(cell.name)) and before.key == cell.plan.key:
            note(f"· {cell.plan.title} failed before this run was interrupted: it is not tried again")
            return replace(before, run=self._began.run)
        if why := self._crew.unfit(cell):
            raise WorkbenchError(why)
        return None

    def _take(self, ended: JobEnded, at: Step) -> None:
        """Write down what came of a job, or let its cell wait for another attempt."""
        cell, outcome = ended.job.cell, ended.outcome
        shown = self._shown.pop(cell.name)
        wheel = self._paths.wheels / outcome.wheel
        if outcome.wheel:
            shown.step.outcome = outcome.wheel
        else:
            shown.step.fail(outcome.brief or outcome.message.partition("\n")[0])
        shown.stack.close()
        if not outcome.wheel and self._again(cell, outcome):
            self._agenda.put_back(cell)
            return
        if outcome.wheel:
            self._wheels[cell.name] = wheel
        message = outcome.message
        if outcome.lost:
            message = f"{message}; so it went {ended.job.attempt} times, the last ones with nothing beside it"
        result = replace(
            self._result(cell, "built" if outcome.wheel else "failed"),
            wheel=outcome.wheel,
            seconds=outcome.seconds,
            where=outcome.where,
            peak=outcome.peak,
            status=0 if outcome.wheel else outcome.status or WorkbenchError.exit_code,
            message=message,
            brief=outcome.brief,
            trouble=outcome.trouble,
            passing=outcome.passing,
        )
        self._end(cell, result, at)

    def _result(self, cell: BuildCell, state: State) -> CellEnded:
        return CellEnded(
            run=self._began.run,
            time=time.time(),
            cell=cell.name,
            package=cell.package,
            target=str(cell.plan.target),
            key=cell.plan.key,
            state=state,
            attempts=self._agenda.trial(cell).attempts,
        )

    def _end(self, cell: BuildCell, result: CellEnded, at: Step) -> None:
        self._journal.add(result)
        self._agenda.end(cell, result)
        if result.wheel:
            self._unbuilt -= {name for name, each in self._cells.items() if each.family == cell.family}
        at(1)

    def _look(self, at: Step) -> None:
        """Say when the run may end, and how much memory is free."""
        now, agenda = time.monotonic(), self._agenda
        left = seconds_left(
            [self._expected(cell) for cell in agenda.waiting.values()],
            {name: (self._expected(each.cell), now - each.began) for name, each in self._shown.items()},
            at_once=self._crew.size,
        )
        told = [self._counted(), *([f"about {duration(left)} left"] if left else [])]
        if now - self._sampled >= SAMPLE:
            self._sampled = now
            free = available()
            self._journal.add(
                MemorySeen(run=self._began.run, time=time.time(), free=free, running=len(agenda.working))
            )
        at.detail(", ".join(told))

    def _counted(self) -> str:
        return counted_states(self._agenda.ended.values()) or "none ended"
