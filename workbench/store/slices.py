"""Parts of files: a local one's as the body of a request, a remote one's as they are asked for."""

from __future__ import annotations

import base64
import io
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.store.protocol import CHUNK, nobody

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from s3transfer.utils import ReadFileChunk

    from workbench.store.protocol import Progress


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


def slice_of(path: Path, start: int, length: int, moved: Progress = nobody) -> ReadFileChunk:
    """Open a range of a local file; `moved` is told of the bytes that are read, and takes back what a retry rewinds."""
    from s3transfer.utils import ReadFileChunk

    told = lambda bytes_transferred: moved(bytes_transferred)  # noqa: E731, PLW0108 - called by that name
    return ReadFileChunk.from_filename(path, start, length, [told])


def crc32_of(path: Path, start: int, length: int) -> str:
    """Return the CRC-32 of a part of a file, as S3 writes it (base64)."""
    crc = 0
    with slice_of(path, start, length) as part:
        while chunk := part.read(CHUNK):
            crc = zlib.crc32(chunk, crc)
    return base64.b64encode(crc.to_bytes(4, "big")).decode()
