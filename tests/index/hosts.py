"""A host that answers with the bytes that a test gives it, sound HTTP or not; and tiny pages to answer with."""

from __future__ import annotations

import hashlib
import json
import socketserver
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.index.stores import wheel_bytes
from tests.serving import serving
from workbench.simple import JSON

if TYPE_CHECKING:
    from collections.abc import Iterator

FILENAME = "demo-1.0-py3-none-any.whl"
WHEEL, METADATA = wheel_bytes("demo", "1.0")
SHA256 = hashlib.sha256(WHEEL).hexdigest()
METADATA_SHA256 = hashlib.sha256(METADATA).hexdigest()
ANCHOR = (
    f'<a href="../../files/{FILENAME}#sha256={SHA256}" data-core-metadata="sha256={METADATA_SHA256}" '
    f'data-dist-info-metadata="sha256={METADATA_SHA256}">{FILENAME}</a>'
)


def http(
    body: bytes | str, kind: str | None = "text/html", *, status: str = "200 OK", **headers: str
) -> bytes:
    """Return an answer as it goes over the wire."""
    content = body.encode() if isinstance(body, str) else body
    lines = {"Content-Length": str(len(content)), "Connection": "close", **headers}
    if kind is not None:
        lines["Content-Type"] = kind
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + content


def html(body: str, *, head: str = "") -> str:
    """Return a page with an anchor or several."""
    meta = '<meta name="pypi:repository-version" content="1.4">'
    return f"<!DOCTYPE html><html><head>{meta}{head}</head><body>{body}</body></html>"


def document(
    *, keys: dict[str, Any] | None = None, file: dict[str, Any] | None = None, without: tuple[str, ...] = ()
) -> str:
    """Return the project's page as JSON, with other keys of the page or of its one file."""
    entry: dict[str, Any] = {
        "filename": FILENAME,
        "url": f"../../files/{FILENAME}",
        "hashes": {"sha256": SHA256},
        "size": len(WHEEL),
        "upload-time": "2026-11-20T10:00:00Z",
        "core-metadata": {"sha256": METADATA_SHA256},
        **(file or {}),
    }
    page = {
        "meta": {"api-version": "1.4"},
        "name": "demo",
        "versions": ["1.0"],
        "files": [entry],
        **(keys or {}),
    }
    for key in without:
        entry.pop(key, None)
        page.pop(key, None)
    return json.dumps(page)


class Host(socketserver.ThreadingTCPServer):
    """Answers a path, as it was asked, with what `answers` has for it; without that with 404. See `hosted`.

    Where it has an answer for ``HEAD`` and the path, that is given to HEAD. `asked` are the paths that were,
    `sent` the headers that came with them, by name in lower case.
    """

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.sent: list[dict[str, str]] = []
        self.answers = {
            "/simple/": http(html('<a href="demo/">demo</a>')),
            "/simple/demo/": http(html(ANCHOR)),
            f"/files/{FILENAME}": http(WHEEL, "application/octet-stream"),
            f"/files/{FILENAME}.metadata": http(METADATA, "text/plain"),
        }
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def root(self) -> str:
        """The URL of ``simple/``."""
        return f"http://127.0.0.1:{self.server_address[1]}/simple/"

    def page(self, text: str) -> None:
        """Put another page in the project's place: JSON if it looks so."""
        self.answers["/simple/demo/"] = http(text, JSON if text.startswith("{") else "text/html")


class _Handler(socketserver.StreamRequestHandler):
    server: Host

    def handle(self) -> None:
        method, path, _ = self.rfile.readline().decode().split(" ")
        headers = {}
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        self.server.asked.append(path)
        self.server.sent.append(headers)
        answer = self.server.answers.get(path, http("not there", status="404 Not Found"))
        if method == "HEAD":
            answer = self.server.answers.get(f"HEAD {path}", answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        self.wfile.write(answer)


@contextmanager
def hosted() -> Iterator[Host]:
    """Serve a sound index of one project while the block runs; whoever has it may change the answers."""
    with serving(Host()) as host:
        yield host
