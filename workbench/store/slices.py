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


class Slice(Ranges):
    """A range of a local file, in bytes. `moved` is told of those that are read, of none twice when a retry rewinds."""

    def __init__(self, path: Path, start: int, length: int, moved: Progress = nobody) -> None:
        super().__init__(self._pread, length)
        self._file = path.open("rb", buffering=0)
        self._start = start
        self._furthest = 0
        self._moved = moved

    def _pread(self, start: int, end: int) -> bytes:
        data = os.pread(self._file.fileno(), end - start, self._start + start)
        if (at := start + len(data)) > self._furthest:
            self._moved(at - self._furthest)
            self._furthest = at
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def crc32_of(path: Path, start: int, length: int) -> str:
    """Return the CRC-32 of a part of a file, as S3 writes it (base64)."""
    crc = 0
    with Slice(path, start, length) as part:
        while chunk := part.read(CHUNK):
            crc = zlib.crc32(chunk, crc)
    return base64.b64encode(crc.to_bytes(4, "big")).decode()
