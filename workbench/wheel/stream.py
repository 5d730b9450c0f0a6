"""Parsers of files that are only seen as they stream by.

A parser is a generator: it yields the ranges of the file that it wants, is sent their bytes, and returns what
they say. The reader serves it from the stream. A range that has gone by comes out of the file's beginning,
which is kept while there is something left to ask; where it does not lie there, the file must be fed again.
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")

Ranges = tuple[tuple[int, int], ...]
"""Ranges of a file: offset and size in bytes."""

WINDOW = 1 << 20
"""Bytes kept of a file's beginning."""


_MOST_PASSES = 5
"""How often a file is read for one parser. Real ones need two."""


class BadBinary(ValueError):
    """The file is not what its beginning promises. The message says why."""


class Effort:
    """What the libraries of one wheel may cost: so many headers and names for all, and more for large files.

    Limits of each table do not bound the work for ten thousand small files that each exhaust them.
    """

    def __init__(self) -> None:
        self._left = 1 << 18
        self._names = 64 << 20

    def names(self, size: int) -> bool:
        """Say whether `size` more bytes of symbols' names may be searched: those of the largest libraries may."""
        self._names -= size
        return self._names >= 0

    def earn(self, size: int) -> None:
        """Add what a file of `size` bytes is worth."""
        self._left += size >> 9

    def spend(self, count: int) -> None:
        """Take away what is about to be read. Raises BadBinary where nothing is left."""
        self._left -= count
        if self._left < 0:
            raise BadBinary(
                "its headers and names, and those of the libraries before it, are too many to be true"
            )


class Observer(Protocol):
    """Sees the bytes of one file go by. What it makes of them is its own affair."""

    @property
    def again(self) -> bool:
        """Whether it must see the whole file once more."""

    def rewind(self) -> None:
        """Make ready for the file's beginning."""

    def feed(self, chunk: bytes | memoryview) -> None:
        """Look at the next bytes. Their memory may be reused: copy what is kept."""

    def finish(self) -> object:
        """Return what was seen. Raises BadBinary."""


class _Capture:
    """One range of the file, filled as its bytes come by in order."""

    __slots__ = ("data", "end", "start")

    def __init__(self, start: int, size: int) -> None:
        self.start, self.end = start, start + size
        self.data = bytearray()

    @property
    def complete(self) -> bool:
        return self.start + len(self.data) == self.end

    def offer(self, offset: int, chunk: bytes | bytearray | memoryview) -> None:
        at = self.start + len(self.data)
        if offset <= at < min(self.end, offset + len(chunk)):
            self.data += chunk[at - offset : self.end - offset]


class Reader(Generic[T]):
    """Runs a parser over a file that is fed from its beginning on. See `again` at its end."""

    def __init__(self, parser: Generator[Ranges, tuple[bytes, ...], T]) -> None:
        self._parser = parser
        self._pending: list[_Capture] = []
        self._window = bytearray()
        self._position = 0
        self._done = False
        self._passes = 1
        self._fault: str | None = None
        self._result: T | None = None
        self._send(None)
        self.feed(b"")  # an empty file has nothing else to come

    @property
    def again(self) -> bool:
        """Whether what it needs has gone by: call `rewind` and feed it the whole file once more."""
        return not self._done

    def rewind(self) -> None:
        """Make ready for the file's beginning."""
        self._position = 0
        self._passes += 1
        if self._passes > _MOST_PASSES:
            self._fault, self._done = "its headers lie so that it would have to be read without end", True

    def feed(self, chunk: bytes | memoryview) -> None:
        """Look at the next bytes of the file. They are copied where they are kept."""
        if self._done:
            return
        offset = self._position
        self._position += len(chunk)
        while True:
            for capture in self._pending:
                capture.offer(0, self._window)
                capture.offer(offset, chunk)
            if not all(capture.complete for capture in self._pending):
                break
            self._send(tuple(bytes(capture.data) for capture in self._pending))
            if self._done:
                return
        kept = len(self._window)
        if offset == kept < WINDOW:
            self._window += chunk[: WINDOW - kept]

    def finish(self) -> T:
        """Return what the parser did. Raises BadBinary for what the file lacks, or has wrong."""
        if self._fault is not None:
            raise BadBinary(self._fault)
        if not self._done:
            raise BadBinary("it ends within its own headers")
        return self._result  # type: ignore[return-value]  # a parser that is done without a fault has returned

    def _send(self, found: tuple[bytes, ...] | None) -> None:
        """Hand the parser what it asked for, and take what it asks for next."""
        try:
            asked = self._parser.send(found)  # type: ignore[arg-type]  # None starts a generator
        except StopIteration as stop:
            self._result = stop.value
        except (struct.error, BadBinary) as error:
            self._fault = str(error)
        else:
            self._pending = [_Capture(*each) for each in asked]
            return
        self._done = True
        self._window.clear()
