"""A wheel on a web server as a file that is read and sought: only what is looked at is fetched (RFC 9110, 14)."""

from __future__ import annotations

import io
import re
import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from workbench.errors import SourceError
from workbench.events import step
from workbench.http import AS_IT_LIES, NoAnswer, Web

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from workbench.http import Answer

_TAIL = 256 << 10
"""Bytes of a file's end that are fetched first: they hold the central directory of nearly any wheel."""
_SKIP = 1 << 20
"""A gap up to which reading on is cheaper than another request."""
_BUFFER = 64 << 10
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_END = struct.Struct("<4x8xII2x")
"""The end of central directory: size and offset of the directory."""
_ZIP64 = 0xFFFFFFFF


@contextmanager
def open_url(
    url: str, headers: Mapping[str, str] | None = None, *, filename: str = ""
) -> Iterator[IO[bytes]]:
    """Open the file at an http(s) URL; `headers`, a login among them, go to its server with every request.

    From a server without byte ranges it is downloaded as a whole, with a progress bar that names `filename`, which is
    the end of the URL where it is not given. Raises SourceError, also
    while it is read.
    """
    web, sent = Web(), {**AS_IT_LIES, **(headers or {})}
    with tempfile.TemporaryFile() as whole:
        try:
            with _ask_tail(web, url, sent) as answer:
                if answer.status == HTTPStatus.PARTIAL_CONTENT:
                    with io.BufferedReader(RemoteFile(web, url, answer, sent), _BUFFER) as file:
                        yield file
                else:
                    _download(answer, whole, filename or unquote(urlsplit(url).path).rpartition("/")[2])
                    yield whole
        except NoAnswer as error:
            says = "the server says " if error.status else ""
            raise SourceError(f"{url}: {says}{error}{'; try again' if error.passing else ''}") from error


def _ask_tail(web: Web, url: str, sent: Mapping[str, str]) -> Answer:
    """Ask for the end of a file: of servers that know no suffix, by its length."""
    try:
        return web.ask(url, headers={**sent, "Range": f"bytes=-{_TAIL}"})
    except NoAnswer as refused:
        if refused.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
    with web.ask(url, method="HEAD", headers=sent) as answer:
        length = answer.length
    if not length:
        return web.ask(url, headers=sent)
    return web.ask(url, headers={**sent, "Range": f"bytes={max(0, length - _TAIL)}-{length - 1}"})


class RemoteFile(io.RawIOBase):
    """A file of a server that serves byte ranges. `fetched` counts the bytes that were read of it.

    They are kept in a temporary file, for a library is read more than once now and then.
    """

    def __init__(self, web: Web, url: str, answer: Answer, sent: Mapping[str, str]) -> None:
        self._web = web
        self._url = url
        self._sent = sent
        self._etag = answer.headers.get("ETag")
        self._tail_at, last, self._length = _content_range(url, answer)
        tail = answer.body(_TAIL)
        whole = (last, len(tail)) == (self._length - 1, self._length - self._tail_at)
        if not whole or _ends_elsewhere(tail, self._tail_at):
            raise SourceError(f"{url}: the server says that it has {self._length} bytes, which is wrong")
        self._at = 0
        self._stream: Answer | None = None
        self._runs = [_Run(self._tail_at, self._tail_at)]
        self._kept = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this file
        self._keep(self._runs[0], tail)

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

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read on. Raises SourceError and NoAnswer."""
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
        run, stream = self._runs[-1], self._stream
        if stream is None or not run.end <= self._at <= run.end + _SKIP:
            run, stream = self._open_stream()
        starts = (*(other.start for other in self._runs), self._length)
        following = min(start for start in starts if start > self._at)
        while run.end <= self._at:
            piece = stream.read(min(following - run.end, self._at + count - run.end, _SKIP))
            if not piece:
                raise SourceError(f"{self._url}: the server ended before the end of the file; try again")
            self._keep(run, piece)
        return run

    def _keep(self, run: _Run, piece: bytes) -> None:
        self._kept.seek(run.end)
        self._kept.write(piece)
        run.end += len(piece)

    def _open_stream(self) -> tuple[_Run, Answer]:
        if self._stream is not None:
            self._stream.close()
        wanted = {**self._sent, "Range": f"bytes={self._at}-{self._tail_at - 1}"}
        answer = self._stream = self._web.ask(self._url, headers=wanted)
        if answer.status != HTTPStatus.PARTIAL_CONTENT or answer.headers.get("ETag") != self._etag:
            raise SourceError(f"{self._url}: it changed while it was read; try again")
        start, _, length = _content_range(self._url, answer)
        if (start, length) != (self._at, self._length):
            raise SourceError(f"{self._url}: the server sent another part than it was asked for")
        self._runs.append(_Run(start, start))
        return self._runs[-1], answer


@dataclass(slots=True)
class _Run:
    """Bytes of a file that were fetched one after the other: from `start` up to, not including, `end`."""

    start: int
    end: int


def _ends_elsewhere(tail: bytes, at: int) -> bool:
    """Say whether the archive that ends in this tail has its central directory elsewhere than the tail's place says."""
    end = tail.rfind(b"PK\5\6")
    if end < 0 or len(tail) - end < _END.size:
        return False
    size, offset = _END.unpack_from(tail, end)
    return _ZIP64 not in (size, offset) and size + offset != at + end


def _content_range(url: str, answer: Answer) -> tuple[int, int, int]:
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if match is None:
        raise SourceError(f"{url}: the server sent a part and does not say which")
    return int(match[1]), int(match[2]), int(match[3])


def _download(answer: Answer, into: IO[bytes], filename: str) -> None:
    with step(f"fetch {filename}", total=answer.length or 0) as advance:
        for chunk in answer.chunks():
            into.write(chunk)
            advance(len(chunk))
    into.seek(0)
