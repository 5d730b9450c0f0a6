"""What a shared library says of itself, read as its bytes stream by: never a whole library in memory.

The parser asks for ranges of the file (the header, the program headers, ``.dynamic``, the strings that it
names), and the reader gives it each as it passes, or out of the first MiB, which is kept while there is
something left to ask. Linkers put ``.dynstr`` near the front, and ``patchelf`` puts it near ``.dynamic``, so
one pass does. Where the strings lie neither in that window nor ahead, the reader asks for the member again.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

WINDOW = 1 << 20
"""Bytes kept of a file's beginning."""

_MAX_STRING = 16 << 10
_MAX_STRINGS = 1 << 10
_MAX_TABLE = 1 << 20
"""Limits of what is captured, in bytes and counts. Real libraries stay a hundred times below them."""

MACHINES = {
    3: "i386",
    21: "ppc64",
    22: "s390",
    40: "arm",
    62: "x86_64",
    183: "aarch64",
    243: "riscv",
    258: "loongarch",
}
"""The processors that Python runs on, by ``e_machine``."""

_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 10, 14, 15, 29
_NAMES = (_DT_NEEDED, _DT_SONAME, _DT_RPATH, _DT_RUNPATH)

_Ranges = tuple[tuple[int, int], ...]


class BadElf(ValueError):
    """The file begins as an ELF file and does not go on as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elf:
    """An ELF file of a wheel.

    `path` is the member. `machine` is a name of MACHINES, or ``EM_<number>`` for what no Python runs on (a
    GPU's code, BPF). `rpath` and `runpath` are the entries of DT_RPATH and DT_RUNPATH.
    """

    path: str
    machine: str
    bits: int
    big_endian: bool = False
    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()

    @property
    def for_host(self) -> bool:
        """Whether it is code for the processor that Python runs on, and not for a device."""
        return self.machine in MACHINES.values()


class _Capture:
    """One range of the file, filled as its bytes come by in order."""

    __slots__ = ("data", "end", "start")

    def __init__(self, start: int, size: int) -> None:
        self.start, self.end = start, start + size
        self.data = bytearray()

    @property
    def complete(self) -> bool:
        return self.start + len(self.data) == self.end

    def offer(self, offset: int, chunk: bytes | bytearray | memoryview) -> None:
        at = self.start + len(self.data)
        if offset <= at < min(self.end, offset + len(chunk)):
            self.data += chunk[at - offset : self.end - offset]


class ElfReader:
    """An observer of one member. Feed it the member from its beginning; see `again` at the end."""

    def __init__(self, path: str, size: int) -> None:
        self._parser = _parse(path, size)
        self._pending = [_Capture(*each) for each in next(self._parser)]
        self._window = bytearray()
        self._position = 0
        self._done = False
        self._error: str | None = None
        self._elf: Elf | None = None
        self.feed(b"")  # an empty member has nothing else to come

    @property
    def again(self) -> bool:
        """Whether what it needs has gone by: call `rewind` and feed it the whole member once more."""
        return not self._done

    def rewind(self) -> None:
        """Make ready for the member's beginning."""
        self._position = 0

    def feed(self, chunk: bytes | memoryview) -> None:
        """Look at the next bytes of the member. They are copied where they are kept."""
        if self._done:
            return
        offset = self._position
        self._position += len(chunk)
        self._offer(offset, chunk)
        while all(capture.complete for capture in self._pending):
            self._advance()
            if self._done:
                return
            self._offer(0, self._window)
            self._offer(offset, chunk)
        if offset == len(self._window) < WINDOW:
            self._window += chunk[: WINDOW - offset]

    def finish(self) -> Elf | None:
        """Return what was read; None for what is no ELF file. Raises BadElf."""
        if self._error is not None:
            raise BadElf(self._error)
        if not self._done:
            raise BadElf("it ends within its own headers")
        return self._elf

    def _offer(self, offset: int, chunk: bytes | bytearray | memoryview) -> None:
        for capture in self._pending:
            capture.offer(offset, chunk)

    def _advance(self) -> None:
        try:
            asked = self._parser.send(tuple(bytes(capture.data) for capture in self._pending))
        except StopIteration as stop:
            self._elf = stop.value
        except (struct.error, BadElf) as error:
            self._error = str(error)
        else:
            self._pending = [_Capture(*each) for each in asked]
            return
        self._done = True
        self._window.clear()


def _parse(path: str, size: int) -> Generator[_Ranges, tuple[bytes, ...], Elf | None]:
    """Yield ranges (offset, bytes) of the file, be sent their content, return what they say."""

    def within(start: int, length: int) -> tuple[int, int]:
        if length > _MAX_TABLE or start + length > size:
            raise BadElf("its headers point outside the file, or are too large to be true")
        return start, length

    (magic,) = yield ((0, min(size, 4)),)
    if magic != b"\x7fELF":
        return None
    (ident,) = yield (within(0, 20),)
    if ident[4] not in _LAYOUTS or ident[5] not in _ORDERS:
        raise BadElf("its class or byte order is none that there is")
    layout, order = _LAYOUTS[ident[4]], _ORDERS[ident[5]]
    (number,) = struct.unpack_from(f"{order}H", ident, 18)
    (header,) = yield (within(0, layout.header),)
    (start,) = struct.unpack_from(f"{order}{layout.word}", header, layout.programs_offset)
    each, count = struct.unpack_from(f"{order}2H", header, layout.programs_count)
    (programs,) = yield (within(start, each * count),)
    segments = [_Segment(*layout.segment(order, programs, at * each)) for at in range(count)]
    elf = Elf(
        path=path,
        machine=MACHINES.get(number, f"EM_{number}"),
        bits=layout.bits,
        big_endian=order == ">",
    )
    dynamic = next((segment for segment in segments if segment.kind == _PT_DYNAMIC), None)
    if dynamic is None:
        return elf
    (table,) = yield (within(dynamic.offset, dynamic.size),)
    pairs = list(takewhile(lambda pair: pair[0], struct.iter_unpack(f"{order}2{layout.word}", table)))
    values = dict(pairs)
    named = [(tag, value) for tag, value in pairs if tag in _NAMES]
    if not named:
        return elf
    if _DT_STRTAB not in values or _DT_STRSZ not in values or len(named) > _MAX_STRINGS:
        raise BadElf("its dynamic section has no string table, or more names than can be true")
    base, end = _file_offset(segments, values[_DT_STRTAB]), values[_DT_STRSZ]
    if any(value >= end for _, value in named):
        raise BadElf("a name in its dynamic section lies outside the string table")
    texts = yield tuple(within(base + value, min(_MAX_STRING, end - value)) for _, value in named)
    strings = [(tag, _string(text)) for (tag, _), text in zip(named, texts, strict=True)]
    found = {tag: [text for each_tag, text in strings if each_tag == tag] for tag in _NAMES}
    return replace(
        elf,
        soname=next(iter(found[_DT_SONAME]), None),
        needed=tuple(found[_DT_NEEDED]),
        rpath=_entries(found[_DT_RPATH]),
        runpath=_entries(found[_DT_RUNPATH]),
    )


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where 32-bit and 64-bit files have what this reader wants."""

    bits: int
    header: int
    word: str
    programs_offset: int
    programs_count: int
    program: str

    def segment(self, order: str, table: bytes, at: int) -> tuple[int, ...]:
        return struct.unpack_from(order + self.program, table, at)


_LAYOUTS = {
    1: _Layout(bits=32, header=52, word="I", programs_offset=28, programs_count=42, program="3I4xI"),
    2: _Layout(bits=64, header=64, word="Q", programs_offset=32, programs_count=54, program="I4x2Q8xQ"),
}
_ORDERS = {1: "<", 2: ">"}


def _file_offset(segments: list[_Segment], address: int) -> int:
    for segment in segments:
        if segment.kind == _PT_LOAD and segment.address <= address < segment.address + segment.size:
            return segment.offset + address - segment.address
    raise BadElf("its string table lies in no segment")


def _string(data: bytes) -> str:
    text, end, _ = data.partition(b"\0")
    if not end:
        raise BadElf("a name in its dynamic section does not end")
    return text.decode(errors="backslashreplace")


def _entries(paths: list[str]) -> tuple[str, ...]:
    # an empty list, which patchelf leaves behind, is no entry; an empty entry is the working directory
    return tuple(entry for path in paths if path for entry in path.split(":"))
