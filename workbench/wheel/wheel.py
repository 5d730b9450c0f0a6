"""The libraries of a wheel, each read as it is inflated. The wheel may be any file that can be read and sought."""

from __future__ import annotations

import re
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.wheel.abi import AbiReader, CxxAbi
from workbench.wheel.deflate import deflate
from workbench.wheel.elf import Elf, ElfReader
from workbench.wheel.fatbin import FatbinReader, GpuCode
from workbench.wheel.stream import BadBinary, Effort

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

    from workbench.wheel.stream import Observer

_READ = 64 << 10
_INFLATED = 256 << 10
_LOCAL_HEADER = 30
_ELF = b"\x7fELF"
_MAYBE_BINARY = re.compile(r"(?:.*/)?(?:[^/]*\.so(?:\.[^/]*)?|[^/.]+)")
"""Shared libraries, and names without a suffix, as programs have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """An ELF file of a wheel and what is in it; `size` and `compressed` are bytes, outside and in the archive.

    `faults` say what could not be read.
    """

    path: str
    size: int
    compressed: int
    elf: Elf | None
    gpu_code: GpuCode | None = None
    cxx_abi: CxxAbi | None = None
    faults: tuple[str, ...] = ()


def read_libraries(archive: zipfile.ZipFile, file: IO[bytes], *, whole: bool = True) -> Iterator[Library]:
    """Yield the ELF files of an open wheel, in its order. `file` is the one that `archive` was opened on.

    With `whole` unset only what the linker sees is read, not the GPU code and the C++ ABI.
    Raises OSError, and BadBinary where the archive itself is damaged.
    """
    effort = Effort()
    for member in sorted(archive.infolist(), key=lambda member: member.header_offset):
        if _MAYBE_BINARY.fullmatch(member.filename):
            library = _read(file, member, effort, whole=whole)
            if library is not None:
                yield library


def data_offset(file: IO[bytes], member: zipfile.ZipInfo) -> int:
    """Return where in the file a member's data begins: its local header says so. Raises BadBinary."""
    # zipfile counts from the directory, so that bytes missing before it put members in front of the file
    file.seek(max(0, member.header_offset))
    header = file.read(_LOCAL_HEADER) if member.header_offset >= 0 else b""
    if len(header) < _LOCAL_HEADER or not header.startswith(b"PK\3\4"):
        raise BadBinary(f"{member.filename}: no member where the archive says it begins")
    return file.tell() + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")


def content(file: IO[bytes], member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield a member's content in chunks, without checking its crc32.

    Raises BadBinary for what cannot be inflated.
    """
    file.seek(data_offset(file, member))
    pieces = _pieces(file, member.compress_size)
    if member.compress_type == zipfile.ZIP_STORED:
        yield from pieces
        return
    if member.compress_type != zipfile.ZIP_DEFLATED:
        raise BadBinary(f"{member.filename}: compression method {member.compress_type}")
    decoder = deflate.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in pieces:
            yield (chunk := decoder.decompress(piece, _INFLATED))
            while not decoder.eof and (decoder.unconsumed_tail or len(chunk) == _INFLATED):
                yield (chunk := decoder.decompress(decoder.unconsumed_tail, _INFLATED))
    except deflate.error as error:
        raise BadBinary(f"{member.filename}: its data cannot be inflated: {error}") from error


def _pieces(file: IO[bytes], size: int) -> Iterator[bytes]:
    while size > 0 and (piece := file.read(min(size, _READ))):
        size -= len(piece)
        yield piece


def _read(file: IO[bytes], member: zipfile.ZipInfo, effort: Effort, *, whole: bool) -> Library | None:
    path, size = member.filename, member.file_size
    elf = ElfReader(path, size, effort)
    fatbin, abi = FatbinReader(path, size, effort), AbiReader(size)
    observers: Sequence[Observer] = (elf, fatbin, abi) if whole else (elf,)
    complete, fault = _show(file, member, observers)
    while complete and (again := [observer for observer in observers if observer.again]):
        for observer in again:
            observer.rewind()
        _show(file, member, again)
    faults = [fault] if fault else []
    found, code, cxx_abi = None, None, None
    try:
        found = elf.finish()
        if found is None:
            return None
        code, cxx_abi = (fatbin.finish(), abi.finish()) if whole else (None, None)
    except BadBinary as error:
        faults.append(str(error))
    return Library(
        path=path,
        size=size,
        compressed=member.compress_size,
        elf=found,
        gpu_code=code,
        cxx_abi=cxx_abi,
        faults=tuple(faults),
    )


def _show(file: IO[bytes], member: zipfile.ZipInfo, observers: Sequence[Observer]) -> tuple[bool, str]:
    """Feed a member to its observers; say whether all of it was there, and what is wrong with it.

    What does not begin as an ELF file is not inflated to its end, and nothing is said of it.
    """
    stream = content(file, member)
    head = b""
    while len(head) < len(_ELF) and (chunk := next(stream, b"")):
        head += chunk
    shown, crc = len(head), deflate.crc32(head)
    for observer in observers:
        observer.feed(head)
    if not head.startswith(_ELF):
        return shown == member.file_size, ""
    for chunk in stream:
        shown += len(chunk)
        crc = deflate.crc32(chunk, crc)
        for observer in observers:
            observer.feed(chunk)
    fault = ""
    if shown != member.file_size:
        fault = f"damaged: it has {shown} bytes, and the archive says {member.file_size}"
    elif crc != member.CRC:
        fault = f"damaged: its bytes have crc32 {crc:08x}, and the archive says {member.CRC:08x}"
    return not fault, fault
