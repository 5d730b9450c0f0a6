"""The readers of a library: what it says of itself, its sections, its C++ ABI."""

from __future__ import annotations

import random
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.wheel.abi import AbiReader
from workbench.wheel.elf_reader import ElfReader
from workbench.wheel.sections import parse_sections
from workbench.wheel.stream import BadBinary, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_PASSES = 20
STEPS = (64, 512, 4096, 65536)


def seeds() -> Iterator[bytes]:
    """Return a library made by hand, in both word sizes, and what any Linux has as a file."""
    for bits in (32, 64):
        yield library(bits)
    yield Path(sys.executable).resolve().read_bytes()[:4096]


def library(bits: int) -> bytes:
    """Return a small ELF file with a dynamic section: a needed library, an RPATH, a symbol version, sections."""
    word, header = ("I", 52) if bits == 32 else ("Q", 64)
    texts = b"\0libc.so.6\0$ORIGIN/libs\0GLIBC_2.17\0_ZNKSs4dataEv\0"
    needed, rpath, version = 1, 11, 24
    size = 32 if bits == 32 else 56
    at = header + 2 * size
    strings, at = at, at + len(texts) + -len(texts) % 8
    needs, at = at, at + 32
    pairs = [(1, needed), (15, rpath), (5, strings), (10, len(texts)), (0x6FFFFFFE, needs), (0, 0)]
    dynamic = b"".join(struct.pack(f"<2{word}", *pair) for pair in pairs)
    start, at = at, at + len(dynamic)
    versions = struct.pack("<2H3I", 1, 1, needed, 16, 0) + struct.pack("<I2H2I", 0, 0, 2, version, 0)
    if bits == 32:
        segments = struct.pack("<8I", 1, 0, 0, 0, at, at, 5, 0) + struct.pack(
            "<8I", 2, start, start, start, len(dynamic), len(dynamic), 6, 0
        )
    else:
        segments = struct.pack("<2I6Q", 1, 5, 0, 0, 0, at, at, 0) + struct.pack(
            "<2I6Q", 2, 6, start, start, start, len(dynamic), len(dynamic), 0
        )
    names = b"\0.nv_fatbin\0.shstrtab\0"
    names += bytes(-len(names) % 8)
    sections = [(0, 0, 0, 0), (1, 1, strings, 8), (12, 3, at, len(names))]
    table = b"".join(
        struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, o, n, 0, 0, 0, 0) for name, kind, o, n in sections
    )
    ident = b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(9)
    head = ident + struct.pack(
        f"<2HI3{word}I6H", 3, 62, 1, 0, header, at + len(names), 0, header, size, 2, 64, 3, 2
    )
    body = head + segments + texts + bytes(-len(texts) % 8) + versions + dynamic
    return body + names + table


def one(data: bytes) -> None:
    """Feed a file to each reader, in pieces, as often as it asks."""
    step = random.Random(len(data)).choice(STEPS)
    size = len(data)
    for reader in (ElfReader("x.so", size), Reader(parse_sections(size)), AbiReader(size)):
        for _ in range(MOST_PASSES):
            for at in range(0, size, step):
                reader.feed(memoryview(data)[at : at + step])
            if not reader.again:
                break
            reader.rewind()
        else:
            raise RuntimeError("it asks again without end")
        try:
            reader.finish()
        except BadBinary:
            continue
