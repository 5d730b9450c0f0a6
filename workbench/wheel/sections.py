"""The section table of an ELF file (System V gABI), for those who look for a section by its name."""

from __future__ import annotations

import struct
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.wheel.stream import BadBinary

if TYPE_CHECKING:
    from workbench.wheel.stream import Ranges

ELF_64_LITTLE = b"\x7fELF\x02\x01"
"""How the files begin that can hold GPU code: CUDA's hosts are x86-64 and aarch64."""

_HEADER = 64
_SECTION = struct.Struct("<IIQQQQIIQQ")
_NOBITS = 8
_FULL_16 = 0xFFFF
_BEFORE = 1 << 20
"""Linkers write the names of sections just before the table of them, patchelf a little farther off."""
_MAX_TABLE = 2 << 20
_MAX_NAME = 64
"""Bytes of a name that are looked at: those that anybody looks for are shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section that has bytes in the file: its name, its offset and its size there."""

    name: str
    offset: int
    size: int

    @property
    def end(self) -> int:
        """The offset of the first byte after it."""
        return self.offset + self.size


def parse_sections(size: int) -> Generator[Ranges, tuple[bytes, ...], tuple[Section, ...]]:
    """Parse the section table of a file of `size` bytes: a parser for `workbench.wheel.stream.Reader`.

    What is not a 64-bit little-endian ELF file has no sections, nor has a file without a table.
    Raises BadBinary.
    """

    def within(start: int, length: int) -> tuple[int, int]:
        if length > _MAX_TABLE or start + length > size:
            raise BadBinary("its section table points outside the file, or is too large to be true")
        return start, length

    (header,) = yield ((0, min(size, _HEADER)),)
    if not header.startswith(ELF_64_LITTLE):
        return ()
    (at,) = struct.unpack_from("<Q", header, 40)
    each, count, names = struct.unpack_from("<3H", header, 58)
    if not at:
        return ()
    if each != _SECTION.size:
        raise BadBinary(f"its section headers have {each} bytes, and not {_SECTION.size}")
    if count == 0 or names == _FULL_16:  # too many for the header: the first section has the numbers
        (first,) = yield (within(at, each),)
        _, _, _, _, _, more, link, *_ = _SECTION.unpack(first)
        count, names = count or more, link if names == _FULL_16 else names
    start, length = within(at, count * each)
    before = min(at, _BEFORE)
    (around,) = yield ((start - before, before + length),)
    rows = list(_SECTION.iter_unpack(around[before:]))
    if names >= len(rows):
        raise BadBinary("its section table does not say where the names are")
    names_at, names_size = within(rows[names][4], rows[names][5])
    if start - before <= names_at and names_at + names_size <= start:
        texts = around[names_at - start + before :][:names_size]
    else:
        (texts,) = yield ((names_at, names_size),)
    return tuple(
        Section(name=_name(texts, row[0]), offset=row[4], size=row[5])
        for row in rows
        if row[1] != _NOBITS and row[4] + row[5] <= size
    )


def _name(texts: bytes, at: int) -> str:
    return texts[at : at + _MAX_NAME].partition(b"\0")[0].decode(errors="backslashreplace")
