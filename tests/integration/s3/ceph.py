"""A real S3 server on loopback: Ceph's radosgw, with one monitor and one store in memory. ``setup`` fetches it."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import subprocess
import time
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError

from tests.serving import held_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ACCESS_KEY = "AKIATEST"
SECRET_KEY = "secretsecretsecret"  # noqa: S105 - of a server that lives as long as the tests
PATIENCE = 400.0
"""Seconds after which a busy machine's programs are given up."""

CONFIGURATION = """\
[global]
fsid = {fsid}
mon_host = v1:127.0.0.1:{monitor_port}
public_network = 127.0.0.0/8
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = {data}
log_file = {data}/$name.log
mon_cluster_log_file = {data}/cluster.log
admin_socket = {data}/$name.asok
erasure_code_dir = {libraries}/ceph/erasure-code
plugin_dir = {libraries}/ceph
osd_class_dir = {libraries}/rados-classes
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_class_update_on_start = false
osd_crush_update_on_start = false
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
mon_data_avail_warn = 2
mon_data_avail_crit = 1
ms_bind_ipv6 = false
[mon.a]
mon_data = {data}/mon
public_addr = 127.0.0.1
[osd.0]
osd_data = {data}/osd
osd_objectstore = memstore
memstore_device_bytes = 8589934592
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw_data = {data}/rgw
rgw_dynamic_resharding = false
rgw_run_sync_thread = false
rgw_gc_obj_min_wait = 1
rgw_gc_processor_period = 5
"""


def installed() -> Path | None:
    """Return where ``setup`` put Ceph, or None where it did not run."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    root = Path(os.environ.get("WORKBENCH_CACHE") or Path(base) / "wheel-workbench") / "ceph"
    return root if (root / "version").is_file() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server: its URL, and the processes to end."""

    url: str
    pids: tuple[int, ...]


NOT_YET = "problem getting command descriptions"
ATTEMPTS = 20
"""A monitor that has just begun to answer refuses a command now and then, and hears the next one."""


class _Ceph:
    """The programs below `root`, run with the loader and the libraries that lie beside them."""

    def __init__(self, root: Path, data: Path) -> None:
        self._root = root
        self._data = data
        machine = platform.machine()
        self.libraries = root / f"usr/lib/{machine}-linux-gnu"
        (loader,) = (*root.glob("usr/lib64/ld-linux-*.so.*"), *root.glob("usr/lib/ld-linux-*.so.*"))[:1]
        path = f"{self.libraries}:{self.libraries}/ceph:{root}/usr/lib/ceph"
        self._loaded = [str(loader), "--library-path", path]

    def run(self, program: str, *words: str | Path) -> None:
        subprocess.run(self._argv(program, words), check=True, capture_output=True, timeout=PATIENCE)

    def start(self, program: str, *words: str | Path) -> int:
        """Start a program that outlives this process; `end` ends it."""
        argv = self._argv(program, (*words, "-f"))
        out = (os.POSIX_SPAWN_OPEN, 1, self._data / f"{program}.out", os.O_WRONLY | os.O_CREAT, 0o600)
        return os.posix_spawn(
            argv[0], argv, os.environ, file_actions=[out, (os.POSIX_SPAWN_DUP2, 1, 2)], setsid=True
        )

    def admin(self, *words: str, check: bool = True) -> str:
        """Run the ``ceph`` command, itself a Python program."""
        python = next(path for path in self._root.glob("usr/bin/python3.*") if path.name[8:].isdigit())
        usr = self._root / "usr"
        for _ in range(ATTEMPTS):
            done = subprocess.run(
                [
                    *self._loaded,
                    str(python),
                    str(usr / "bin/ceph"),
                    "-c",
                    str(self._data / "ceph.conf"),
                    *map(str, words),
                ],
                env={
                    **os.environ,
                    "PYTHONHOME": str(usr),
                    "PYTHONPATH": str(usr / "lib/python3/dist-packages"),
                },
                check=False,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
            if NOT_YET not in done.stderr:
                break
        if check and done.returncode:
            raise RuntimeError(f"ceph {words}: {done.stderr}")
        return done.stdout

    def _argv(self, program: str, words: tuple[str | Path, ...]) -> list[str]:
        configuration = ["-c", str(self._data / "ceph.conf")]
        return [*self._loaded, str(self._root / "usr/bin" / program), *configuration, *map(str, words)]


def start(root: Path, data: Path) -> Server:
    """Start a monitor, a store and the gateway, in this order, each when the one before answers."""
    with held_port() as port, held_port() as monitor_port:
        return _start(_Ceph(root, data), data, port, monitor_port)


def _start(ceph: _Ceph, data: Path, port: int, monitor_port: int) -> Server:
    for folder in ("mon", "osd", "rgw"):
        (data / folder).mkdir(parents=True)
    fsid = str(uuid.uuid4())
    (data / "ceph.conf").write_text(
        CONFIGURATION.format(
            fsid=fsid, data=data, libraries=ceph.libraries, port=port, monitor_port=monitor_port
        )
    )
    address = f"[v1:127.0.0.1:{monitor_port}]"
    ceph.run("monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", address, data / "monmap")
    (data / "keyring").touch()
    ceph.run("ceph-mon", "-i", "a", "--mkfs", "--monmap", data / "monmap", "--keyring", data / "keyring")
    pids = [ceph.start("ceph-mon", "-i", "a")]
    try:
        wait(lambda: _listens(monitor_port), "Ceph's monitor")
        ceph.run("ceph-osd", "-i", "0", "--mkfs")
        ceph.admin("osd", "create", (data / "osd/fsid").read_text().strip())
        ceph.admin("osd", "crush", "add", "osd.0", "1.0", "root=default")
        pids.append(ceph.start("ceph-osd", "-i", "0"))
        wait(lambda: "1 up" in ceph.admin("osd", "stat", check=False), "Ceph's store")
        name = ("-n", "client.rgw")
        keys = ("--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY)
        ceph.run("radosgw-admin", *name, "user", "create", "--uid", "tests", "--display-name", "tests", *keys)
        pids.append(ceph.start("radosgw", *name))
        url = f"http://127.0.0.1:{port}"
        wait(lambda: answers(url), "Ceph's gateway")
    except BaseException:
        end(pids)
        raise
    return Server(url=url, pids=tuple(pids))


def end(pids: Iterable[int]) -> None:
    """End the processes. What they hold is in memory, so there is nothing to save."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def answers(url: str) -> bool:
    """Say whether a server answers at a URL, whatever it says."""
    try:
        with urllib.request.urlopen(url, timeout=10):  # noqa: S310 - of a test's own server
            return True
    except HTTPError as error:
        error.close()
        return True
    except (URLError, OSError):
        return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait(ready: Callable[[], object], what: str) -> None:
    """Wait for a server to be ready: by asking it, a tenth of a second apart."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come up within {PATIENCE:.0f} s")
        time.sleep(0.1)
