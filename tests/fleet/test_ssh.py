"""The same thirty cells on machines over SSH, for which Debian's sshd on loopback stands: ``nox -s fleet`` runs it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fleet.scenario import thirty
from tests.fleet.sshd import sshd
from tests.serving import held_port
from workbench.fleet import ssh_hosts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.conftest import Adds
    from workbench.paths import Paths


@pytest.mark.skipif("WORKBENCH_FLEET" not in os.environ, reason="it takes minutes: nox -s fleet runs it")
@pytest.mark.skipif(os.geteuid() != 0, reason="the folder of sshd's separation of privileges is root's")
@pytest.mark.needs("ssh", "scp", "ssh-keygen", "/usr/sbin/sshd")
@pytest.mark.filterwarnings("default")  # Dask's
def test_thirty_cells_over_ssh(
    add: Adds, paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = sshd(tmp_path / "sshd")
    try:
        with held_port() as port:
            up = ssh_hosts.up(
                ("spark1", "spark2", "spark3"),
                paths,
                address="127.0.0.1",
                port=port,
                python=sys.executable,
                ssh_config=str(server.config),
                at_once=1,
            )
        try:
            thirty(add, paths, up.address, tmp_path, monkeypatch)
        finally:
            ssh_hosts.down(paths)
    finally:
        server.close()
    assert not [each for each in up.workers if is_alive(each.process)]
    assert ssh_hosts.started(paths) is None


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
