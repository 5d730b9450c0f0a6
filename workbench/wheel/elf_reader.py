"""Shared libraries, read as their bytes stream by: never a whole library in memory.

The parsers ask for the header, the program headers, ``.dynamic`` and what that names. Linkers put the strings near
the front, and ``patchelf`` puts them near ``.dynamic``, so one pass does for nearly every library.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from workbench.wheel.elf import HEAD, MAGIC, Elf, machine_of
from workbench.wheel.stream import BadBinary, Effort, Reader

if TYPE_CHECKING:
    from workbench.wheel.stream import Ranges

_USUAL_STRING = 4 << 10
_MAX_STRING = 1 << 20
"""Bytes of a name, and of one that does not end within them: Bazel writes RUNPATHs of 100 KiB and more."""
_MAX_STRINGS = 1 << 10
_MAX_LONG = 4
_MAX_SEGMENTS = 1 << 10
_UNIT = 64
"""Bytes of names that cost as much as a header."""
_MAX_TABLE = 1 << 20
"""Limits of what is captured, in bytes and counts. Real libraries stay a hundred times below them."""
_MAX_VERSIONS = 64 << 10
"""Bytes of the table of needed versions: its size is written nowhere that outlives ``strip``."""

_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 10, 14, 15, 29
_DT_VERNEED = 0x6FFFFFFE
_NAMES = (_DT_NEEDED, _DT_SONAME, _DT_RPATH, _DT_RUNPATH)


class ElfReader(Reader[Elf | None]):
    """An observer of one member. Feed it the member from its beginning; see `again` at the end.

    `finish` returns None for what is not an ELF file, and raises BadBinary.
    """

    def __init__(self, path: str, size: int, effort: Effort | None = None) -> None:
        super().__init__(_parse(path, size, effort or Effort()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dynamic:
    """The dynamic section of an ELF file: tags with their values, in order, and where the file has its strings.

    `strings` is an offset and a size in the file, None where there is no string table.
    """

    machine: str
    bits: int
    order: str
    pairs: tuple[tuple[int, int], ...]
    strings: tuple[int, int] | None
    versions: int | None


def parse_dynamic(size: int) -> Generator[Ranges, tuple[bytes, ...], Dynamic | None]:
    """Parse a file of `size` bytes up to its dynamic section; None for what is not an ELF file. Raises BadBinary."""
    (magic,) = yield ((0, min(size, 4)),)
    if magic != MAGIC:
        return None
    (ident,) = yield (_within(size, 0, HEAD),)
    if ident[4] not in _LAYOUTS or ident[5] not in _ORDERS:
        raise BadBinary("its class or its byte order is unknown")
    layout, order = _LAYOUTS[ident[4]], _ORDERS[ident[5]]
    (header,) = yield (_within(size, 0, layout.header),)
    (start,) = struct.unpack_from(f"{order}{layout.word}", header, layout.programs_offset)
    each, count = struct.unpack_from(f"{order}2H", header, layout.programs_count)
    if count > _MAX_SEGMENTS or (count and each < struct.calcsize(order + layout.program)):
        raise BadBinary("its program headers are too many, or too small, to be true")
    (programs,) = yield (_within(size, start, each * count),)
    rows = (struct.unpack_from(order + layout.program, programs, at * each) for at in range(count))
    segments = [_Segment(*row) for row in rows]
    section = next((segment for segment in segments if segment.kind == _PT_DYNAMIC), None)
    pairs: tuple[tuple[int, int], ...] = ()
    if section is not None:
        (table,) = yield (_within(size, section.offset, section.size),)
        pairs = tuple(takewhile(lambda pair: pair[0], struct.iter_unpack(f"{order}2{layout.word}", table)))
    values = dict(pairs)
    strings = versions = None
    if _DT_STRTAB in values and _DT_STRSZ in values:
        strings = _file_offset(segments, values[_DT_STRTAB]), values[_DT_STRSZ]
    if _DT_VERNEED in values:
        versions = _file_offset(segments, values[_DT_VERNEED])
    return Dynamic(
        machine=machine_of(ident) or "",
        bits=layout.bits,
        order=order,
        pairs=pairs,
        strings=strings,
        versions=versions,
    )


def _parse(path: str, size: int, effort: Effort) -> Generator[Ranges, tuple[bytes, ...], Elf | None]:
    dynamic = yield from parse_dynamic(size)
    if dynamic is None:
        return None
    effort.earn(size)
    effort.spend(len(dynamic.pairs))
    names = [at for tag, at in dynamic.pairs if tag in _NAMES]
    at = dynamic.versions
    table = () if at is None else (_within(size, at, max(0, min(_MAX_VERSIONS, size - at))),)
    texts = yield (*_ranges(size, dynamic, names), *table)
    needs = _version_names(dynamic.order, b"".join(texts[len(names) :]))
    wanted = [at for each in needs for at in each]
    texts = (*texts[: len(names)], *(yield _ranges(size, dynamic, wanted)))
    spelled = yield from _strings(size, dynamic, dict(zip((*names, *wanted), texts, strict=True)))
    effort.spend(sum(1 + len(spelled[at]) // _UNIT for at in (*names, *wanted)))
    found = {tag: [spelled[at] for each, at in dynamic.pairs if each == tag] for tag in _NAMES}
    return Elf(
        path=path,
        machine=dynamic.machine,
        bits=dynamic.bits,
        big_endian=dynamic.order == ">",
        soname=next(iter(found[_DT_SONAME]), None),
        needed=tuple(found[_DT_NEEDED]),
        rpath=_entries(found[_DT_RPATH]),
        runpath=_entries(found[_DT_RUNPATH]),
        versions={spelled[library]: tuple(spelled[at] for at in rest) for library, *rest in needs},
    )


def _within(size: int, start: int, length: int) -> tuple[int, int]:
    if length > _MAX_TABLE or start + length > size:
        raise BadBinary("its headers point outside the file, or are too large to be true")
    return start, length


def _strings(
    size: int, dynamic: Dynamic, texts: dict[int, bytes]
) -> Generator[Ranges, tuple[bytes, ...], dict[int, str]]:
    """Return names as text, by where they lie; what of them has not ended in `texts` is asked for again."""
    long = [at for at, text in texts.items() if b"\0" not in text]
    if len(long) > _MAX_LONG:
        raise BadBinary("more names in its dynamic section than can be true do not end")
    again = yield _ranges(size, dynamic, long, _MAX_STRING)
    whole = texts | dict(zip(long, again, strict=True))
    return {at: _string(text) for at, text in whole.items()}


def _ranges(size: int, dynamic: Dynamic, names: Sequence[int], longest: int = _USUAL_STRING) -> Ranges:
    """Return where in the file names lie that are given by where they lie in the string table."""
    if not names:
        return ()
    if dynamic.strings is None or len(names) > _MAX_STRINGS:
        raise BadBinary("its dynamic section has no string table, or more names than can be true")
    base, end = dynamic.strings
    if max(names) >= end:
        raise BadBinary("a name in its dynamic section lies outside the string table")
    return tuple(_within(size, base + name, min(longest, end - name)) for name in names)


def _version_names(order: str, table: bytes) -> list[list[int]]:
    """Return where the string table has what a table of needed versions names (LSB, "Symbol Versioning").

    Each library stands before the versions that are needed of it.
    """
    names: list[list[int]] = []
    at, following, total = 0, len(table), 0
    while following:
        _, count, library, first, following = struct.unpack_from(f"{order}2H3I", table, at)
        total += 1 + count
        if total > _MAX_STRINGS:
            raise BadBinary("it needs more symbol versions than can be true")
        names.append([library])
        each = at + first
        for _ in range(count):
            _, _, _, name, step = struct.unpack_from(f"{order}I2H2I", table, each)
            names[-1].append(name)
            each += step
        at += following
    return names


class _Segment(NamedTuple):
    kind: int
    offset: int
    address: int
    size: int


class _Layout(NamedTuple):
    """Where 32-bit and 64-bit files have what this reader wants."""

    bits: int
    header: int
    word: str
    programs_offset: int
    programs_count: int
    program: str


_LAYOUTS = {
    1: _Layout(bits=32, header=52, word="I", programs_offset=28, programs_count=42, program="3I4xI"),
    2: _Layout(bits=64, header=64, word="Q", programs_offset=32, programs_count=54, program="I4x2Q8xQ"),
}
_ORDERS = {1: "<", 2: ">"}


def _file_offset(segments: list[_Segment], address: int) -> int:
    for segment in segments:
        if segment.kind == _PT_LOAD and segment.address <= address < segment.address + segment.size:
            return segment.offset + address - segment.address
    raise BadBinary("a table of its dynamic section lies in no segment")


def _string(data: bytes) -> str:
    text, end, _ = data.partition(b"\0")
    if not end:
        raise BadBinary("a name in its dynamic section does not end")
    return text.decode(errors="backslashreplace")


def _entries(paths: list[str]) -> tuple[str, ...]:
    # an empty list, which patchelf leaves behind, is not an entry; an empty entry is the working directory
    return tuple(entry for path in paths if path for entry in path.split(":"))
