"""A run as one HTML file: its cells over time, what came of each, and how much memory was free. It needs no network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.fleet.journal import counted_states
from workbench.text import duration, file_size, shown

if TYPE_CHECKING:
    from jinja2 import Template

    from workbench.fleet.journal import CellEnded, Run

WIDTH, ROW, PLOT = 1000, 22, 120
"""Pixels of the drawings: how wide they are, how high a cell's row and the memory's curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A cell's last attempt on the time line, in pixels; what it says when somebody points at it."""

    x: float
    y: float
    width: float
    state: str
    title: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """A row of the table."""

    package: str
    target: str
    state: str
    took: str
    attempts: int
    memory: str
    where: str
    told: str


def report_of(run: Run) -> str:
    """Return the report of a run as a page."""
    start = run.began.time
    times = [each.time for records in (run.cells, run.attempts, run.memory) for each in records]
    end = max([start, *times, run.ended or start])
    span = max(end - start, 0.001)
    most = max((each.free for each in run.memory), default=0)
    curve = [
        f"{WIDTH * (each.time - start) / span:.1f},{PLOT - PLOT * each.free / most:.1f}"
        for each in run.memory
        if most
    ]
    took = duration(span) if run.ended else f"{duration(span)}, and did not come to its end"
    began = datetime.fromtimestamp(start, UTC)
    return _template().render(
        line=shown(run.began.line),
        host=shown(run.began.host),
        began=f"{began:%Y-%m-%d %H:%M} UTC",
        took=took,
        counts=counted_states(run.cells) or "nothing ended",
        bars=_bars(run, start, span),
        rows=[_row(each) for each in run.cells],
        width=WIDTH,
        height=ROW * len(run.attempts or run.cells),
        row=ROW,
        plot=PLOT,
        curve=" ".join(curve),
        most=file_size(most),
        span=duration(span),
    )


def _bars(run: Run, start: float, span: float) -> list[Bar]:
    """Return a bar for each attempt: to the cell's end, the next attempt at it, or as far as the journal goes."""
    ended = {each.cell: each for each in run.cells}
    bars = []
    for number, each in enumerate(run.attempts):
        later = [other.time for other in run.attempts if other.cell == each.cell and other.time > each.time]
        result = ended.get(each.cell)
        stop = min([*later, result.time if result else start + span])
        state = "again" if later else result.state if result else "cut short"
        bars.append(
            Bar(
                x=WIDTH * (each.time - start) / span,
                y=ROW * number,
                width=max(2.0, WIDTH * (stop - each.time) / span),
                state=state.replace(" ", "-"),
                title=shown(f"{each.cell}, attempt {each.attempt} on {each.where}: {state}"),
                label=shown(each.cell),
            )
        )
    return bars


def _row(each: CellEnded) -> ReportRow:
    return ReportRow(
        package=each.package,
        target=each.target,
        state=each.state,
        took=duration(each.seconds) if each.seconds else "",
        attempts=each.attempts,
        memory=file_size(each.peak) if each.peak else "",
        where=shown(each.where),
        told=shown(each.wheel or each.message, keep="\n\t"),
    )


@cache
def _template() -> Template:
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(Path(__file__).with_name("report.html").read_text(encoding="utf-8"))
