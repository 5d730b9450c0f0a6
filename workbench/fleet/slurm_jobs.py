"""Workers that are jobs of Slurm's, submitted by dask-jobqueue; their scheduler is in this process, and ends with it.

What ``fleet.slurm`` does not say is as dask-jobqueue's own file has it (``jobqueue.yaml``, section ``slurm``), and else
as Slurm has it. TLS between all of them: the key lies in a file that the jobs read, and is gone with the run.
"""

from __future__ import annotations

import getpass
import os
import shlex
import signal
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import CommandFailed, SettingsError, UsageError, WorkbenchError
from workbench.events import note, step
from workbench.files import scratch
from workbench.fleet.certificate import make_certificate, security_in
from workbench.paths import CHECKOUT, SHIPPED
from workbench.process import find_program, run
from workbench.text import counted

if TYPE_CHECKING:
    from distributed.security import Security

    from workbench.paths import Paths
    from workbench.settings import SlurmSettings

_EVERY = 10.0
"""Seconds from one look at the jobs to the next."""

NONE_LEFT = 60.0
"""Seconds without a job in the queue after which none is expected any more."""

_ANSWER = 60.0
"""Seconds for an answer of Slurm's."""


class SlurmJobs:
    """The jobs of a run, and the scheduler that their workers join."""

    def __init__(
        self,
        cluster: Any,  # noqa: ANN401 - Dask's
        name: str,
        logs: Path,
        *,
        number: int,
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._logs = logs
        self._number = number
        self._looked = float("-inf")
        self._seen = time.monotonic()
        self._said = ""

    @property
    def address(self) -> str:
        """Where the scheduler is."""
        return str(self._cluster.scheduler_address)

    @property
    def security(self) -> Security:
        """The certificates of this run."""
        return self._cluster.security  # type: ignore[no-any-return]

    def tend(self) -> str:
        """Submit again the jobs whose workers were lost; return how many jobs are in which state.

        Raises WorkbenchError once there is none, with what the last one has said.
        """
        now = time.monotonic()
        if now - self._looked < _EVERY:
            return self._said
        self._looked = now
        self._cluster.scale(jobs=self._number)
        try:
            words = ["squeue", "--noheader", f"--name={self._name}", "--format=%T"]
            states = Counter(run(words, stdout_only=True, timeout=_ANSWER).output.lower().split())
        except CommandFailed:
            self._said = "Slurm does not answer"
            return self._said
        if states:
            self._seen = now
        elif now - self._seen > NONE_LEFT:
            raise WorkbenchError(f"no job of this run is left in Slurm's queue{self._last_words()}")
        self._said = ", ".join(f"{counted(many, 'job')} {state}" for state, many in sorted(states.items()))
        return self._said

    def _last_words(self) -> str:
        logs = sorted(self._logs.glob(f"{self._name}-*.err"), key=lambda each: each.stat().st_mtime)
        if not logs:
            return ""
        lines = logs[-1].read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
        return ". The last one said, in {}:\n{}".format(logs[-1], "\n".join(lines))

    def close(self) -> None:
        """End the jobs and the scheduler."""
        with step("end the jobs of this run in Slurm"):
            try:
                self._cluster.close(timeout=_ANSWER)
            finally:
                # one that was submitted while the run was interrupted is known by its name alone
                run(["scancel", f"--user={getpass.getuser()}", f"--name={self._name}"], timeout=_ANSWER)


@contextmanager
def submitted(wanted: SlurmSettings, paths: Paths) -> Iterator[SlurmJobs]:
    """Submit the jobs of a run; yield them, and end them however the run ends.

    Raises UsageError for what Slurm would not take, SettingsError where nothing says how large a job is, ToolMissing
    without Slurm's commands.
    """
    find_program("sbatch")
    home = paths.state / "fleet"
    shared = Path(os.path.expandvars(_configured("shared-temp-directory") or home)).expanduser()
    logs = Path(_configured("log-directory") or home / "slurm")
    if any(" " in str(each) for each in (shared, logs)):
        raise UsageError(f"{shared}: a job of Slurm's cannot name a folder with spaces: move the site")
    with scratch(shared, ".workbench-slurm.") as folder:
        make_certificate(folder)
        name = f"workbench-{uuid.uuid4().hex[:8]}"
        cluster = _cluster(wanted, name, folder, logs)
        jobs = SlurmJobs(cluster, name, logs, number=wanted.jobs)
        try:
            _require_taken(cluster.job_script(), folder)
            jobs.tend()
            yield jobs
        finally:
            jobs.close()
        for each in logs.glob(f"{name}-*"):
            each.unlink()  # nobody reads those of a run that went well


def _cluster(wanted: SlurmSettings, name: str, folder: Path, logs: Path) -> Any:  # noqa: ANN401 - Dask's
    """Start a scheduler, for jobs that are still to be submitted."""
    imports = [f"export PYTHONPATH={shlex.quote(str(CHECKOUT))}"] if SHIPPED == CHECKOUT else []
    made = dask_jobqueue().SLURMCluster
    try:
        return made(
            queue=wanted.partition,
            account=wanted.account,
            cores=wanted.cores,
            memory=wanted.memory,
            walltime=wanted.walltime,
            processes=_configured("processes") or 1,
            job_name=name,
            security=security_in(folder),
            log_directory=str(logs),
            # a build's memory is admitted, not Dask's concern; a port for people, which nobody asked for, stays shut
            worker_extra_args=[
                *(_configured("worker-extra-args") or []),
                "--memory-limit=0",
                "--no-dashboard",
            ],
            job_script_prologue=[*(_configured("job-script-prologue") or []), *imports],
            scheduler_options={
                "dashboard": False,
                "dashboard_address": "127.0.0.1:0",
                "worker_ttl": "30s",
                "allowed_failures": 0,
                **(_configured("scheduler-options") or {}),
            },
        )
    except ValueError as error:
        raise SettingsError(
            f"--scheduler slurm: {error}\nSay in workbench.yaml, below fleet.slurm, how large a job is: "
            "cores: 20, memory: 100 GB"
        ) from error


def dask_jobqueue() -> Any:  # noqa: ANN401 - it says nothing of types
    """Import dask-jobqueue, which takes Ctrl-C for itself (and then exits with 0): what was to happen then stays."""
    handler = signal.getsignal(signal.SIGINT)
    import dask_jobqueue as imported

    if signal.getsignal(signal.SIGINT) != handler:
        signal.signal(signal.SIGINT, handler)
    return imported


def _configured(key: str) -> Any:  # noqa: ANN401 - what is in a file of others
    """Return what dask-jobqueue's own file says."""
    import dask.config

    dask_jobqueue()  # reads it
    return dask.config.get(f"jobqueue.slurm.{key}", None)


def _require_taken(script: str, folder: Path) -> None:
    """Let Slurm judge a job before any is submitted. Raises UsageError."""
    path = folder / "job.sh"
    path.write_text(script, encoding="utf-8")
    try:
        said = run(["sbatch", "--test-only", path], timeout=_ANSWER).output
    except CommandFailed as error:
        why = str(error).strip().rpartition("\n")[2]
        raise UsageError(f"--scheduler slurm: Slurm would not take the jobs: {why}") from error
    note(f"· {said.strip()}")
