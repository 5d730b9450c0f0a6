"""A server for a try-out: what a folder store publishes, on loopback, with the types and ETags that installers want.

Not for the world: no TLS, no limits. Any static host does that better. The folder may be a whole checkout, so nothing
is served but what a store publishes for everyone.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from workbench import __version__
from workbench.events import LISTENER, Noted
from workbench.evidence.keys import KEYS
from workbench.evidence.root import ROOT
from workbench.index.output import ATOM, CSS, HTML, SCRIPT
from workbench.simple import JSON
from workbench.store.layout import FILES, HISTORY, INDEX, REGISTRY, TRUST
from workbench.store.layout import headers as headers_of

_PUBLISHED = (*(each.rstrip("/") for each in (INDEX, FILES, HISTORY, TRUST)), REGISTRY)
"""What of the folder is served: pages, files, registry, and what shows that these are the publisher's."""

LOOPBACK = "127.0.0.1"
_PROJECT = re.compile(r"/index/simple/([a-z0-9-]+)/?")
_INDEX_DOCUMENTS = ("index.html", "index.json")
PAGES = {".html": HTML, ".atom": ATOM, ".css": CSS, ".js": SCRIPT}


class Server(ThreadingHTTPServer):
    """Serves what is `_PUBLISHED` of the folder `root` on loopback; port 0 takes a free one.

    A project that is not published here is sent to the index `elsewhere`, if that is given, so that what a wheel
    requires is found; one that is published here never is.
    """

    daemon_threads = True

    def __init__(self, root: Path, *, port: int = 0, quiet: bool = False, elsewhere: str = "") -> None:
        self.root, self.quiet, self.elsewhere = root, quiet, elsewhere
        self._tell = LISTENER.get()  # requests are answered in threads, whose context has none
        super().__init__((LOOPBACK, port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say in a line what went wrong; that a client went away is nothing wrong."""
        del request, client_address
        error = sys.exception()
        if not isinstance(error, ConnectionError):
            self.note(f"! a request ended in {type(error).__name__}: {error}")

    def note(self, text: str) -> None:
        """Tell whoever listened when the server was made."""
        self._tell(Noted(text=text))

    @property
    def url(self) -> str:
        """Where the folder is served, with a slash at the end."""
        return f"http://{LOOPBACK}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = f"wheel-workbench/{__version__}"
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = "text/plain; charset=utf-8"

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        asked = unquote(urlsplit(self.path).path)
        if asked == "/":  # where a person looks first
            self._head(HTTPStatus.FOUND, {"Location": f"/{INDEX}", "Content-Length": "0"})
            return
        try:
            path = self._find(asked)
        except OSError:  # no file has a name so long
            path = None
        if path is None and self.server.elsewhere and (project := _PROJECT.fullmatch(asked)):
            there = f"{self.server.elsewhere.rstrip('/')}/{project[1]}/"
            self._head(HTTPStatus.FOUND, {"Location": there, "Content-Length": "0"})
            return
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        if path.is_dir():
            # relative links on the page would lead astray without the slash
            self._head(HTTPStatus.MOVED_PERMANENTLY, {"Location": quote(asked) + "/", "Content-Length": "0"})
            return
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            etag = f'"{facts.st_ino:x}-{facts.st_mtime_ns:x}-{facts.st_size:x}"'
            headers = {"ETag": etag, "Cache-Control": "no-cache"}
            known = self.headers.get("If-None-Match", "").replace("W/", "").split(",")
            if etag in (one.strip() for one in known):
                self._head(HTTPStatus.NOT_MODIFIED, headers)
                return
            known_type = PAGES.get(path.suffix, headers_of(path.name).content_type)
            kind = JSON if path.name == "index.json" else known_type
            self._head(HTTPStatus.OK, {**headers, "Content-Type": kind, "Content-Length": str(facts.st_size)})
            if body:
                shutil.copyfileobj(file, self.wfile)

    def _find(self, asked: str) -> Path | None:
        """Return the file to answer with; a folder if asked for without its slash; None if not there."""
        if "\0" in asked:
            return None
        relative = posixpath.normpath(asked).lstrip("/")
        top = relative.partition("/")[0]
        path = (self.server.root / relative).resolve()
        # files/ may be a link to another disk; what lies in it must not lead out of it
        if top == TRUST.rstrip("/") and relative not in (KEYS, ROOT):
            return None  # a private key that somebody put there
        if top not in _PUBLISHED or not path.is_relative_to((self.server.root / top).resolve()):
            return None
        if asked.endswith("/"):
            return next((path / name for name in _INDEX_DOCUMENTS if (path / name).is_file()), None)
        return path if path.exists() else None

    def _head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Tell of each request in a line."""
        if not self.server.quiet:
            self.server.note(f"{self.log_date_time_string()} {format % args}")


@contextmanager
def served(root: Path) -> Iterator[str]:
    """Serve a store's folder on a free port of loopback while the block runs, and yield the URL of ``simple/``."""
    with Server(root, quiet=True) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))  # how soon it sees that it ends
        thread.start()
        try:
            yield f"{server.url}index/simple/"
        finally:
            server.shutdown()
            thread.join()
