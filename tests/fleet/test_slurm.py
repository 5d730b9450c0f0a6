"""The same thirty cells as jobs of a real Slurm on loopback: ``nox -s fleet`` runs it."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import dask.config
import pytest

from tests.fleet.dask import processes, wait_for
from tests.fleet.packages import HOLD
from tests.fleet.scenario import run as run_here
from tests.fleet.scenario import share_in, thirty
from tests.fleet.slurm import slurm
from tests.forked import invoke
from workbench.errors import WorkbenchError
from workbench.fleet import slurm_jobs
from workbench.fleet.building import journal_of
from workbench.fleet.joining import SLURM
from workbench.fleet.journal import CellBegan
from workbench.paths import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fleet.conftest import Adds
    from tests.fleet.slurm import Slurm
    from workbench.paths import Paths

pytestmark = [
    pytest.mark.skipif("WORKBENCH_FLEET" not in os.environ, reason="it takes minutes: nox -s fleet runs it"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Slurm's daemons are root's"),
    pytest.mark.needs("slurmctld", "slurmd", "munged"),
    pytest.mark.filterwarnings("default"),  # Dask's
]

SETTINGS = 'fleet: {slurm: {jobs: 3, cores: 1, memory: 2 GB, partition: main, walltime: "00:30:00"}}\n'


@pytest.fixture
def lab(tmp_path: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """Start a Slurm whose jobs have caches of their own, as dask-jobqueue's file of a lab would say."""
    made = slurm(tmp_path / "slurm")
    monkeypatch.setenv("SLURM_CONF", str(made.config))
    folder = tmp_path / "dask"
    folder.mkdir()
    own = f"export WORKBENCH_CACHE={tmp_path}/cache-$SLURM_JOB_ID"
    (folder / "jobqueue.yaml").write_text(
        f"jobqueue:\n  slurm:\n    interface: lo\n    job-script-prologue: ['{own}']\n"
    )
    monkeypatch.setenv("DASK_CONFIG", str(folder))  # for processes that begin; this one is told
    slurm_jobs.dask_jobqueue()  # in this thread: it sets a signal's handler
    with dask.config.set({"jobqueue.slurm.interface": "lo", "jobqueue.slurm.job-script-prologue": [own]}):
        (paths.root / "workbench.yaml").write_text(SETTINGS)
        yield made
    made.close()


def attempts(paths: Paths) -> int:
    """Return how many attempts the journal knows."""
    return sum(isinstance(each, CellBegan) for each in journal_of(paths).records())


def test_thirty_cells_as_jobs_of_slurm(
    add: Adds, paths: Paths, lab: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thirty(add, paths, SLURM, tmp_path, monkeypatch)
    wait_for(lambda: not lab.ask("squeue", "--noheader"), 60)
    assert not [*(paths.state / "fleet").glob(".workbench-slurm.*")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_jobs_end_however_the_run_ends(
    add: Adds, paths: Paths, lab: Slurm, tmp_path: Path, number: signal.Signals
) -> None:
    held = tmp_path / "held"
    held.touch()
    add("slow", recipe=HOLD.format(held=held))
    words = (CHECKOUT / "inv", "build-all", "--scheduler", "slurm", "--cache", str(share_in(tmp_path)))
    with subprocess.Popen(words, cwd=CHECKOUT, env={**os.environ, "WORKBENCH_SITE": str(paths.root)}) as run:
        wait_for(lambda: attempts(paths) == 1, 120)
        run.send_signal(number)
    assert run.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    wait_for(lambda: not lab.ask("squeue", "--noheader"), 120)
    wait_for(lambda: not processes(tmp_path), 60)


def test_a_job_that_is_lost_is_submitted_again(add: Adds, paths: Paths, lab: Slurm, tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.touch()
    add("slow", recipe=HOLD.format(held=held))
    (paths.root / "workbench.yaml").write_text(SETTINGS.replace("jobs: 3", "jobs: 1"))
    words = (CHECKOUT / "inv", "build-all", "--scheduler", "slurm", "--cache", str(share_in(tmp_path)))
    with subprocess.Popen(words, cwd=CHECKOUT, env={**os.environ, "WORKBENCH_SITE": str(paths.root)}) as run:
        wait_for(lambda: attempts(paths) == 1, 120)
        lab.ask("scancel", "--state=RUNNING", "--partition=main")
        wait_for(lambda: attempts(paths) == 2, 200)
        held.unlink()
    assert run.returncode == 0
    assert len([*(tmp_path / "share").glob("*/*.whl")]) == 1


def test_jobs_that_end_before_a_worker_comes_end_the_run_with_what_they_said(
    add: Adds, paths: Paths, lab: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("here")
    monkeypatch.setattr(slurm_jobs, "NONE_LEFT", 5.0)
    with (
        dask.config.set({"jobqueue.slurm.job-script-prologue": ["echo no such disk >&2; exit 1"]}),
        pytest.raises(WorkbenchError, match=r"no job of this run is left .*\n.*no such disk"),
    ):
        run_here(paths, SLURM, share_in(tmp_path))
    assert lab.ask("squeue", "--noheader") == ""


def test_what_slurm_would_not_take_is_told_before_anything_is_submitted(
    add: Adds, paths: Paths, lab: Slurm, tmp_path: Path
) -> None:
    add("here")
    words = ("build-all", "--scheduler", "slurm", "--cache", str(share_in(tmp_path)))
    (paths.root / "workbench.yaml").write_text(SETTINGS.replace("main", "nowhere"))
    done = invoke(*words)
    assert (done.status, "Invalid partition name specified" in done.stderr) == (2, True), done.stderr
    (paths.root / "workbench.yaml").write_text("{}")
    done = invoke(*words)
    assert (done.status, "below fleet.slurm, how large a job is" in done.stderr) == (3, True), done.stderr
    assert lab.ask("squeue", "--noheader") == ""
