"""A wheel on a web server as a file that is read and sought: only what is looked at is fetched (RFC 9110, 14)."""

from __future__ import annotations

import io
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from workbench.console import progress
from workbench.errors import SourceError
from workbench.url import mask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import WriteableBuffer
    from requests import Response, Session

_TAIL = 256 << 10
"""Bytes of a file's end that are fetched first: they hold the central directory of nearly any wheel."""
_SKIP = 1 << 20
"""A gap up to which reading on is cheaper than another request."""
_BUFFER = 64 << 10
_TIMEOUT = 60
_PART = 206
_OF_THE_SERVER = 500
"""From this status on a fault is the server's own, and may pass (RFC 9110, 15.6)."""
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@contextmanager
def open_url(url: str) -> Iterator[IO[bytes]]:
    """Open the file at an http(s) URL.

    From a server without byte ranges it is downloaded as a whole, with a progress bar. Raises SourceError, also
    while it is read.
    """
    import requests

    with requests.Session() as session, tempfile.TemporaryFile() as whole:
        session.headers["Accept-Encoding"] = "identity"
        try:
            with _get(session, url, f"bytes=-{_TAIL}") as response:
                if response.status_code == _PART:
                    with io.BufferedReader(RemoteFile(session, url, response), _BUFFER) as file:
                        yield file
                else:
                    _download(response, whole, url)
                    yield whole
        except requests.RequestException as error:
            raise SourceError(f"{mask(url)}: {mask(str(error))}; try again") from error


class RemoteFile(io.RawIOBase):
    """A file of a server that serves byte ranges. `fetched` counts the bytes that were read of it.

    They are kept in a temporary file, for a library is read more than once now and then.
    """

    def __init__(self, session: Session, url: str, tail: Response) -> None:
        self._session = session
        self._url = url
        self._etag = tail.headers.get("ETag")
        self._tail_at, _, self._length = _content_range(url, tail)
        self._at = 0
        self._stream: Response | None = None
        self._runs = [_Run(self._tail_at)]
        self._kept = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this file
        self._keep(self._runs[0], tail.content)

    @property
    def fetched(self) -> int:
        """How many of its bytes came over the network."""
        return sum(run.end - run.start for run in self._runs)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset; nothing is fetched for that."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        return self._at

    def tell(self) -> int:
        """Return where reading goes on."""
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read on. Raises SourceError, and the errors of requests."""
        view = memoryview(buffer)
        here = next((run for run in self._runs if run.start <= self._at < run.end), None)
        if here is None and self._at < self._length and view:
            here = self._fetch(len(view))
        if here is None:
            return 0
        self._kept.seek(self._at)
        piece = self._kept.read(min(len(view), here.end - self._at))
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        """End the request that is under way."""
        if self._stream is not None:
            self._stream.close()
        self._kept.close()
        super().close()

    def _fetch(self, count: int) -> _Run:
        """Fetch up to `count` bytes from where reading goes on, and what little lies before."""
        run = self._runs[-1]
        if self._stream is None or not run.end <= self._at <= run.end + _SKIP:
            run = self._open_stream()
        following = min(other.start for other in (*self._runs, _Run(self._length)) if other.start > self._at)
        while run.end <= self._at:
            self._keep(run, self._take(min(following, self._at + count) - run.end))
        return run

    def _keep(self, run: _Run, piece: bytes) -> None:
        self._kept.seek(run.end)
        self._kept.write(piece)
        run.end += len(piece)

    def _take(self, count: int) -> bytes:
        assert self._stream is not None  # noqa: S101 - it was opened
        piece: bytes = self._stream.raw.read(min(count, _SKIP))
        if not piece:
            raise SourceError(f"{mask(self._url)}: the server ended before the end of the file; try again")
        return piece

    def _open_stream(self) -> _Run:
        if self._stream is not None:
            self._stream.close()
        response = self._stream = _get(self._session, self._url, f"bytes={self._at}-{self._tail_at - 1}")
        if response.status_code != _PART or response.headers.get("ETag") != self._etag:
            raise SourceError(f"{mask(self._url)}: it changed while it was read; try again")
        start, _, length = _content_range(self._url, response)
        if (start, length) != (self._at, self._length):
            raise SourceError(f"{mask(self._url)}: the server sent another part than it was asked for")
        self._runs.append(_Run(start))
        return self._runs[-1]


@dataclass(slots=True)
class _Run:
    """Bytes of a file that were fetched one after the other: from `start` up to, not including, `end`."""

    start: int
    end: int = field(init=False)

    def __post_init__(self) -> None:
        self.end = self.start


def _get(session: Session, url: str, byte_range: str) -> Response:
    response = session.get(url, headers={"Range": byte_range}, stream=True, timeout=_TIMEOUT)
    if not response.ok:
        response.close()
        again = "; try again" if response.status_code >= _OF_THE_SERVER else ""
        raise SourceError(f"{mask(url)}: the server says {response.status_code} {response.reason}{again}")
    return response


def _content_range(url: str, response: Response) -> tuple[int, int, int]:
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is None:
        raise SourceError(f"{mask(url)}: the server sent a part and does not say which")
    return int(match[1]), int(match[2]), int(match[3])


def _download(response: Response, into: IO[bytes], url: str) -> None:
    length = int(response.headers.get("Content-Length", 0))
    with progress(f"fetch {mask(url).rpartition('/')[2]}", length) as advance:
        for chunk in response.iter_content(1 << 20):
            into.write(chunk)
            advance(len(chunk))
    into.seek(0)
