"""``build-all`` on many machines, by a real cluster of Dask's on loopback: workers die, sleep and wake."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.fleet.dask import fleet, processes, wait_for
from tests.fleet.packages import HOLD
from tests.forked import invoke
from workbench.files import sha256_of
from workbench.fleet import cluster
from workbench.fleet.building import Building, journal_of
from workbench.fleet.joining import crew_of
from workbench.fleet.journal import CellBegan, new_run
from workbench.fleet.matrix import matrix_of
from workbench.paths import Paths
from workbench.plan.axes import Axes
from workbench.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fleet.conftest import Adds
    from tests.fleet.dask import Fleet
    from workbench.fleet.journal import CellEnded

KILLS = """\
import os, signal, sys
from pathlib import Path

if "fleet.attempt import main" in " ".join(sys.orig_argv):
    worker = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1]
    os.kill(int(worker), signal.SIGKILL)
"""
"""A recipe that kills the worker which builds it, each time."""


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    made = fleet(tmp_path / "fleet", 3)
    yield made
    made.close()


def share_in(folder: Path) -> Path:
    """Return a folder that all machines see."""
    (folder / "share").mkdir()
    return folder / "share"


def entries(share: Path) -> dict[str, bytes]:
    """Return what the cache says of each build key."""
    return {each.name: each.read_bytes() for each in share.glob("*/*.json")}


def run(paths: Paths, address: str, share: Path) -> tuple[CellEnded, ...]:
    with crew_of(paths, Settings(), scheduler=address, cache=str(share), at_once=0, jobs=None) as found:
        crew, assigned = found
        matrix = matrix_of((), Axes(), paths, Settings(), builder="auto", assigned=assigned)
        began = new_run("build-all", len(matrix.cells))
        return Building(matrix, crew, paths, began=began, runs=(), settled={}).run()


@pytest.mark.filterwarnings("default")  # Dask's
def test_one_worker_is_killed_one_sleeps_and_one_cell_kills_each(
    add: Adds, paths: Paths, three: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """29 wheels, each in the share once; the cell that kills fails alone; what wakes late changes nothing."""
    import distributed

    monkeypatch.setattr(cluster, "SILENT", 10.0)
    for number in range(29):
        add(f"p{number:02}", before="import time; time.sleep(1)")
    add("poison", recipe=KILLS)
    share = share_in(tmp_path)
    results: list[CellEnded] = []
    thread = threading.Thread(target=lambda: results.extend(run(paths, three.address, share)))
    thread.start()
    journal = journal_of(paths)
    connected: Any = distributed.Client
    with connected(three.address) as client:
        wait_for(lambda: sum(isinstance(each, CellBegan) for each in journal.records()) > 6)
        pids = [*client.run(os.getpid).values()]
        os.kill(pids[0], signal.SIGKILL)
        os.kill(pids[1], signal.SIGSTOP)
        thread.join()
        before = entries(share)
        os.kill(pids[1], signal.SIGCONT)
        wait_for(lambda: not any(client.processing().values()))

    states = Counter(each.state for each in results)
    assert states == {"built": 29, "failed": 1}, [each.message for each in results if each.state == "failed"]
    (poison,) = (each for each in results if each.state == "failed")
    assert (poison.package, poison.attempts) == ("poison", 3)
    wait_for(lambda: not processes(tmp_path))
    assert entries(share) == before
    assert len(before) == len({*share.glob("*/*.whl")}) == 29
    for each in results:
        if each.state == "built":
            entry = json.loads((share / each.package / f"{each.key}.json").read_text())
            assert (entry["filename"], entry["sha256"]) == (each.wheel, sha256_of(paths.wheels / each.wheel))
    (only,) = journal.runs()
    assert {each.cell: each.wheel for each in only.cells} == {each.cell: each.wheel for each in results}


def begun(paths: Paths) -> bool:
    return any(isinstance(each, CellBegan) for each in journal_of(paths).records())


def test_two_share_a_build_and_another_manifest_under_its_key_is_refused(
    add: Adds, paths: Paths, three: Fleet, tmp_path: Path
) -> None:
    held = tmp_path / "held"
    held.touch()
    add("slow", recipe=HOLD.format(held=held))
    share = ("--scheduler", three.address, "--cache", str(share_in(tmp_path)))
    others = tmp_path / "others"
    (others / "patches").mkdir(parents=True)
    (others / "recipes").mkdir()
    answers: dict[str, str] = {}

    def ask(name: str, site: Path) -> None:
        done = invoke("build-all", *share, "--json", env={"WORKBENCH_SITE": str(site)})
        assert done.stdout, done.stderr
        (cell,) = json.loads(done.stdout)["cells"]
        answers[name] = cell["state"] + cell["message"]

    text = (paths.recipes / "slow.py").read_text()
    (others / "recipes" / "slow.py").write_text(text.replace("A small package", "Another's words"))
    twin = tmp_path / "twin"
    (twin / "patches").mkdir(parents=True)
    (twin / "recipes").mkdir()
    (twin / "recipes" / "slow.py").write_text(text)
    sites = {"one": paths.root, "two": twin, "other": others}
    asked = [threading.Thread(target=ask, args=each) for each in sites.items()]
    asked[0].start()
    wait_for(lambda: begun(paths))  # the first is who says what the manifest is
    for each in asked[1:]:
        each.start()
    wait_for(lambda: all(begun(Paths(site)) for site in sites.values()))
    held.unlink()
    for each in asked:
        each.join()
    assert (answers["one"], answers["two"]) == ("built", "built")
    assert answers["other"].startswith("failed")
    assert "somebody else builds this key from another manifest" in answers["other"]
    assert len([*(tmp_path / "share").glob("*/*.whl")]) == 1


def test_a_cell_that_fits_nowhere_is_told_at_once(add: Adds, three: Fleet, tmp_path: Path) -> None:
    add("here")
    words = ("--python", "3.99", "--scheduler", three.address, "--cache", str(share_in(tmp_path)))
    done = invoke("build-all", *words)
    assert done.status == 1
    assert "it fits nowhere: " in done.stdout
    assert "has no Python 3.99: it has 3." in done.stdout
