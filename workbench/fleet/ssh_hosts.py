"""A cluster of Dask's on machines that OpenSSH reaches: a scheduler here, a worker on each, TLS between all of them.

The programs stay when the command that started them ends. A worker whose scheduler is gone for a minute ends itself.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import CommandFailed, UsageError, WorkbenchError
from workbench.events import note, step
from workbench.files import content_of, make_folder, remove_tree, write_whole
from workbench.fleet.certificate import make_certificate, security_in
from workbench.paths import CHECKOUT, PROGRAM, SHIPPED
from workbench.process import run
from workbench.strict import Mismatch, parse

if TYPE_CHECKING:
    from distributed.security import Security

    from workbench.paths import Paths

CONNECT = 30
"""Seconds for OpenSSH to reach a machine."""

_COME = 120.0
"""Seconds for a worker to join the scheduler."""

_ORPHANED = 60
"""Seconds for which a worker looks for its scheduler."""

_SCHEDULER = {
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "30s",
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteWorker:
    """A worker on a machine: its process there, and its folder below the user's home."""

    host: str
    process: int
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedFleet:
    """What was started: the scheduler's address and process, the workers, and OpenSSH's file of settings, if one."""

    address: str
    process: int
    ssh_config: str
    workers: tuple[RemoteWorker, ...]


def _home(paths: Paths) -> Path:
    return paths.state / "fleet" / "cluster"


def started(paths: Paths) -> StartedFleet | None:
    """Return the fleet that a site has started and not taken down. Raises WorkbenchError for a damaged file."""
    path = _home(paths) / "cluster.json"
    text = content_of(path)
    try:
        return parse(StartedFleet, json.loads(text)) if text is not None else None
    except (ValueError, Mismatch) as error:
        raise WorkbenchError(f"{path}: {error}; remove it once nothing of the fleet runs") from error


def security_for(address: str, paths: Paths) -> Security | None:
    """Return the certificates of the fleet that a site has started at an address; None for another one's."""
    there = started(paths)
    return security_in(_home(paths)) if there and there.address == address else None


def up(
    hosts: Sequence[str],
    paths: Paths,
    *,
    address: str,
    port: int,
    python: str,
    ssh_config: str,
    at_once: int,
) -> StartedFleet:
    """Start a scheduler here, which the hosts reach at an address, and a worker on each host.

    `python` is the interpreter there that has the workbench. What was started is taken down again where anything fails.
    Raises UsageError where a fleet is up already, WorkbenchError for a host that cannot be reached or does not join.
    """
    if already := started(paths):
        raise UsageError(f"a fleet is up already at {already.address}: '{PROGRAM} fleet.down' takes it down")
    home = _home(paths)
    remove_tree(home)
    make_folder(home, 0o700)
    make_certificate(home)
    where = f"tls://{address}:{port}"
    # no --host: it would bind what this machine takes the address for, which may be 127.0.1.1, its own name on Debian
    words = [sys.executable, "-m", "distributed.cli.dask_scheduler", f"--port={port}"]
    words += ["--protocol=tls", "--no-dashboard", *_tls(str(home))]
    script = _detached(words, f"{home}/scheduler.log", _SCHEDULER)
    process = int(run(["sh", "-c", script], stdout_only=True).output)
    fleet = StartedFleet(address=where, process=process, ssh_config=ssh_config, workers=())
    _keep(fleet, home)
    try:
        for host in hosts:
            with step(f"start a worker on {host}"):
                worker = _start(host, fleet, home, python=python, at_once=at_once)
            fleet = StartedFleet(
                address=where, process=process, ssh_config=ssh_config, workers=(*fleet.workers, worker)
            )
            _keep(fleet, home)
        _await(fleet, home)
    except BaseException:
        down(paths)
        raise
    return fleet


def _keep(fleet: StartedFleet, home: Path) -> None:
    write_whole(home / "cluster.json", json.dumps(asdict(fleet), indent=2) + "\n", private=True)


def _tls(folder: str) -> list[str]:
    return [
        f"--tls-ca-file={folder}/cert.pem",
        f"--tls-cert={folder}/cert.pem",
        f"--tls-key={folder}/key.pem",
    ]


def _detached(words: Sequence[str], log: str, variables: Mapping[str, str]) -> str:
    """Return a shell's script that starts a program which outlives it, and prints its process."""
    imports = {"PYTHONPATH": str(CHECKOUT)} if SHIPPED == CHECKOUT else {}
    given = [f"{name}={value}" for name, value in {**variables, **imports}.items()]
    line = shlex.join(["setsid", "nohup", "env", *given, *words])
    return f"{line} > {shlex.quote(log)} 2>&1 < /dev/null & echo $!"


