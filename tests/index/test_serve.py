"""The try-out server, as installers meet it."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.forked import invoke
from workbench.paths import CHECKOUT, Paths
from workbench.process import environment
from workbench.simple import JSON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.index.stores import Store
    from workbench.paths import Paths


SECRETS = (
    ".git/config",
    ".venv/pyvenv.cfg",
    ".workbench/log",
    "workbench.yaml",
    "recipes/demo.py",
    "index.html",
)
"""What lies in a site beside what it publishes."""


@pytest.fixture
def server(store: Store) -> Iterator[http.client.HTTPConnection]:
    store.publish("demo", "1.0+local")
    store.draw()
    (store.root.parent / "secret.txt").write_text("secret")
    for name in SECRETS:
        (store.root / name).parent.mkdir(exist_ok=True)
        (store.root / name).write_text("secret")
    for name in ("demo.log", "demo.patch", "demo.txt"):
        (store.root / "files" / "demo" / name).write_text("naïve")
    (store.root / "files" / "demo" / "out.txt").symlink_to(store.root / "workbench.yaml")
    with store.served() as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        yield connection
        connection.close()


def ask(
    connection: http.client.HTTPConnection, path: str, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection.request(
        method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    response = connection.getresponse()
    return response, response.read()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/index/", "text/html; charset=utf-8"),
        ("/index/simple/demo/", "text/html; charset=utf-8"),
        ("/index/simple-json/demo/", JSON),
        ("/index/feed.atom", "application/atom+xml; charset=utf-8"),
        ("/files/demo/demo-1.0%2Blocal-py3-none-any.whl", "application/octet-stream"),
        ("/files/demo/demo-1.0%2Blocal-py3-none-any.whl.metadata", "text/plain; charset=utf-8"),
        ("/files/demo/demo.log", "text/plain; charset=utf-8"),
        ("/files/demo/demo.patch", "text/plain; charset=utf-8"),
        ("/files/demo/demo.txt", "text/plain; charset=utf-8"),
        ("/packages.json", "application/json"),
    ],
)
def test_types(server: http.client.HTTPConnection, path: str, kind: str) -> None:
    response, body = ask(server, path)
    assert response.status == 200
    assert response.headers["Content-Type"] == kind
    assert response.headers["Cache-Control"] == "no-cache"
    head, nothing = ask(server, path, "HEAD")
    assert head.headers["Content-Length"] == str(len(body))
    assert nothing == b""


def test_an_etag_is_answered_until_the_page_changes(store: Store, server: http.client.HTTPConnection) -> None:
    path = "/index/simple/demo/"
    etag = ask(server, path)[0].headers["ETag"]
    response, body = ask(server, path, If_None_Match=f'"other", W/{etag}')
    assert (response.status, body) == (304, b"")
    store.publish("demo", "2.0")
    store.draw()
    response, _ = ask(server, path, If_None_Match=etag)
    assert response.status == 200
    assert response.headers["ETag"] != etag


def test_the_address_alone_leads_to_the_pages_for_people(server: http.client.HTTPConnection) -> None:
    response, _ = ask(server, "/")
    assert (response.status, response.headers["Location"]) == (302, "/index/")


def test_a_folder_without_its_slash_is_sent_to_it(server: http.client.HTTPConnection) -> None:
    response, _ = ask(server, "/index/simple/demo?x=1")
    assert (response.status, response.headers["Location"]) == (301, "/index/simple/demo/")


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/files/",
        *(f"/{name}" for name in SECRETS),
        "/index/../.git/config",
        "/.git",
        "/indexes/",
        "/packages.json/",
        "/files/demo/out.txt",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/index/..%2f..%2fsecret.txt",
        "/%00",
        "/index/nothing/",
        f"/index/{'x' * 300}",
        f"/index/{'x' * 300}/",
    ],
)
def test_what_is_not_there_or_not_published_is_404(server: http.client.HTTPConnection, path: str) -> None:
    response, body = ask(server, path)
    assert response.status == 404
    assert b"secret" not in body


def test_a_folder_s_address_is_never_another_host_s(server: http.client.HTTPConnection) -> None:
    response, _ = ask(server, "//index/simple/demo")
    location = response.headers["Location"] or "/"
    assert not location.startswith("//")


def test_it_listens_on_loopback_only(server: http.client.HTTPConnection) -> None:
    address = socket.gethostbyname(server.host)
    assert address.startswith("127.")


def test_files_may_lie_on_another_disk(store: Store, server: http.client.HTTPConnection) -> None:
    there = store.root.parent / "disk"
    (store.root / "files").rename(there)
    (store.root / "files").symlink_to(there)
    response, _ = ask(server, "/files/demo/demo-1.0%2Blocal-py3-none-any.whl")
    assert response.status == 200


def said_of_a_request(store: Store, capsys: pytest.CaptureFixture[str], path: str) -> str:
    """Ask for a large file, go away without reading it, and return what the server prints of that."""
    others = threading.enumerate()  # another test's server may still wait on a kept connection
    with store.served() as url:
        host, port = urlsplit(url).netloc.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            client.recv(1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # ends in a reset
        for thread in threading.enumerate():
            if "process_request" in thread.name and thread not in others:
                thread.join(60)
    return capsys.readouterr().err


def test_a_client_that_goes_away_is_no_news(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    store.publish("demo", "1.0")
    with (store.root / "files/demo/large.txt").open("wb") as file:
        file.truncate(1 << 28)
    assert said_of_a_request(store, capsys, "/files/demo/large.txt") == ""


def test_another_error_is_a_line(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish("demo", "1.0")
    store.draw()
    monkeypatch.setattr("workbench.index.serve.shutil.copyfileobj", lambda *_: 1 / 0)
    said = said_of_a_request(store, capsys, "/index/simple/demo/")
    assert said == "! a request ended in ZeroDivisionError: division by zero\n"


def test_nobody_is_told_the_login_of_the_package_index(paths: Paths) -> None:
    (paths.root / "index").mkdir()
    serving = subprocess.Popen(
        [sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT), "serve", "--port", "0"],
        env=environment({"UV_DEFAULT_INDEX": "mirror=https://me:s3cret@mirror.example/simple/"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert serving.stdout is not None
    url = serving.stdout.readline().split()[-1]
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    response, _ = ask(connection, "/index/simple/numpy/")
    connection.close()
    serving.send_signal(signal.SIGINT)
    out, err = serving.communicate()
    assert (response.status, response.headers["Location"]) == (302, "https://mirror.example/simple/numpy/")
    assert "s3cret" not in out + err
    assert re.search(r'^\S+ \S+ "GET /index/simple/numpy/ HTTP/1.1" 302 -$', err, re.MULTILINE)
    assert err.count("https://mirror.example/simple/") == err.count("~/.netrc") == 1


@pytest.mark.usefixtures("paths")
@pytest.mark.parametrize("port", ["taken", "70000"])
def test_a_port_that_cannot_be_had_is_named(server: http.client.HTTPConnection, port: str) -> None:
    port = str(server.port) if port == "taken" else port
    ran = invoke("serve", "--port", port)
    assert ran.status == 2
    assert f"--port {port}: " in ran.stderr
    assert "--port 0" in ran.stderr
