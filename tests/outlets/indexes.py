"""Real package indexes on loopback that want a password: pypiserver, and devpi, volatile and not."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.serving import held_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

USER, PASSWORD = "ada", "s3cret-sécr€t"
BIN = Path(sys.executable).parent
PATIENCE = 600


def asked(url: str, *, method: str = "GET", document: Any = None, token: str = "") -> bytes:
    """Return what a server answers to somebody who is logged in."""
    data = None if document is None else json.dumps(document).encode()
    headers = {"Content-Type": "application/json", "Accept": "*/*" if method == "GET" else "application/json"}
    login = base64.b64encode(f"{USER}:{token or PASSWORD}".encode()).decode()
    headers |= {"X-Devpi-Auth": login} if token else {"Authorization": f"Basic {login}"}
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - loopback
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
        body: bytes = answer.read()
        return body


@contextmanager
def running(argv: Sequence[str | Path], url: str, log: Path) -> Iterator[None]:
    """Run a server while the block runs, once it answers."""
    with log.open("wb") as said:
        process = subprocess.Popen([*map(str, argv)], stdout=said, stderr=said)
        try:
            end = time.monotonic() + PATIENCE
            while True:
                try:
                    asked(url)
                    break
                except OSError:
                    assert process.poll() is None, log.read_text()
                    assert time.monotonic() < end, log.read_text()
                    time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait()


@contextmanager
def pypiserver(
    folder: Path, password: str = PASSWORD, *, asks: str = "update,list,download"
) -> Iterator[str]:
    """Serve a folder by pypiserver, which wants a login for what it `asks`; yield the URL that takes uploads."""
    folder.mkdir()
    secret = base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()  # noqa: S324 - htpasswd's own form
    users = folder.with_suffix(".htpasswd")
    users.write_text(f"{USER}:{{SHA}}{secret}\n")
    # one request at a time: a wheel whose sender was killed is listed when all of it is there
    options = ["--server", "wsgiref", "--disable-fallback", "-P", users, "-a", asks, "-i", "127.0.0.1"]
    with held_port() as port:
        url = f"http://127.0.0.1:{port}/"
        serve = [BIN / "pypi-server", "run", *options, "-p", port, folder]
        with running([*map(str, serve)], url, folder.with_suffix(".log")):
            yield url


@contextmanager
def devpi(folder: Path) -> Iterator[str]:
    """Serve devpi with the indexes ``ada/stable`` and ``ada/volatile``, and yield its URL."""
    init = [BIN / "devpi-init", "--serverdir", folder, "--no-root-pypi", "--root-passwd", PASSWORD]
    subprocess.run([*map(str, init)], check=True, capture_output=True)
    secret = folder.with_suffix(".secret")
    secret.write_bytes(base64.b64encode(b"s" * 32))
    secret.chmod(0o600)
    # its key is derived for half a minute otherwise
    quick = ["--argon2-memory-cost", 8, "--argon2-parallelism", 1, "--argon2-time-cost", 1]
    serve = [BIN / "devpi-server", "--serverdir", folder, "--secretfile", secret, *quick]
    with held_port() as port:
        url = f"http://127.0.0.1:{port}/"
        with running([*map(str, serve), "--port", str(port)], f"{url}+api", folder.with_suffix(".log")):
            asked(f"{url}{USER}", method="PUT", document={"password": PASSWORD})
            login = json.loads(
                asked(f"{url}+login", method="POST", document={"user": USER, "password": PASSWORD})
            )
            token = login["result"]["password"]
            for name in ("stable", "volatile"):
                about = {"type": "stage", "volatile": name == "volatile", "bases": []}
                asked(f"{url}{USER}/{name}", method="PUT", document=about, token=token)
            yield url
