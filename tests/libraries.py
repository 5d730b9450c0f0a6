"""Shared libraries and extension modules by the real compiler, some with GPU code in containers made here."""

from __future__ import annotations

import struct
import subprocess
import sysconfig
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.wheel.fatbin import FatbinReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from workbench.wheel.gpu_code import GpuCode

A, F, ZSTD = 0x100000, 0x200000, 0x8000
PTX, ELF, LTO = 1, 2, 8
MAGIC = 0xBA55ED50

EXTENSION = """
#include <Python.h>
{declarations}
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "_c", 0, -1, 0}};
PyMODINIT_FUNC PyInit__c(void) {{ {calls} return PyModule_Create(&module); }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dummy:
    """A shared library made for a test: its soname, and one function to call."""

    soname: str
    folder: Path

    @property
    def function(self) -> str:
        return "call_" + "".join(c if c.isalnum() else "_" for c in self.soname)


def compile_c(into: Path, code: str, *options: str | Path) -> Path:
    source = into.with_suffix(".c")
    source.write_text(code)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", into, source, *options], check=True)
    return into


def dummy(folder: Path, soname: str) -> Dummy:
    """Make a library of this soname in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Dummy(soname=soname, folder=folder)
    compile_c(folder / soname, f"void {made.function}(void) {{}}\n", f"-Wl,-soname,{soname}")
    return made


def extension(into: Path, needs: Sequence[Dummy] = (), *options: str) -> bytes:
    """Compile an extension module that calls these libraries."""
    code = EXTENSION.format(
        declarations="\n".join(f"void {each.function}(void);" for each in needs),
        calls=" ".join(f"{each.function}();" for each in needs),
    )
    libraries = [each.folder / each.soname for each in needs]
    include = f"-I{sysconfig.get_path('include')}"
    return compile_c(into / "ext.so", code, include, *libraries, *options).read_bytes()


def entry(
    kind: int, number: int, flags: int = 0, payload: bytes = b"\x7fELF", *, isa: tuple[int, int] = (0, 0)
) -> bytes:
    padded = payload + bytes(-len(payload) % 8)
    header = struct.pack(
        "<HHIQIIHHIIIQQQ", kind, 0x101, 72, len(padded), 0, 0, isa[1], isa[0], number, 64, 0, flags, 0, 0
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
    return compile_c(path, "\n".join(lines) + "\n", *options)


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
