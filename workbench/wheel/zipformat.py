"""The structures of a zip file (APPNOTE.TXT 6.3): the end records, the central directory, local headers.

Parsed here and not by ``zipfile``, because what a wheel must not have is what ``zipfile`` overlooks: bytes
that no structure accounts for, and local headers that tell another story than the central directory.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

STORED, DEFLATED = 0, 8
ENCRYPTED = 0x0001 | 0x0040
"""The flags of encryption, classic and strong."""
DESCRIBED_AFTER = 0x0008
"""The flag of a data descriptor: crc and sizes follow the data, the local header has none."""
UTF8 = 0x0800

LOCAL_HEADER = struct.Struct("<4s5H3I2H")
LONGEST_DESCRIPTOR = 24
_CENTRAL_HEADER = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END_LOCATOR_64 = struct.Struct("<4sIQI")
_END_64 = struct.Struct("<4sQ2H2I4Q")

_ZIP64_EXTRA = 1
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFF_FFFF
_MAX_COMMENT = 0xFFFF
_MAX_DIRECTORY = 32 << 20
"""Bytes of a central directory; one of 100,000 members has 10 MB."""

_UNIX = 3


class BadZip(ValueError):
    """The file cannot be read as a zip file. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A member as the central directory describes it.

    `compressed` and `size` are bytes before and after inflation, `offset` is where its local header begins,
    `mode` is Unix's ``st_mode``, 0 where the archive was made elsewhere.
    """

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    offset: int
    mode: int

    @property
    def is_folder(self) -> bool:
        """Whether the entry stands for a folder."""
        return self.name.endswith("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalHeader:
    """What stands before a member's data. `crc` and sizes are 0 where a data descriptor follows the data."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    compressed: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """The central directory: its entries in the order of their offsets, and where it lies in the file.

    `oddities` are what is wrong with it but does not hinder reading.
    """

    entries: tuple[Entry, ...]
    offset: int
    oddities: tuple[str, ...]


def read_directory(file: BinaryIO) -> Directory:
    """Read the central directory of a zip file. Raises BadZip."""
    length = file.seek(0, os.SEEK_END)
    end, oddities = _find_end(file, length)
    after, fields = end.offset, end.fields[:-1]
    wide = _read_end_64(file, end.offset)
    if wide is not None:
        after, *fields_64 = wide
        if any(one not in (other, _FULL_16, _FULL_32) for one, other in zip(fields, fields_64, strict=True)):
            raise BadZip("its end record and its 64-bit end record disagree")
        fields = tuple(fields_64)
    elif _FULL_16 in fields[:4] or _FULL_32 in fields[4:]:
        raise BadZip("its end record refers to a 64-bit one that is not there")
    disk, first_disk, here, count, size, offset = fields
    if disk or first_disk or here != count:
        raise BadZip("it is one part of an archive in several")
    if offset + size > after:
        raise BadZip("its central directory reaches past its end record: bytes are missing, or were added")
    if offset + size < after:
        oddities.append(f"{after - offset - size} bytes between the central directory and its end record")
    if size > _MAX_DIRECTORY:
        raise BadZip(f"its central directory has {size} bytes, too many to be true")
    file.seek(offset)
    entries = _parse_entries(file.read(size))
    if len(entries) != count:
        raise BadZip(f"its end record counts {count} members, its central directory lists {len(entries)}")
    entries.sort(key=lambda entry: entry.offset)
    return Directory(entries=tuple(entries), offset=offset, oddities=tuple(oddities))


def parse_local_header(head: bytes, name_and_extra: bytes) -> LocalHeader:
    """Return the local header in `head`, the fixed part, and in the name and extra fields that follow it.

    Raises BadZip.
    """
    signature, _, flags, method, _, _, crc, compressed, size, name_length, _ = LOCAL_HEADER.unpack(head)
    if signature != b"PK\3\4":
        raise BadZip("no local header where the central directory says one is")
    extra = name_and_extra[name_length:]
    size, compressed = _widen(extra, size, compressed)
    return LocalHeader(
        raw_name=name_and_extra[:name_length],
        flags=flags,
        method=method,
        crc=crc,
        compressed=compressed,
        size=size,
    )


def parse_descriptor(data: bytes) -> tuple[int, int, int] | None:
    """Return the crc, compressed size and size in a data descriptor, or None for what is not one.

    It may begin with a signature, and its sizes may have 32 or 64 bits: each combination has its own length.
    """
    layout = {12: "<3I", 16: "<4x3I", 20: "<I2Q", 24: "<4xI2Q"}.get(len(data))
    if layout is None or ("4x" in layout and not data.startswith(b"PK\7\x08")):
        return None
    crc, compressed, size = struct.unpack(layout, data)
    return crc, compressed, size


@dataclass(frozen=True, slots=True)
class _End:
    offset: int
    fields: tuple[int, ...]


def _find_end(file: BinaryIO, length: int) -> tuple[_End, list[str]]:
    """Find the end record: the last one whose comment ends with the file, else the last one."""
    start = max(0, length - _END.size - _MAX_COMMENT)
    file.seek(start)
    tail = file.read()
    fallback = None
    at = tail.rfind(b"PK\5\6")
    while at >= 0:
        if at + _END.size <= len(tail):
            fields = _END.unpack_from(tail, at)[1:]
            rest = len(tail) - at - _END.size - fields[-1]
            end = _End(start + at, fields)
            if rest == 0:
                ambiguous = b"PK\5\6" in tail[at + 4 :]
                return end, ["its comment holds a second end record"] if ambiguous else []
            if rest > 0 and fallback is None:
                fallback = end, [f"{rest} bytes after its end"]
        at = tail.rfind(b"PK\5\6", 0, at)
    if fallback is None:
        raise BadZip("no end record: it is cut short, or no zip file")
    return fallback


def _read_end_64(file: BinaryIO, end: int) -> tuple[int, ...] | None:
    """Return where the 64-bit end record lies, and its disk, first disk, counts, size and offset.

    None where no locator of one stands before the end record.
    """
    at = end - _END_LOCATOR_64.size
    if at < _END_64.size:
        return None
    file.seek(at)
    signature, _, offset, _ = _END_LOCATOR_64.unpack(file.read(_END_LOCATOR_64.size))
    if signature != b"PK\6\7":
        return None
    if offset + _END_64.size != at:
        raise BadZip("its 64-bit end record is not where its locator says")
    file.seek(offset)
    signature, _, _, _, *fields = _END_64.unpack(file.read(_END_64.size))
    if signature != b"PK\6\6":
        raise BadZip("its 64-bit end record is not where its locator says")
    return (offset, *fields)


def _parse_entries(data: bytes) -> list[Entry]:
    entries, at = [], 0
    while at < len(data):
        if at + _CENTRAL_HEADER.size > len(data):
            raise BadZip("its central directory is cut short")
        (
            signature, made_by, _, flags, method, _, _, crc, compressed, size,
            name_length, extra_length, comment_length, _, _, attributes, offset,
        ) = _CENTRAL_HEADER.unpack_from(data, at)  # fmt: skip
        if signature != b"PK\1\2":
            raise BadZip("its central directory is damaged, or not where its end record says")
        at += _CENTRAL_HEADER.size
        raw_name = data[at : at + name_length]
        extra = data[at + name_length : at + name_length + extra_length]
        at += name_length + extra_length + comment_length
        size, compressed, offset = _widen(extra, size, compressed, offset)
        entries.append(
            Entry(
                name=raw_name.decode("utf-8" if flags & UTF8 else "cp437", errors="backslashreplace"),
                raw_name=raw_name,
                flags=flags,
                method=method,
                crc=crc,
                compressed=compressed,
                size=size,
                offset=offset,
                mode=attributes >> 16 if made_by >> 8 == _UNIX else 0,
            )
        )
    if at != len(data):
        raise BadZip("its central directory is cut short")
    return entries


def _widen(extra: bytes, *values: int) -> list[int]:
    """Return `values` with those that are full (0xFFFFFFFF) read from the zip64 extra field."""
    if _FULL_32 not in values:
        return list(values)
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == _ZIP64_EXTRA:
            wide = struct.iter_unpack("<Q", extra[at + 4 : at + 4 + length // 8 * 8])
            full = [next(wide, (None,))[0] if value == _FULL_32 else value for value in values]
            if None in full:
                break
            return full
        at += 4 + length
    raise BadZip("a size is said to be in a zip64 field that is not there")
