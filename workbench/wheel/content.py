"""What a member of a zip file holds: found in the file, inflated, and shown to whoever looks at it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from isal import isal_zlib

from workbench.wheel.zipformat import DEFLATED, ENCRYPTED, STORED, BadZip, read_local_header

if TYPE_CHECKING:
    from typing import IO

    from workbench.wheel.stream import Observer
    from workbench.wheel.zipformat import Entry

    Chunk = bytes | memoryview

deflate: Any = isal_zlib
"""zlib's interface: inflating takes half of zlib's time, deflating a twentieth."""

_FIRST = 4 << 10
"""Bytes that are read of a member to see whether it is a library."""
_READ = 64 << 10
_INFLATED = 256 << 10
"""Chunks that stay in a processor's second-level cache between inflating and hashing."""


class WrongSize(BadZip):
    """A member has more bytes, or fewer, than the archive says."""


def expect_readable(entry: Entry) -> None:
    """Raise BadZip for a member that installers do not read."""
    if entry.flags & ENCRYPTED:
        raise BadZip("it is encrypted, and no installer can read it")
    if entry.method not in (STORED, DEFLATED):
        raise BadZip(f"compression method {entry.method}; installers read 0 (stored) and 8 (deflated)")


def data_offset(file: IO[bytes], entry: Entry) -> int:
    """Return where in the file a member's data begins: its local header says so. Raises BadZip."""
    expect_readable(entry)
    file.seek(entry.offset)
    read_local_header(file.read)
    return file.tell()


def content(file: IO[bytes], entry: Entry) -> Iterator[Chunk]:
    """Yield a member's content in chunks, without checking its crc32. Raises BadZip."""
    yield from inflated(entry, _pieces(file, data_offset(file, entry), entry.compressed))


def _pieces(file: IO[bytes], at: int, size: int) -> Iterator[bytes]:
    count = _FIRST
    while size > 0:
        file.seek(at)  # between two pieces others may have moved the file
        piece = file.read(min(size, count))
        if not piece:
            return
        yield piece
        at, size, count = at + len(piece), size - len(piece), _READ


def inflated(entry: Entry, pieces: Iterable[Chunk]) -> Iterator[Chunk]:
    """Yield a member's content in chunks, up to its size, out of its data. Raises BadZip, at the latest at the end."""
    size = 0
    for chunk in pieces if entry.method == STORED else _decoded(pieces):
        yield chunk[: entry.size - size]
        size += len(chunk)
        if size > entry.size:
            raise WrongSize(f"it holds more bytes, and the archive says {entry.size}")
    if size != entry.size:
        raise WrongSize(f"it holds {size} bytes, and the archive says {entry.size}")


def _decoded(pieces: Iterable[Chunk]) -> Iterator[bytes]:
    decoder = deflate.decompressobj(-zlib.MAX_WBITS)
    hidden = 0
    try:
        for piece in pieces:
            if decoder.eof:
                hidden += len(piece)
                continue
            yield (chunk := decoder.decompress(piece, _INFLATED))
            while not decoder.eof and (decoder.unconsumed_tail or len(chunk) == _INFLATED):
                yield (chunk := decoder.decompress(decoder.unconsumed_tail, _INFLATED))
    except deflate.error as error:
        raise BadZip(f"its data cannot be inflated: {error}") from error
    if not decoder.eof:
        raise BadZip("its compressed data ends early")
    hidden += len(decoder.unused_data)
    if hidden:
        raise BadZip(f"{hidden} bytes are hidden behind its compressed data")


def show(entry: Entry, chunks: Iterable[Chunk], looks: Sequence[Callable[[Chunk], object]]) -> str:
    """Hand a member's content to whoever looks at it, and say what is wrong with its crc32."""
    crc = 0
    for chunk in chunks:
        crc = deflate.crc32(chunk, crc)
        for look in looks:
            look(chunk)
    return "" if crc == entry.crc else f"its bytes have crc32 {crc:08x}, and the archive says {entry.crc:08x}"


def show_again(file: IO[bytes], entry: Entry, observers: Iterable[Observer]) -> None:
    """Show a member to those who must see all of it once more, as often as they must."""
    while again := [each for each in observers if each.again]:
        for each in again:
            each.rewind()
        show(entry, content(file, entry), [each.feed for each in again])
