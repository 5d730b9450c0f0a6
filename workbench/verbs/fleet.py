"""``fleet.*``: the machines that build, what they built, and what builds share."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from workbench import console
from workbench.errors import UsageError, nearest
from workbench.text import counted, duration, file_size
from workbench.verb import Verb
from workbench.verbs.flags import DryRun, Json, here

if TYPE_CHECKING:
    from workbench.fleet.journal import Run


@Verb
def builds(
    run: Annotated[str, "one run, by its id: show its cells"] = "",
    json: Json = False,
) -> None:
    """Show what build-all has built, the newest run last."""
    from workbench.fleet.building import journal_of
    from workbench.paths import Paths

    runs = journal_of(Paths.here()).runs()
    if run:
        runs = tuple(each for each in runs if each.began.run == run)
        if not runs:
            raise UsageError(f"--run {run}: the journal has no such run: 'fleet.builds' lists them")
    if json:
        console.answer_json(runs)
    elif run:
        (only,) = runs
        rows = [
            (
                each.package,
                each.target,
                each.state,
                duration(each.seconds) if each.seconds else "",
                file_size(each.peak) if each.peak else "",
                each.where,
                each.wheel or each.reason,
            )
            for each in only.cells
        ]
        console.answer_table(("package", "target", "", "took", "memory", "where", ""), rows)
    elif runs:
        console.answer_table(("run", "began", "took", "cells", "", "asked"), [_row(each) for each in runs])
    else:
        console.answer("nothing was built by build-all yet")


def _row(run: Run) -> tuple[str, ...]:
    from workbench.fleet.journal import counted_states

    took = duration(run.ended - run.began.time) if run.ended else "not ended"
    began = datetime.fromtimestamp(run.began.time, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return run.began.run, began, took, str(run.began.cells), counted_states(run.cells), run.began.line


@Verb
def cache(
    *,
    clean: Annotated[str, "remove the objects of this recipe, of a list of them, or of all"] = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Show the object cache, recipe by recipe; or clean it."""
    from workbench.builders.objects import kept_objects, objects_root, remove_objects

    paths, settings = here()
    root = objects_root(paths)
    found = kept_objects(root)
    names = [each.recipe for each in found]
    chosen = names if clean == "all" else [*dict.fromkeys(filter(None, map(str.strip, clean.split(","))))]
    for name in chosen:
        if name not in names:
            raise UsageError(f"--clean {name}: no recipe of this name has objects here{nearest(name, names)}")
    freed = sum(each.size for each in found if each.recipe in chosen)
    if not dry_run:
        remove_objects(root, chosen)
    if json:
        shown = [{**asdict(each), "removed": each.recipe in chosen and not dry_run} for each in found]
        console.answer_json({"folder": str(root), "limit": settings.cache.limit, "recipes": shown})
        return
    if clean:
        verb = "would remove" if dry_run else "removed"
        console.answer(f"{verb} the objects of {', '.join(chosen) or 'no recipe'}: {file_size(freed)}")
        return
    rows = []
    for each in found:
        units = each.hits + each.misses
        rate = f"{100 * each.hits // units} % of {units}" if units else ""
        used = f"{datetime.fromtimestamp(each.used, UTC):%Y-%m-%d}" if each.used else ""
        rows.append((each.recipe, file_size(each.size), str(each.files), rate, used))
    if rows:
        console.answer_table(("recipe", "size", "files", "units found", "used"), rows)
    total = file_size(sum(each.size for each in found))
    console.answer(f"{total} of at most {settings.cache.size} in {root}")


@Verb
def up(
    *hosts: Annotated[str, "machines that OpenSSH reaches: spark1, me@spark1, ssh://me@spark1:2222"],
    address: Annotated[str, "this machine, as the hosts reach it (default: its name)"] = "",
    port: Annotated[int, "where the scheduler listens"] = 8786,
    python: Annotated[str, "the Python on the hosts that has the workbench (default: as here)"] = "",
    ssh_config: Annotated[str, "OpenSSH's file of settings (default: the user's own)"] = "",
    at_once: Annotated[int, "builds that a host may run at once (default: one for each processor)"] = 0,
    json: Json = False,
) -> None:
    """Start a worker on machines over SSH, and their scheduler here."""
    import platform
    import sys

    from workbench.fleet import ssh_hosts
    from workbench.fleet.joining import require_dask
    from workbench.paths import PROGRAM, Paths

    if not hosts:
        raise UsageError("name the machines: fleet.up spark1 spark2")
    require_dask()
    fleet = ssh_hosts.up(
        tuple(dict.fromkeys(hosts)),
        Paths.here(),
        address=address or platform.node(),
        port=port,
        python=python or sys.executable,
        ssh_config=ssh_config,
        at_once=at_once,
    )
    if json:
        console.answer_json(fleet)
        return
    console.answer(f"{counted(len(fleet.workers), 'machine')} at {fleet.address}")
    console.answer(f"{PROGRAM} build-all --scheduler {fleet.address} --cache FOLDER")


@Verb
def down(*, json: Json = False) -> None:
    """End what fleet.up has started."""
    from workbench.fleet import ssh_hosts
    from workbench.paths import Paths

    fleet = ssh_hosts.down(Paths.here())
    if json:
        console.answer_json(fleet)
    elif fleet is None:
        console.answer("no fleet is up")
    else:
        console.answer(f"ended {counted(len(fleet.workers), 'worker')} and the scheduler at {fleet.address}")
