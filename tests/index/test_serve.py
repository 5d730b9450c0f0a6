"""The try-out server, as installers meet it."""

from __future__ import annotations

import http.client
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.conftest import invoke
from workbench.index.page import JSON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.index.wheels import Store


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
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
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


def test_a_folder_without_its_slash_is_sent_to_it(server: http.client.HTTPConnection) -> None:
    response, _ = ask(server, "/index/simple/demo?x=1")
    assert (response.status, response.headers["Location"]) == (301, "/index/simple/demo/")


@pytest.mark.parametrize(
    "path",
    [
        "/",
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


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("port", ["taken", "70000"])
def test_a_port_that_cannot_be_had_is_named(server: http.client.HTTPConnection, port: str) -> None:
    port = str(server.port) if port == "taken" else port
    ran = invoke("serve", "--port", port)
    assert ran.status == 2
    assert f"--port {port}: " in ran.stderr
    assert "--port 0" in ran.stderr
