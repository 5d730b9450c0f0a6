"""The reader of GPU code in a library."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

from workbench.wheel.fatbin import FatbinReader
from workbench.wheel.stream import BadBinary

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_PASSES = 20
STEPS = (8, 64, 512, 4096, 65536)


def seeds() -> Iterator[bytes]:
    """Return libraries with GPU code where CUDA puts it, elsewhere, nested, and cut short."""
    one = container(entry(2, 121), entry(1, 120), entry(8, 90))
    yield library({".nv_fatbin": one})
    yield library({".nv_fatbin": one + bytes(16) + one, "__nv_relfatbin": one, ".kernels": one})
    yield library({".nv_fatbin": container(entry(2, 90, container(entry(2, 80))))})
    yield library({".nv_fatbin": one})[:-200]
    yield library({})


def entry(kind: int, number: int, payload: bytes = b"\x7fELF") -> bytes:
    """Return an entry of a container."""
    padded = payload + bytes(-len(payload) % 8)
    return struct.pack("<HHIQ12xI8xQ16x", kind, 0x101, 64, len(padded), number, 0) + padded


def container(*entries: bytes) -> bytes:
    """Return a container of these entries."""
    body = b"".join(entries)
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


def library(sections: dict[str, bytes]) -> bytes:
    """Return an ELF file that has nothing but these sections."""
    names, rows, body = b"\0", [(0, 0, 0, 0)], bytearray(64)
    for name, content in {**sections, ".shstrtab": b""}.items():
        rows.append((len(names), 3, len(body), len(content)))
        names += name.encode() + b"\0"
        body += content + bytes(-len(content) % 8)
    rows[-1] = (rows[-1][0], 3, len(body), len(names))
    body += names + bytes(-len(names) % 8)
    body[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<Q", body, 40, len(body))
    struct.pack_into("<3H", body, 58, 64, len(rows), len(rows) - 1)
    for row in rows:
        body += struct.pack("<II16xQQ24x", *row)
    return bytes(body)


def one(data: bytes) -> None:
    """Feed a file to the reader, in pieces, as often as it asks."""
    step = random.Random(len(data)).choice(STEPS)
    reader = FatbinReader("x.so", len(data))
    for _ in range(MOST_PASSES):
        for at in range(0, len(data), step):
            reader.feed(memoryview(data)[at : at + step])
        if not reader.again:
            break
        reader.rewind()
    else:
        raise RuntimeError("it asks again without end")
    try:
        reader.finish()
    except BadBinary:
        return
