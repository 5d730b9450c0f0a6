"""Servers on loopback that serve while a block runs, and ports for those that are programs of their own."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import socketserver
    from collections.abc import Iterator

Server = TypeVar("Server", bound="socketserver.BaseServer")


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Let a server serve in a thread while the block runs; it is closed at the end."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def held_port() -> Iterator[int]:
    """Yield a port of loopback that no other program is given while the block runs, and that refuses connections.

    A server that is told to reuse addresses, as nearly all are, may listen there.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
