"""``build-all`` on many machines, by a real cluster of Dask's on loopback: workers die, sleep and wake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import distributed
import pytest

from tests.fleet.dask import fleet, wait_for
from tests.fleet.packages import HOLD
from tests.fleet.scenario import run, share_in, thirty
from tests.forked import invoke
from workbench.errors import UsageError, WorkbenchError
from workbench.fleet import cluster, ssh_hosts
from workbench.fleet.building import journal_of
from workbench.fleet.journal import CellBegan
from workbench.fleet.offers import MachineOffer
from workbench.fleet.stored_wheels import WheelPlace
from workbench.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fleet.conftest import Adds
    from tests.fleet.dask import Fleet


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    made = fleet(tmp_path / "fleet", 3)
    yield made
    made.close()


@pytest.mark.filterwarnings("default")  # Dask's
def test_one_worker_is_killed_one_sleeps_and_one_cell_kills_each(
    add: Adds, paths: Paths, three: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """29 wheels, each in the cache once; the cell that kills fails alone; what wakes late changes nothing."""
    thirty(add, paths, three.address, tmp_path, monkeypatch)


@pytest.mark.filterwarnings("default")  # Dask's
@pytest.mark.parametrize("task", ["offer-", cluster.PREFIX])
def test_what_a_worker_answered_that_died_before_it_was_read_is_asked_for_again(
    add: Adds, paths: Paths, three: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, task: str
) -> None:
    """Dask waits for that very worker, for ever unless it is told how long."""
    add("here")
    limits = list[float | None]()
    read = distributed.Future.result

    def killed_before(future: Any, seconds: float | None = None) -> Any:
        if limits or not future.key.startswith(task):
            return read(future, seconds)
        limits.append(seconds)
        (worker,) = future.client.who_has([future])[future.key]
        pid = future.client.run(os.getpid, workers=[worker])[worker]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: worker not in future.client.scheduler_info(n_workers=-1)["workers"])
        return read(future, 1)

    monkeypatch.setattr(distributed.Future, "result", killed_before)
    (ended,) = run(paths, three.address, share_in(tmp_path))
    assert (ended.state, limits) == ("built", [cluster.ANSWERS])
    assert ended.attempts == (1 if task == "offer-" else 2)


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


def test_what_a_build_requires_reaches_its_machine_though_the_recipe_does_not(
    add: Adds, three: Fleet, tmp_path: Path
) -> None:
    add("first")
    add("second", before="import first; assert first.name == 'first'", requires=("first",))
    words = ("--scheduler", three.address, "--cache", str(share_in(tmp_path)), "--json")
    done = invoke("build-all", *words)
    cells = {each["package"]: each["state"] for each in json.loads(done.stdout)["cells"]}
    assert cells == {"first": "built", "second": "built"}, done.stderr


def test_a_cell_that_fits_nowhere_is_told_at_once(add: Adds, three: Fleet, tmp_path: Path) -> None:
    add("here")
    words = ("--python", "3.99", "--scheduler", three.address, "--cache", str(share_in(tmp_path)))
    done = invoke("build-all", *words)
    assert done.status == 1
    assert "it fits nowhere: " in done.stdout
    assert "has no Python 3.99: it has 3." in done.stdout


class Answer:
    """What a worker answers, at the second look."""

    status = "finished"

    def __init__(self, host: str, looks: int) -> None:
        self._host, self._left = host, looks

    def done(self) -> bool:
        self._left -= 1
        return self._left < 0

    def result(self, _seconds: float) -> str:
        offer = MachineOffer(host=self._host, version="1", arch="aarch64", cpus=2, memory=10**10)
        return json.dumps(asdict(offer))


class Workers:
    """A client of Dask's whose scheduler knows two workers: one is slow to answer."""

    status = "running"

    def __init__(self) -> None:
        self.workers: dict[str, Any] = {name: {"last_seen": 1.0, "nthreads": 1} for name in ("quick", "slow")}

    def subscribe_topic(self, *_: object) -> None:
        pass

    def scheduler_info(self, **_: object) -> dict[str, Any]:
        return {"workers": self.workers}

    def processing(self) -> dict[str, Any]:
        return {}

    def submit(self, *_: object, workers: list[str], **__: object) -> Answer:
        return Answer(workers[0], 0 if workers == ["quick"] else 2)


def test_a_cluster_is_what_all_its_workers_offer_and_none_once_they_are_gone(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "LOOK", 0.0)
    client = Workers()
    found = cluster.Cluster(client, "tcp://here:1", WheelPlace(folder=str(paths.root)), paths)
    found.gather()
    assert {each.host for each in found.offers} == {"quick", "slow"}
    client.workers = {}
    found.wait(0)
    monkeypatch.setattr(cluster, "GONE", -1.0)
    with pytest.raises(WorkbenchError, match="no worker has been at tcp://here:1 for"):
        found.wait(0)


def test_tls_without_certificates_is_told_before_anybody_is_asked(paths: Paths) -> None:
    place = WheelPlace(folder=str(paths.root))
    with pytest.raises(UsageError, match="no certificate is here for it"):
        cluster.joined("tls://127.0.0.1:9", None, place, paths, jobs=None)


def test_the_end_of_a_fleet_ends_no_process_that_has_its_number_by_now(paths: Paths) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        try:
            fleet = ssh_hosts.StartedFleet(
                address="tls://here:1", process=other.pid, ssh_config="", workers=()
            )
            home = paths.state / "fleet" / "cluster"
            home.mkdir(parents=True)
            (home / "cluster.json").write_text(json.dumps(asdict(fleet)))
            assert ssh_hosts.down(paths) == fleet
            assert other.poll() is None
            assert not home.exists()
        finally:
            other.kill()
