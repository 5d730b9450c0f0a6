"""A proxy on loopback that stands before an S3 server and lets chosen requests go wrong."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from types import TracebackType

Action = Literal["500", "503", "403", "507", "silence", "reset", "lost", "truncated"]

CODES = {"500": "InternalError", "503": "SlowDown", "403": "AccessDenied", "507": "InsufficientStorage"}


@dataclass
class Fault:
    """What happens to the next `times` requests of a method whose path has a part in it.

    A number is answered instead of the server's answer; ``silence`` is not an answer at all; ``reset`` ends the
    connection before the server hears of the request and ``lost`` after it has done it; ``truncated`` ends it
    in the middle of the answer's body.
    """

    action: Action
    method: str = "GET"
    path: str = ""
    times: int = 1_000_000
    happened: int = field(default=0, init=False)


class Proxy:
    """The proxy, running for as long as the context lasts. `faults` may be changed while it does."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.faults: list[Fault] = []
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.proxy = self  # type: ignore[attr-defined] # the handler finds it there
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def fault_for(self, method: str, path: str) -> Action | None:
        with self.lock:
            for fault in self.faults:
                if fault.method == method and fault.path in path and fault.happened < fault.times:
                    fault.happened += 1
                    return fault.action
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one(self) -> None:
        proxy: Proxy = self.server.proxy  # type: ignore[attr-defined] # see Proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        action = proxy.fault_for(self.command, unquote(self.path))
        if action == "silence":
            proxy.ended.wait()
        elif action == "reset":
            self.reset()
        elif action in CODES:
            self.answer(int(action), {}, f"<Error><Code>{CODES[action]}</Code></Error>".encode())
        else:
            status, headers, content = self.forward(proxy.upstream, body)
            if action == "lost":
                self.reset()
            else:
                self.answer(status, headers, content, cut=action == "truncated")

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_one  # noqa: N815 - http.server's names

    def forward(self, upstream: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        # the Host header is part of the signature, so it goes on as it came
        headers = {
            key: value for key, value in self.headers.items() if key.lower() not in ("expect", "connection")
        }
        connection = http.client.HTTPConnection(upstream, timeout=60)
        try:
            connection.request(self.command, self.path, body=body or None, headers=headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def answer(self, status: int, headers: dict[str, str], content: bytes, *, cut: bool = False) -> None:
        self.send_response_only(status)
        for key, value in headers.items():
            if key.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(key, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        if status != 204:  # No Content
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.reset()

    def reset(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            return  # the connection was reset on purpose

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""
