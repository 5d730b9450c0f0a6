"""``build-all``: the wheels of many packages, whatever fails, here or on many machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from workbench import console
from workbench.flags import command_line
from workbench.plan.axes import Axes
from workbench.text import counted, duration, file_size
from workbench.verb import Verb
from workbench.verbs.flags import Builder, CacheDir, DryRun, Json, MaxJobs, here

if TYPE_CHECKING:
    from workbench.errors import WorkbenchError
    from workbench.fleet.journal import CellEnded, Run
    from workbench.fleet.matrix import Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a run is known by: whoever asks for the same goes on from where it was."""

    axes: Axes
    builder: str = "auto"


@Verb
def build_all(
    *names: Annotated[str, "packages, as their recipes name them (default: all)"],
    axes: Axes,
    builder: Builder = "auto",
    scheduler: Annotated[
        str,
        "whose workers build: a scheduler of Dask's, tls://HOST:PORT or tcp://HOST:PORT; slurm: jobs of Slurm's",
    ] = "",
    cache: CacheDir = "",
    at_once: Annotated[int, "builds that may run at once (default: one for each processor)"] = 0,
    max_jobs: MaxJobs = 0,
    report: Annotated[str, "an HTML file for a report of the run: it needs no network"] = "",
    again: Annotated[bool, "try once more what failed before the run was interrupted"] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Build the wheels of many packages, whatever fails."""
    from workbench.builders.own_index import published_here
    from workbench.files import write_whole
    from workbench.fleet.building import Building, journal_of, unfinished
    from workbench.fleet.joining import crew_of
    from workbench.fleet.journal import new_run
    from workbench.fleet.matrix import matrix_of
    from workbench.fleet.report import report_of

    paths, settings = here()
    with crew_of(
        paths, settings, scheduler=scheduler, cache=cache, at_once=at_once, jobs=max_jobs or None
    ) as (crew, assigned):
        published = published_here(paths)
        matrix = matrix_of(
            names, axes, paths, settings, builder=builder, published=published, assigned=assigned
        )
        runs = journal_of(paths).runs()
        if dry_run:
            _rehearse(matrix, runs, json=json)
            return
        line = " ".join([command_line("build-all", _Asked(axes=axes, builder=builder)), *names])
        before = None if again else unfinished(runs, line)
        settled = {each.cell: each for each in before.cells if each.state == "failed"} if before else {}
        began = new_run(line, len(matrix.cells))
        results = Building(matrix, crew, paths, began=began, runs=runs, settled=settled).run()
        if report:
            (run,) = (each for each in journal_of(paths).runs() if each.began.run == began.run)
            write_whole(Path(report), report_of(run))
    if json:
        _answer_json(began.run, matrix, results)
    else:
        _answer(matrix, results)
    if error := _failure(matrix, results):
        raise error


def _rehearse(matrix: Matrix, runs: Sequence[Run], *, json: bool) -> None:
    """Say what a run would do."""
    from workbench.fleet.journal import Experience
    from workbench.make.cells import find_built
    from workbench.paths import Paths

    known, wheels = Experience.of(tuple(runs)), Paths.here().wheels
    found = [
        (each, find_built(each.plan, wheels, each.planned.planner_of(each.plan))) for each in matrix.cells
    ]
    if json:
        console.answer_json(
            {
                "cells": [
                    {
                        "package": cell.package,
                        "version": str(cell.plan.version),
                        "target": str(cell.plan.target),
                        "builder": cell.plan.builder,
                        "build_key": cell.plan.key,
                        "wheel": wheel.name if wheel else "",
                        "needs": list(cell.needs),
                        "expected_seconds": known.expected(cell.name, cell.package),
                    }
                    for cell, wheel in found
                ],
                "left_out": matrix.left_out,
                "broken": [{"package": name, "message": str(error)} for name, error in matrix.broken],
            }
        )
        return
    rows = []
    for cell, wheel in found:
        seconds = known.expected(cell.name, cell.package)
        what = wheel.name if wheel else f"build ({cell.plan.builder})"
        needs = ", ".join(
            matrix_cell.plan.title for matrix_cell in matrix.cells if matrix_cell.name in cell.needs
        )
        rows.append(
            (
                cell.package,
                str(cell.plan.version),
                str(cell.plan.target),
                what,
                duration(seconds) if seconds and not wheel else "",
                needs,
            )
        )
    console.answer_table(("package", "version", "target", "would", "took", "needs"), rows)
    _answer_omitted(matrix)


def _answer(matrix: Matrix, results: Sequence[CellEnded]) -> None:
    rows = [
        (
            each.package,
            each.target,
            each.state,
            duration(each.seconds) if each.seconds else "",
            file_size(each.peak) if each.peak else "",
            each.wheel or each.reason,
        )
        for each in results
    ]
    rows += [(name, "", "failed", "", "", str(error).partition("\n")[0]) for name, error in matrix.broken]
    console.answer_table(("package", "target", "", "took", "memory", ""), rows)
    _answer_omitted(matrix)


def _answer_omitted(matrix: Matrix) -> None:
    for each in matrix.left_out:
        console.answer(f"left out: {' '.join(filter(None, [each.package, each.target]))}: {each.reason}")
    for name, error in matrix.broken:
        console.answer(f"cannot be planned: {name}: {error}")


def _answer_json(run: str, matrix: Matrix, results: Sequence[CellEnded]) -> None:
    console.answer_json(
        {
            "run": run,
            "cells": results,
            "left_out": matrix.left_out,
            "broken": [{"package": name, "message": str(error)} for name, error in matrix.broken],
        }
    )


def _failure(matrix: Matrix, results: Sequence[CellEnded]) -> WorkbenchError | None:
    """Return the error of a run in which something failed: of the kind of the first failure; None where nothing did."""
    from workbench.errors import of_status

    failed = [each for each in results if each.state in ("failed", "not tried")]
    if not failed and not matrix.broken:
        return None
    titles = [f"{each.package} {each.target}" for each in failed] + [name for name, _ in matrix.broken]
    messages = [each.message for each in failed if each.message] + [str(error) for _, error in matrix.broken]
    statuses = [each.status for each in failed if each.status] + [
        error.exit_code for _, error in matrix.broken
    ]
    count = counted(len(results) + len(matrix.broken), "cell")
    return of_status(statuses[0] if statuses else 1)(
        f"{len(titles)} of {count} have no wheel: {', '.join(titles)}\nThe first of them: {messages[0]}"
    )
