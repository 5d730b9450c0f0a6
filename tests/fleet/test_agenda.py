"""What may begin when, and how often: the queue of a run."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from workbench.builders.own_index import published_here
from workbench.errors import SourceError
from workbench.fleet import agenda as agendas
from workbench.fleet.agenda import MOST_LOST, PAUSES, Agenda, seconds_left
from workbench.fleet.building import LONGEST, Building, deadline_of, journal_of
from workbench.fleet.crew import Job, JobEnded, ThisMachine
from workbench.fleet.journal import CellEnded, Experience, Journal, Run, State, new_run
from workbench.fleet.matrix import BuildCell, matrix_of
from workbench.fleet.member import manifest_of
from workbench.fleet.orders import Heard, Outcome, failed
from workbench.fleet.stored_wheels import WheelPlace
from workbench.http import NoAnswer
from workbench.plan.axes import Axes
from workbench.plan.target import this_arch
from workbench.settings import Settings
from workbench.store.client import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.fleet.conftest import Adds
    from workbench.paths import Paths


def cells_of(paths: Paths, python: str = "3.11", names: Sequence[str] = ()) -> tuple[BuildCell, ...]:
    axes, published = Axes(python=python), published_here(paths)
    return matrix_of(names, axes, paths, Settings(), builder="host", published=published).cells


def built(cell: BuildCell) -> CellEnded:
    return built_as(cell.name)


def built_as(name: str) -> CellEnded:
    return CellEnded(run="r", time=0.0, cell=name, package="", target="", key=None, state="built")


def job_of(cell: BuildCell) -> Job:
    return Job(cell=cell, attempt=1, needs=(), wheels=(), deadline=60.0, alone=False, hear=lambda _: None)


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


def test_where_nothing_is_known_each_package_begins_before_a_second_python_of_any(
    add: Adds, paths: Paths
) -> None:
    for name in ("a", "b"):
        add(name)
    agenda = Agenda(cells_of(paths, "3.11,3.12"))
    first = next(iter(agenda.ready(0.0)))
    agenda.begin(first)
    agenda.end(first, built(first))
    assert ready(agenda) == ["b 3.11", "b 3.12", "a 3.12"]


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


def test_a_deadline_is_of_the_cells_own_builds_and_one_that_was_met_raises_it() -> None:
    def ended(cell: str, seconds: float, *, trouble: str = "") -> CellEnded:
        state: State = "failed" if trouble else "built"
        return replace(
            built_as(cell),
            package="p",
            state=state,
            wheel="" if trouble else "w",
            seconds=seconds,
            trouble=trouble,
        )

    cells = (ended("long", 4000.0), ended("cached", 0.0), ended("late", 5000.0, trouble="deadline"))
    runs = tuple(
        Run(began=new_run("", 1), attempts=(), cells=each, memory=(), ended=None)
        for each in (cells, (ended("long", 60.0),))
    )
    known = Experience.of(runs)
    assert deadline_of(known.longest.get("long")) == 16000.0  # its last build found most objects in the cache
    assert deadline_of(known.longest.get("late")) == 20000.0
    assert deadline_of(known.longest.get("cached")) == LONGEST
    assert deadline_of(known.longest.get("another target")) == LONGEST
    assert (known.seconds, known.of_package) == ({"long": 60.0}, {"p": 4000.0})


def test_only_what_may_change_is_tried_again() -> None:
    """What the server said counts, however often it was wrapped."""

    def wrapped(first: NoAnswer) -> Outcome:
        try:
            try:
                raise NoAnswer(f"x.tar.gz: {first}") from first
            except NoAnswer as error:
                raise SourceError("x cannot be fetched") from error
        except SourceError as error:
            return failed(error)

    assert wrapped(NoAnswer("503", 503)).passing
    assert not wrapped(NoAnswer("404", 404)).passing
    assert not wrapped(NoAnswer("more than 10 redirects", lasting=True)).passing


def test_a_job_that_meets_an_error_of_the_system_ends(add: Adds, paths: Paths, tmp_path: Path) -> None:
    add("a")
    (cell,) = cells_of(paths)
    logs = tmp_path / "logs"
    logs.write_text("a file where the folder of the logs has to be")
    crew = ThisMachine(paths.root, logs, at_once=1)
    crew.start(job_of(cell))
    (ended,) = crew.wait(30)
    assert ended.outcome.status == 1
    assert str(logs) in ended.outcome.message


def test_one_broken_recipe_stops_only_what_requires_it(add: Adds, paths: Paths) -> None:
    add("a", requires=("b",))
    add("b", requires=("typo",))
    add("c")
    (paths.recipes / "typo.py").write_text("recipe = 1\n")
    for names in ((), ("a", "b", "c")):
        matrix = matrix_of(names, Axes(python="3.11"), paths, Settings(), builder="host")
        assert [cell.package for cell in matrix.cells] == ["c"]
        assert [name for name, _ in matrix.broken] == ["typo"]
        assert [each.package for each in matrix.left_out] == ["a", "b"]
        assert "it needs the wheel of typo" in matrix.left_out[0].reason


def test_what_is_in_a_circle_fails_alone_and_names_it(add: Adds, paths: Paths) -> None:
    add("a", requires=("b",))
    add("b", requires=("a",))
    add("c")
    matrix = matrix_of((), Axes(python="3.11"), paths, Settings(), builder="host")
    assert [cell.package for cell in matrix.cells] == ["c"]
    told = {str(error) for _, error in matrix.broken}
    assert "build_requires: a requires b requires a: none of them can be built first" in " ".join(told)


def test_of_several_pythons_each_needs_the_wheel_of_its_own(add: Adds, paths: Paths) -> None:
    add("a")
    add("b", requires=("a",))
    matrix = matrix_of(("b",), Axes(python="3.11,3.12"), paths, Settings(), builder="host")
    assert [cell.name for cell in matrix.cells if cell.package == "b"] == [
        f"b-1.0-cp{python}-{this_arch()}-cpu" for python in (311, 312)
    ]
    assert {cell.name: cell.needs for cell in matrix.cells if cell.needs} == {
        f"b-1.0-cp{python}-{this_arch()}-cpu": (f"a-1.0-cp{python}-{this_arch()}-cpu",)
        for python in (311, 312)
    }
    one, other = (cell.plan for cell in matrix.cells if cell.package == "b")
    planner = matrix.cells[-1].planned.planner_of(one)
    assert planner.of_cell(one.target, "host") == replace(one, why="as it was built")
    assert one.needs != other.needs


def test_a_package_without_cuda_is_built_for_one_that_has_it(add: Adds, paths: Paths) -> None:
    add("a")
    add("b", requires=("a",))
    recipe = paths.recipes / "b.py"
    recipe.write_text(
        recipe.read_text().replace("    environment=", '    compute=("cu130",),\n    environment=')
    )
    matrix = matrix_of(("b",), Axes(python="3.11", compute="cu130"), paths, Settings(), builder="host")
    assert [str(cell.plan.target).split()[2:] for cell in matrix.cells] == [["cpu"], ["cu130"]]
    assert matrix.cells[1].needs == (matrix.cells[0].name,)


@pytest.mark.parametrize("requirement", ['a; python_version < "3"', "a @ https://example.com/a-1.0.tar.gz"])
def test_what_a_build_requires_of_others_needs_no_recipe(add: Adds, paths: Paths, requirement: str) -> None:
    add("a")
    add("b", requires=(requirement,))
    assert [cell.package for cell in cells_of(paths, names=("b",))] == ["b"]


def test_of_several_versions_a_build_gets_the_newest_that_fits_all_that_it_says(
    add: Adds, paths: Paths
) -> None:
    add("a")
    add("b", requires=("a<2", "a>1"))
    recipe = paths.recipes / "a.py"
    source = re.search(r"source=(Git.*),\n", recipe.read_text())
    assert source
    versions = dict.fromkeys(("1.0", "1.1", "1.10", "2.0"), source[1])
    told = ", ".join(f'"{version}": {pinned}' for version, pinned in versions.items())
    written = recipe.read_text().replace(source[0], "").replace('version="1.0"', f"versions={{{told}}}")
    recipe.write_text(written)
    assert [cell.plan.title for cell in cells_of(paths, names=("b",))] == [
        f"{each} cp311 {this_arch()} cpu" for each in ("a 1.10", "b 1.0")
    ]


def test_what_cannot_be_built_for_one_target_stops_no_other(add: Adds, paths: Paths) -> None:
    add("a")
    add("b", requires=("a",))
    each = 'compute=("cpu", "cu130"), local_version="{compute}", environment='
    for name, told in (("a", f'cuda_libraries=("cuwhat",), {each}'), ("b", each)):
        recipe = paths.recipes / f"{name}.py"
        recipe.write_text(recipe.read_text().replace("environment=", told))
    axes = Axes(python="3.11", compute="cpu,cu130")
    matrix = matrix_of(("b",), axes, paths, Settings(), builder="host")
    assert [cell.package for cell in matrix.cells] == ["a", "b"]
    (left,) = matrix.left_out
    assert left.target.endswith("cu130")
    assert "requires a: " in left.reason
    assert "cuwhat" in left.reason


def test_what_is_published_is_not_built_until_it_would_be_another(add: Adds, paths: Paths) -> None:
    """A wheel that was made of another recipe is not the one that the key of what requires it names."""
    add("a")
    add("b", requires=("a",))
    of_another_python, own = cells_of(paths, "3.10,3.11", names=("a",))
    build = {"source": "a", "pin": "", "python": "3.10", "arch": this_arch()}
    for key, facts in ((own.plan.key, None), (of_another_python.plan.key, build)):
        wheel = {"filename": "a-1.0-py3-none-any.whl", "build_key": key, "build": facts}
        paths.registry.write_text(json.dumps({"packages": {"a": {"wheels": [wheel]}}}))
        add("a")
        assert [each.package for each in cells_of(paths, names=("b",))] == ["b"]
        add("a", before="print('otherwise')")
        assert [each.package for each in cells_of(paths, names=("b",))] == ["a", "b"]


def test_a_package_without_torch_is_built_for_one_that_has_it(add: Adds, paths: Paths) -> None:
    add("a")
    add("b", requires=("a",))
    recipe = paths.recipes / "b.py"
    recipe.write_text(recipe.read_text().replace("    environment=", '    torch=">=2.9",\n    environment='))
    matrix = matrix_of(("b",), Axes(python="3.11", torch="2.9"), paths, Settings(), builder="host")
    assert [cell.package for cell in matrix.cells] == ["a", "b"]


def test_files_reach_another_machine_byte_by_byte_and_patience_changes_no_wheel(
    add: Adds, paths: Paths
) -> None:
    add("a")
    (cell,) = cells_of(paths)
    series = paths.patches / "a"
    series.mkdir()
    content = b"--- a/x\r\n+++ b/x\r\n-\xe9\r\n"
    (series / "0001-x.patch").write_bytes(content)
    one, other = (
        manifest_of(
            replace(cell.order("", deadline=deadline, jobs=jobs), why=why),
            cell.plan.recipe,
            paths,
            needs=(),
            place=WheelPlace(folder=str(paths.root)),
        )
        for deadline, jobs, why in ((900.0, None, "as asked"), (86400.0, 2, "it fits"))
    )
    assert one.files["patches/a/0001-x.patch"].encode("latin-1") == content
    assert one.order != other.order
    assert one.digest == other.digest


class Slow:
    """A crew that has nobody free at first, and a store that does not answer at first."""

    size = 1

    def __init__(self) -> None:
        self.asked = self.started = self.waited = 0
        self.ended: list[JobEnded] = []

    def unfit(self, _: BuildCell) -> str:
        return ""

    def found(self, _: BuildCell) -> Path | None:
        self.asked += 1
        if self.asked == 1:
            raise Refused("the share", "try again", passing=True)
        return None

    def start(self, job: Job) -> str:
        self.started += 1
        if self.started < 4:
            return ""
        self.ended.append(JobEnded(job=job, outcome=Outcome(wheel="a-1.0-py3-none-any.whl", seconds=1.0)))
        return "there"

    def wait(self, _: float) -> list[JobEnded]:
        self.waited += 1
        ended, self.ended = self.ended, []
        return ended

    def close(self) -> None:
        pass


def test_what_a_machine_says_from_a_thread_of_its_own_is_shown(
    add: Adds, paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    """Dask's threads know nothing of who listens."""

    class Telling(Slow):
        def wait(self, seconds: float) -> list[JobEnded]:
            for each in self.ended:
                thread = threading.Thread(target=each.job.hear, args=(Heard(note="the cache is slow"),))
                thread.start()
                thread.join()
            return super().wait(seconds)

    add("a")
    matrix = matrix_of((), Axes(python="3.11"), paths, Settings(), builder="host")
    crew = Telling()
    crew.started, crew.asked = 3, 1
    Building(matrix, crew, paths, began=new_run("", 1), runs=(), settled={}).run()
    assert "a 1.0 cp311 x86_64 cpu: the cache is slow" in capsys.readouterr().err


def test_what_waits_is_looked_at_once_and_a_store_that_is_silent_again_later(
    add: Adds, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agendas, "PAUSES", (0.0,))
    add("a")
    matrix = matrix_of((), Axes(python="3.11"), paths, Settings(), builder="host")
    crew = Slow()
    (cell,) = Building(matrix, crew, paths, began=new_run("", 1), runs=(), settled={}).run()
    assert (cell.state, crew.asked, crew.started) == ("built", 2, 4)
    assert crew.waited == 1 + 3 + 1  # after each look at which nothing began, and for the build
    assert journal_of(paths).runs()[0].cells[0].attempts == 1
