"""Shared libraries with GPU code in them, linked by the real linker around containers made here."""

from __future__ import annotations

import struct
import subprocess
from typing import TYPE_CHECKING

from workbench.wheel.fatbin import FatbinReader, GpuCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

A, F, ZSTD = 0x100000, 0x200000, 0x8000
PTX, ELF, LTO = 1, 2, 8
MAGIC = 0xBA55ED50


def entry(kind: int, number: int, flags: int = 0, payload: bytes = b"\x7fELF") -> bytes:
    padded = payload + bytes(-len(payload) % 8)
    header = struct.pack(
        "<HHIQIIHHIIIQQQ", kind, 0x101, 72, len(padded), 0, 0, 0, 0, number, 64, 0, flags, 0, 0
    )
    return header + bytes(8) + padded


def container(*entries: bytes, version: int = 1) -> bytes:
    body = b"".join(entries)
    return struct.pack("<IHHQ", MAGIC, version, 16, len(body)) + body


def library(path: Path, sections: dict[str, bytes], *options: str, code: str = "") -> Path:
    """Link a shared library that has these sections."""
    lines = [code]
    for number, (name, content) in enumerate(sections.items()):
        blob = path.with_suffix(f".{number}.bin")
        blob.write_bytes(content)
        lines.append(f'__asm__(".section {name},\\"a\\"\\n.balign 8\\n.incbin \\"{blob}\\"\\n.previous");')
    source = path.with_suffix(".c")
    source.write_text("\n".join(lines) + "\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", path, source, *options], check=True)
    return path


def read(data: bytes, *, chunk: int = 1 << 16) -> GpuCode | None:
    """Stream a file by, as often as its reader asks for it."""
    reader = FatbinReader("lib.so", len(data))
    for piece in pieces(data, chunk):
        reader.feed(piece)
    while reader.again:
        reader.rewind()
        for piece in pieces(data, chunk):
            reader.feed(piece)
    return reader.finish()


def pieces(data: bytes, chunk: int) -> Iterator[bytes]:
    for at in range(0, len(data), chunk):
        yield data[at : at + chunk]
