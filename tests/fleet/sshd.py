"""Debian's sshd on loopback, with keys of its own: what stands for the machines of a lab."""

from __future__ import annotations

import getpass
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.fleet.dask import wait_for
from tests.serving import held_port

SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {root}/host
AuthorizedKeysFile {root}/user.pub
PidFile {root}/sshd.pid
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
UsePAM no
Subsystem sftp internal-sftp
SetEnv WORKBENCH_CACHE={root}/cache
"""

CLIENT = """\
Host spark*
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {root}/user
    IdentitiesOnly yes
    UserKnownHostsFile {root}/known
"""


@dataclass
class Sshd:
    """The server, and the client's file of settings that names machines ``spark1``, ``spark2`` ... for it."""

    config: Path
    process: subprocess.Popen[bytes]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


def sshd(root: Path) -> Sshd:
    """Start the server. Debian's needs a folder that its service makes (root)."""
    root.mkdir()
    Path("/run/sshd").mkdir(exist_ok=True)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", root / name], check=True)
    public = (root / "host.pub").read_text()
    with held_port() as port, (root / "log").open("wb") as log:
        (root / "known").write_text(f"[127.0.0.1]:{port} {public}")
        (root / "server").write_text(SERVER.format(port=port, root=root))
        (root / "client").write_text(CLIENT.format(port=port, root=root, user=getpass.getuser()))
        process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", root / "server"], stderr=log)
        wait_for(lambda: "Server listening" in (root / "log").read_text())
    return Sshd(root / "client", process)
