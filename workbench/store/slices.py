"""Parts of files: a local one's as the body of a request, a remote one's as they are asked for."""

from __future__ import annotations

import io
import os
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from _typeshed import WriteableBuffer

CHUNK = 1 << 20


class Slice:
    """A range of a file, in bytes, as a binary file of its own that can be read and rewound.

    It is read as it is sent, so no part is ever in memory as a whole.
    `moved` is told of the bytes as they are read, and of none twice when a retry rewinds.
    """

    def __init__(self, path: Path, start: int, length: int, moved: Callable[[int], None]) -> None:
        self._file = path.open("rb", buffering=0)
        self._start = start
        self._length = length
        self._at = self._furthest = 0
        self._moved = moved

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._length

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes, all that are left for a negative one."""
        left = self._length - self._at
        count = left if size < 0 else min(size, left)
        data = os.pread(self._file.fileno(), count, self._start + self._at)
        self._at += len(data)
        if self._at > self._furthest:
            self._moved(self._at - self._furthest)
            self._furthest = self._at
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to an offset within the slice."""
        self._at = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._length}[whence] + offset
        return self._at

    def tell(self) -> int:
        """Return the offset within the slice."""
        return self._at


class Ranges(io.RawIOBase):
    """A remote file of `size` bytes; `fetch` returns its bytes from a start up to, not including, an end."""

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to an offset; nothing is fetched for that."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read on."""
        view = memoryview(buffer)
        end = min(self._at + len(view), self._size)
        piece = self._fetch(self._at, end) if self._at < end else b""
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def crc32_of(path: Path, start: int, length: int) -> int:
    """Return the CRC-32 of a part of a file."""
    crc = 0
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while length > 0 and (chunk := file.read(min(CHUNK, length))):
            crc = zlib.crc32(chunk, crc)
            length -= len(chunk)
    return crc
