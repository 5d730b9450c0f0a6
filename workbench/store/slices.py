"""Parts of files: a local one's as the body of a request, a remote one's as they are asked for."""

from __future__ import annotations

import base64
import io
import os
import zlib
from typing import TYPE_CHECKING

from workbench.store.protocol import Progress, nobody

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _typeshed import WriteableBuffer

CHUNK = 1 << 20


class Ranges(io.RawIOBase):
    """A remote file of `size` bytes; `fetch` puts those from a start on into a buffer, and says how many."""

    def __init__(self, fetch: Callable[[int, memoryview], int], size: int) -> None:
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
        view = memoryview(buffer)[: max(0, self._size - self._at)]
        count = self._fetch(self._at, view) if view else 0
        self._at += count
        return count


class Slice(Ranges):
    """A range of a local file, in bytes. `moved` is told of those that are read, of none twice when a retry rewinds."""

    def __init__(self, path: Path, start: int, length: int, moved: Progress = nobody) -> None:
        super().__init__(self._pread, length)
        self._file = path.open("rb", buffering=0)
        self._start = start
        self._furthest = 0
        self._moved = moved

    def _pread(self, start: int, buffer: memoryview) -> int:
        count = os.preadv(self._file.fileno(), [buffer], self._start + start)
        if (at := start + count) > self._furthest:
            self._moved(at - self._furthest)
            self._furthest = at
        return count

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def crc32_of(path: Path, start: int, length: int) -> str:
    """Return the CRC-32 of a part of a file, as S3 writes it (base64)."""
    crc, buffer = 0, memoryview(bytearray(CHUNK))
    with Slice(path, start, length) as part:
        while count := part.readinto(buffer):
            crc = zlib.crc32(buffer[:count], crc)
    return base64.b64encode(crc.to_bytes(4, "big")).decode()
