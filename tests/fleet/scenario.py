"""What a fleet must stand: one worker killed, one asleep, one cell that kills each worker which builds it."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tests.fleet.dask import processes, wait_for
from workbench.files import sha256_of
from workbench.fleet import cluster
from workbench.fleet.building import Building, journal_of
from workbench.fleet.joining import SLURM, crew_of
from workbench.fleet.journal import CellBegan, new_run
from workbench.fleet.matrix import matrix_of
from workbench.fleet.ssh_hosts import security_for
from workbench.plan.axes import Axes
from workbench.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from tests.fleet.conftest import Adds
    from workbench.fleet.journal import CellEnded
    from workbench.paths import Paths

KILLS = """\
import os, signal, sys, time
from pathlib import Path

if "fleet.attempt import main" in " ".join(sys.orig_argv):
    while not Path("{asleep}").exists():
        time.sleep(0.05)
    worker = Path(f"/proc/{{os.getppid()}}/stat").read_text().rpartition(")")[2].split()[1]
    os.kill(int(worker), signal.SIGKILL)
"""
"""A recipe that kills the worker which builds it, each time; before the first, another one was put to sleep."""


def share_in(folder: Path) -> Path:
    """Return a folder that all machines see."""
    (folder / "share").mkdir()
    return folder / "share"


def entries(share: Path) -> dict[str, bytes]:
    """Return what the cache says of each build key."""
    return {each.name: each.read_bytes() for each in share.glob("*/*.json")}


def run(paths: Paths, address: str, share: Path) -> tuple[CellEnded, ...]:
    with crew_of(
        paths, read_settings(paths), scheduler=address, cache=str(share), at_once=0, jobs=None
    ) as found:
        crew, assigned = found
        matrix = matrix_of((), Axes(), paths, Settings(), builder="auto", assigned=assigned)
        began = new_run("build-all", len(matrix.cells))
        return Building(matrix, crew, paths, began=began, runs=(), settled={}).run()


@contextmanager
def _client(address: str, paths: Paths) -> Iterator[Any]:
    """Yield a client of Dask's at an address; where the run makes the scheduler, the run's own client."""
    import distributed

    made: Any = distributed.Client
    if address == SLURM:
        wait_for(lambda: [each for each in made._instances if each.status == "running"])
        yield made.current()
        return
    with made(address, security=security_for(address, paths)) as client:
        yield client


def thirty(add: Adds, paths: Paths, address: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """29 wheels, each in the share once; the cell that kills fails alone; what wakes late changes nothing."""
    monkeypatch.setattr(cluster, "SILENT", 10.0)
    for number in range(29):
        add(f"p{number:02}", before="import time; time.sleep(1)")
    asleep = place / "asleep"
    add("poison", recipe=KILLS.format(asleep=asleep))
    share = share_in(place)
    results: list[CellEnded] = []
    thread = threading.Thread(target=lambda: results.extend(run(paths, address, share)))
    thread.start()
    journal = journal_of(paths)
    with _client(address, paths) as client:
        wait_for(lambda: sum(isinstance(each, CellBegan) for each in journal.records()) > 6)
        wait_for(lambda: len(client.scheduler_info(n_workers=-1)["workers"]) > 1)
        pids = [*client.run(os.getpid).values()]
        os.kill(pids[0], signal.SIGKILL)
        os.kill(pids[1], signal.SIGSTOP)
        asleep.touch()
        thread.join()
        before = entries(share)
        with suppress(ProcessLookupError):  # a scheduler that gave it up lets its nanny start another
            os.kill(pids[1], signal.SIGCONT)
        if address != SLURM:  # whose workers are gone with the run
            wait_for(lambda: not any(client.processing().values()))

    states = Counter(each.state for each in results)
    assert states == {"built": 29, "failed": 1}, [each.message for each in results if each.state == "failed"]
    (poison,) = (each for each in results if each.state == "failed")
    assert (poison.package, poison.attempts) == ("poison", 3)
    wait_for(lambda: not processes(place))
    assert entries(share) == before
    assert len(before) == len({*share.glob("*/*.whl")}) == 29
    for each in results:
        if each.state == "built":
            entry = json.loads((share / each.package / f"{each.key}.json").read_text())
            assert (entry["filename"], entry["sha256"]) == (each.wheel, sha256_of(paths.wheels / each.wheel))
    (only,) = journal.runs()
    assert {each.cell: each.wheel for each in only.cells} == {each.cell: each.wheel for each in results}
