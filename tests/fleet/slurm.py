"""A real Slurm on loopback, of one machine, with munge and keys of its own: what stands for a lab's cluster."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.fleet.dask import wait_for
from tests.serving import held_port

CONFIG = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
AuthType=auth/munge
AuthInfo=socket={root}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmdSpoolDir={root}/spool
StateSaveLocation={root}/state
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MpiDefault=none
ReturnToService=2
KillWait=5
SlurmdParameters=config_overrides
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=8000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@dataclass
class Slurm:
    """Its daemons, and the file of settings that ``SLURM_CONF`` names to its commands."""

    root: Path
    config: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *words: str | Path) -> None:
        """Start a daemon in the foreground."""
        with (self.root / f"{Path(words[0]).name}.log").open("wb") as log:
            variables = {**os.environ, "SLURM_CONF": str(self.config)}
            self.processes.append(subprocess.Popen(words, env=variables, stdout=log, stderr=log))

    def ask(self, *words: str) -> str:
        """Run a command of Slurm's; return what it prints."""
        variables = {**os.environ, "SLURM_CONF": str(self.config)}
        done = subprocess.run(words, env=variables, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def close(self) -> None:
        """End its jobs, then the daemons."""
        self.ask("scancel", "--state=RUNNING", "--partition=main")
        for process in reversed(self.processes):
            process.terminate()
            process.wait()


def slurm(root: Path) -> Slurm:
    """Start it (root)."""
    for folder in (root, root / "spool", root / "state"):
        folder.mkdir()
    with held_port() as controller, held_port() as daemon:
        return _started(root, controller, daemon)


def _started(root: Path, controller: int, daemon: int) -> Slurm:
    made = Slurm(root, root / "slurm.conf")
    config = CONFIG.format(root=root, host=platform.node(), controller=controller, daemon=daemon)
    made.config.write_text(config)
    key = root / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    own = (f"--key-file={key}", f"--pid-file={root}/munged.pid", f"--seed-file={root}/munge.seed")
    made.start("munged", "--foreground", "--force", f"--socket={root}/munge.socket", *own)
    wait_for((root / "munge.socket").exists, 30)
    made.start("slurmctld", "-D", "-f", made.config)
    made.start("slurmd", "-D", "-f", made.config, "-N", platform.node())
    wait_for(lambda: made.ask("sinfo", "--noheader", "--format=%T") == "idle", 60)
    return made
