"""One S3 server for all tests of a run, also of several workers, and a bucket for each test."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from contextlib import contextmanager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import CI
from tests.integration.s3 import ceph
from tests.integration.s3.faults import Proxy
from tests.serving import held_port, serving
from workbench.settings import read_settings
from workbench.store.s3 import S3Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.s3.ceph import Server
    from workbench.paths import Paths


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return Ceph's server, started by the first worker that asks and ended by the last one."""
    root = ceph.installed()
    if root is None:
        why = "Ceph is not on this machine: tests/integration/s3/setup gets it (root, Debian)"
        if CI:
            pytest.fail(why, pytrace=False)
        pytest.skip(why)
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    state = shared / "ceph.json"
    with _locked(shared):
        if not state.exists():
            data = tempfile.mkdtemp(prefix="workbench-ceph-")
            started = ceph.start(root, Path(data))
            state.write_text(json.dumps({**asdict(started), "data": data, "users": 0}))
        server = _used(state, 1)
    yield server
    with _locked(shared):
        _used(state, -1)


def _used(state: Path, more: int) -> Server:
    """Count a user of the server in or out; end it with the last one."""
    data = json.loads(state.read_text())
    users = data.pop("users") + more
    server = ceph.Server(url=data["url"], pids=tuple(data["pids"]))
    if users:
        state.write_text(json.dumps({**data, "users": users}))
    else:
        state.unlink()
        ceph.end(server.pids)
        shutil.rmtree(data["data"])
    return server


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "ceph.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let this test have the server's credentials, and none of the machine's configuration."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "WORKBENCH_S3"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ceph.ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ceph.SECRET_KEY)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "no-such-file"))


@pytest.fixture
def bucket_paths(server: Server, paths: Paths) -> Paths:
    """Return a site whose store is below a prefix of a fresh bucket, with its public URL."""
    bucket = f"wheels-{uuid.uuid4().hex}"
    describe(paths, bucket=bucket, endpoint=server.url)
    store_of(paths).client.create_bucket(Bucket=bucket)
    return paths


@pytest.fixture
def store(bucket_paths: Paths) -> S3Store:
    """Return the store of `bucket_site`."""
    return store_of(bucket_paths)


PREFIX = "some/where"


def describe(
    paths: Paths,
    *,
    bucket: str,
    endpoint: str,
    prefix: str = PREFIX,
    public_url: str | None = None,
    single_writer: bool = False,
    people: bool = True,
) -> None:
    """Write a site's settings: a prefix of a bucket behind an endpoint, with pages for people or without."""
    settings = {
        "public_url": public_url or f"{endpoint}/{bucket}/{prefix}",
        "store": {
            "s3": {"bucket": bucket, "prefix": prefix, "endpoint": endpoint, "single_writer": single_writer}
        },
        "index": {"people": people},
    }
    (paths.root / "workbench.yaml").write_text(json.dumps(settings))


def store_of(paths: Paths) -> S3Store:
    settings = read_settings(paths).store.s3
    assert settings is not None
    return S3Store(settings)


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """Return a proxy before the server, without a fault yet."""
    with Proxy(server.url) as proxy:
        yield proxy


class WebPage(BaseHTTPRequestHandler):
    """Answers as a web site does that shows its front page for whatever is asked."""

    def do_GET(self) -> None:
        content = b"<!doctype html><title>Welcome</title><p>Hello<br>"
        self.send_response_only(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def web_page() -> Iterator[str]:
    """Return the URL of a web site."""
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), WebPage)) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}"


@pytest.fixture
def careless(tmp_path: Path) -> Iterator[str]:
    """Return the URL of a server that takes conditions and ignores them: rclone's."""
    folder = tmp_path / "careless"
    (folder / "wheels").mkdir(parents=True)
    with held_port() as port:
        url, login = f"http://127.0.0.1:{port}", f"{ceph.ACCESS_KEY},{ceph.SECRET_KEY}"
        process = subprocess.Popen(
            ["rclone", "serve", "s3", folder, "--addr", f"127.0.0.1:{port}", "--auth-key", login],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            ceph.wait(lambda: ceph.answers(url), "rclone's server")
            yield url
        finally:
            process.kill()
            process.wait()
