"""What may begin when, and how often: the queue of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from workbench.fleet.agenda import MOST_LOST, PAUSES, Agenda, seconds_left
from workbench.fleet.journal import CellEnded, Journal, new_run
from workbench.fleet.matrix import BuildCell, matrix_of
from workbench.fleet.orders import Outcome
from workbench.plan.axes import Axes
from workbench.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.conftest import Adds
    from workbench.paths import Paths


def cells_of(paths: Paths, python: str = "3.11") -> tuple[BuildCell, ...]:
    return matrix_of((), Axes(python=python), paths, Settings(), builder="host").cells


def built(cell: BuildCell) -> CellEnded:
    return CellEnded(run="r", time=0.0, cell=cell.name, package="", target="", key=None, state="built")


def ready(agenda: Agenda, now: float = 0.0) -> list[str]:
    return [f"{cell.package} {cell.plan.target.python}" for cell in agenda.ready(now)]


def test_the_first_of_a_family_goes_ahead_and_what_takes_longest_begins_first(
    add: Adds, paths: Paths
) -> None:
    for name in ("a", "b", "c"):
        add(name)
    cells = cells_of(paths, "3.11,3.12")
    agenda = Agenda(
        cells,
        expected=lambda cell: {"a": 1.0, "b": 9.0, "c": 5.0}[cell.package],
        single=lambda cell: cell.package == "c",
    )
    assert ready(agenda) == ["b 3.11", "b 3.12", "c 3.11", "c 3.12", "a 3.11", "a 3.12"]
    first = next(iter(agenda.ready(0.0)))
    agenda.begin(first)
    assert ready(agenda) == ["c 3.11", "c 3.12", "a 3.11", "a 3.12"]  # c's are known to serve one Python each
    agenda.end(first, built(first))
    assert ready(agenda)[0] == "b 3.12"


def test_what_kills_its_builder_fails_alone_after_a_few_times(add: Adds, paths: Paths) -> None:
    add("a")
    (cell,) = cells_of(paths)
    trial = Agenda([cell]).trial(cell)
    lost = Outcome(lost=True, message="gone")
    assert [bool(trial.again(lost, 0.0)) for _ in range(MOST_LOST)] == [True] * (MOST_LOST - 1) + [False]
    silent = Outcome(status=1, passing=True, message="no answer")
    for pause in PAUSES:
        assert trial.again(silent, 100.0)
        assert trial.not_before == 100.0 + pause
    assert not trial.again(silent, 100.0)
    assert not trial.again(Outcome(status=9, message="error: no such header"), 0.0)


def test_a_run_ends_when_its_longest_cell_does_or_its_work_is_shared_out() -> None:
    assert seconds_left([60.0, 60.0, 60.0], {"x": (100.0, 20.0)}, at_once=2) == 130.0
    assert seconds_left([], {"x": (100.0, 120.0)}, at_once=2) == 0.0
    assert seconds_left([5.0, 300.0], {}, at_once=8) == 300.0
    assert seconds_left([None], {}, at_once=1) is None


def test_a_line_that_a_kill_cut_short_is_no_record_and_the_next_is_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.add(new_run("first", 1))
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + whole[: len(whole) // 2])
    journal.add(new_run("second", 1))
    assert [run.began.line for run in journal.runs()] == ["first", "second"]
    assert len(journal.path.read_text().splitlines()) == 3
    assert json.loads(journal.path.read_text().splitlines()[-1])["line"] == "second"