def _ssh(host: str, command: str, ssh_config: str) -> str:
    """Run a shell's command on a host and return what it printed. Raises WorkbenchError."""
    try:
        done = run(["ssh", *_options(ssh_config), host, command], stdout_only=True, timeout=CONNECT)
    except CommandFailed as error:
        why = str(error).strip().rpartition("\n")[2]
        raise WorkbenchError(f"{host} cannot be used over SSH: {why}") from error
    return done.output


def _options(ssh_config: str) -> list[str]:
    config = ["-F", ssh_config] if ssh_config else []
    return [*config, "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT // 2}"]


def _start(host: str, fleet: StartedFleet, home: Path, *, python: str, at_once: int) -> RemoteWorker:
    """Start a worker on a host: the key goes there as a file, and shows in no list of processes."""
    folder = f".cache/wheel-workbench/fleet-{fleet.process}-{len(fleet.workers)}"
    _ssh(host, f"umask 077 && mkdir -p {folder}", fleet.ssh_config)
    if host.startswith("ssh://"):
        to = f"scp://{host.removeprefix('ssh://').rstrip('/')}/{folder}/"
    else:
        to = f"{host}:{folder}/"
    try:
        files = [home / "cert.pem", home / "key.pem"]
        run(["scp", "-q", "-p", *_options(fleet.ssh_config), *files, to], timeout=CONNECT)
    except CommandFailed as error:
        why = str(error).strip().rpartition("\n")[2]
        raise WorkbenchError(f"{host}: the certificates cannot be copied there by scp: {why}") from error
    words = [python, "-m", "distributed.cli.dask_worker", fleet.address, "--memory-limit=0", "--no-dashboard"]
    words += [f"--death-timeout={_ORPHANED}", "--local-directory=dask", *_tls("."), f"--name={host}"]
    words += [f"--nthreads={at_once}"] if at_once else []  # else as many as the host has processors
    printed = _ssh(host, f"cd {folder} || exit 1; {_detached(words, 'worker.log', {})}", fleet.ssh_config)
    return RemoteWorker(host=host, process=int(printed), folder=folder)


def _await(fleet: StartedFleet, home: Path) -> None:
    """Wait until each worker has joined. Raises WorkbenchError with what one that does not come has said."""
    from distributed import Client

    connected: Any = Client
    until = time.monotonic() + _COME
    wanted = {worker.host for worker in fleet.workers}
    with (
        step("wait for the workers to join", total=len(wanted), unit="workers") as at,
        connected(fleet.address, security=security_in(home), timeout=60) as client,
    ):
        came: set[str] = set()
        while came != wanted:
            there = {str(each["name"]) for each in client.scheduler_info(n_workers=-1)["workers"].values()}
            at(len((there & wanted) - came))
            came |= there & wanted
            if time.monotonic() > until:
                late = next(worker for worker in fleet.workers if worker.host not in came)
                log = _ssh(late.host, f"tail -n 5 {late.folder}/worker.log", fleet.ssh_config)
                raise WorkbenchError(
                    f"{late.host} did not join {fleet.address} within {_COME:.0f} s: does its firewall let it? Its "
                    f"worker said:\n{log}"
                )
            time.sleep(0.5)


def down(paths: Paths) -> StartedFleet | None:
    """End the fleet that a site has started, and remove what it left; return it, None where none was up."""
    fleet, home = started(paths), _home(paths)
    if fleet is None:
        return None
    for worker in fleet.workers:
        # its nanny ends the worker, which ends with all that it builds
        script = (
            f"if grep -aqF {shlex.quote(fleet.address)} /proc/{worker.process}/cmdline 2>/dev/null; then "
            f"kill -TERM -- -{worker.process} 2>/dev/null; for i in 1 2 3 4 5 6 7 8 9 10; do "
            f"kill -0 -- -{worker.process} 2>/dev/null || break; sleep 0.5; done; "
            f"kill -KILL -- -{worker.process} 2>/dev/null; fi; rm -rf {worker.folder}"
        )
        with step(f"end the worker on {worker.host}") as at:
            try:
                _ssh(worker.host, script, fleet.ssh_config)
            except WorkbenchError as error:
                at.fail(str(error))
                note(f"· {worker.host}: its worker ends by itself within {_ORPHANED} s after the scheduler")
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            # another process may have its number by now, after a restart of this machine
            if os.fsencode(home) in (content_of(Path(f"/proc/{fleet.process}/cmdline")) or b""):
                os.killpg(fleet.process, number)
                time.sleep(1)
    remove_tree(home)
    return fleet
