"""The structures of a zip file (APPNOTE.TXT 6.3), read and written: end records, central directory, local headers.

Parsed here and not by ``zipfile``, because what a wheel must not have is what ``zipfile`` overlooks: bytes
that no structure accounts for, and local headers that tell another story than the central directory.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.wheel.stream import BadBinary

if TYPE_CHECKING:
    from typing import IO

STORED, DEFLATED = 0, 8
ENCRYPTED = 0x0001 | 0x0040
"""The flags of encryption, classic and strong."""
DESCRIBED_AFTER = 0x0008
"""The flag of a data descriptor: crc and sizes follow the data, the local header has none."""
_UTF8 = 0x0800
_DEFLATE_OPTIONS = 0x0006
"""How hard it was deflated: no reader looks."""
_KNOWN_FLAGS = ENCRYPTED | DESCRIBED_AFTER | _UTF8 | _DEFLATE_OPTIONS
_VERSIONS = (10, 20, 45)
"""The versions of the format that plain members need, folders and deflated ones, and 64-bit sizes."""

LOCAL_HEADER = struct.Struct("<4s5H3I2H")
LONGEST_DESCRIPTOR = 24
_CENTRAL_HEADER = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END_LOCATOR_64 = struct.Struct("<4sIQI")
_END_64 = struct.Struct("<4sQ2H2I4Q")

_ZIP64_EXTRA = 1
_HARMLESS_EXTRA = (0x5455, 0x5855, 0x7855, 0x7875, 0x000A, 0xCAFE, 0xD935)
"""Times and owners of files, Java's mark, and Android's padding."""
_HOSTS = (0, 3, 19)
"""Who made the attributes: DOS, Unix, macOS (Info-ZIP's number for it)."""
_FULL_16, FULL_32 = 0xFFFF, 0xFFFF_FFFF
_MAX_COMMENT = 0xFFFF
_DOS_FOLDER = 0x10
_DOS_ATTRIBUTES = _DOS_FOLDER | 0x20
"""Those of a folder, and of a file that no backup has seen."""
_MAX_DIRECTORY = 32 << 20
"""Bytes of a central directory; one of 100,000 members has 10 MB."""
_MAX_MEMBERS = 1 << 17
"""The largest wheels of the package index have a fifth of it."""
_MAX_PATH, _MAX_PART = 4096, 255
"""Bytes of a path and of each of its parts: Linux opens no longer ones, so nobody can install them."""
_MAX_EXTRA = 32
"""Extra fields of one header. Sound ones have up to three."""

_UNIX = 3
_VERSION, _VERSION_64 = 20, 45


class BadZip(BadBinary):
    """The file cannot be read as a zip file. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A member as the central directory describes it, or the local header before its data.

    `compressed` and `size` are bytes before and after inflation, `time` and `date` are as MS-DOS has them. `version` is
    what it needs of a reader, `wide` says that a 64-bit field has one of its numbers. `oddities` are what readers
    stumble over or disagree on. Only the directory has `offset`, where the local header begins, and `mode`, Unix's
    ``st_mode``, 0 where the archive was made elsewhere.
    """

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    time: int
    date: int
    version: int
    wide: bool
    oddities: tuple[str, ...]
    offset: int = 0
    mode: int = 0

    @property
    def is_folder(self) -> bool:
        """Whether the entry stands for a folder."""
        return self.name.endswith("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """The central directory: its entries in the order of their offsets, and where it lies in the file.

    `oddities` are what is wrong with it but does not hinder reading.
    """

    entries: tuple[Entry, ...]
    offset: int
    oddities: tuple[str, ...]


def read_directory(file: IO[bytes]) -> Directory:
    """Read the central directory of a zip file. Raises BadZip."""
    length = file.seek(0, os.SEEK_END)
    after, fields, oddities = _find_end(file, length)
    wide = _read_end_64(file, after, oddities)
    if wide is not None:
        after, *fields_64 = wide
        if any(one not in (other, _FULL_16, FULL_32) for one, other in zip(fields, fields_64, strict=True)):
            raise BadZip("its end record and its 64-bit end record disagree")
        fields = tuple(fields_64)
    elif _FULL_16 in fields[:4] or FULL_32 in fields[4:]:
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
    if count > _MAX_MEMBERS or count * LOCAL_HEADER.size > offset or count * _CENTRAL_HEADER.size > size:
        raise BadZip(f"its end record counts {count} members, which are too many for its size")
    file.seek(offset)
    entries = _parse_entries(file.read(size), count)
    if len(entries) != count:
        raise BadZip(f"its end record counts {count} members, its central directory lists {len(entries)}")
    entries.sort(key=lambda entry: entry.offset)
    return Directory(entries=tuple(entries), offset=offset, oddities=tuple(oddities))


def read_local_header(take: Callable[[int], bytes | None]) -> Entry:
    """Return the local header that `take` hands out, by counts of bytes. Raises BadZip.

    Its crc and sizes may be 0 where a data descriptor follows the data.
    """
    head = take(LOCAL_HEADER.size) or b""
    if len(head) < LOCAL_HEADER.size:
        raise BadZip("the file ends where the central directory says it begins")
    signature, *fields, name_length, extra_length = LOCAL_HEADER.unpack(head)
    if signature != b"PK\3\4":
        raise BadZip("no local header where the central directory says one is")
    rest = take(name_length + extra_length) or b""
    return _entry(fields, rest[:name_length], rest[name_length:])


def disagreements(entry: Entry, local: Entry) -> Iterator[str]:
    """Say where a local header disagrees with the central directory: readers differ in whom they trust."""
    if local.raw_name != entry.raw_name:
        yield f"its local header names it {local.raw_name.decode(errors='backslashreplace')!r}"
    pairs = {
        "how it is stored": (local.method, entry.method),
        "its flags": (local.flags, entry.flags),
        "its time": ((local.date, local.time), (entry.date, entry.time)),
        # an offset beyond 4 GiB takes a newer reader, and only the central directory has it
        "the version it needs": (local.version, local.version if entry.wide else entry.version),
    }
    for what, (here, there) in pairs.items():
        if here != there:
            yield f"its local header disagrees with the central directory on {what}"
    after = bool(local.flags & DESCRIBED_AFTER)
    here, there = (local.crc, local.compressed, local.size), (entry.crc, entry.compressed, entry.size)
    if here != there and not (after and here == (0, 0, 0)):
        yield "its local header disagrees with the central directory on its crc or its sizes"
    yield from local.oddities


def is_descriptor(data: bytes, entry: Entry, *, wide: bool) -> bool:
    """Say whether a data descriptor says the same of a member as its entry does.

    It may begin with a signature. Its sizes have 64 bits where the local header is `wide`: readers go by that.
    """
    there = struct.pack("<I2Q" if wide else "<3I", entry.crc, entry.compressed, entry.size)
    return data in (there, b"PK\7\x08" + there)


def _find_end(file: IO[bytes], length: int) -> tuple[int, tuple[int, ...], list[str]]:
    """Find the end record: the last one whose comment ends with the file, else the last one.

    Returns where it is, its disks, counts, size and offset, and what readers stumble over.
    """
    start = max(0, length - _END.size - _MAX_COMMENT)
    file.seek(start)
    tail = file.read()
    fallback = None
    at = tail.rfind(b"PK\5\6")
    while at >= 0:
        if at + _END.size <= len(tail):
            _, *fields, comment = _END.unpack_from(tail, at)
            rest = len(tail) - at - _END.size - comment
            if rest == 0:
                ambiguous = b"PK\5\6" in tail[at + 4 :]
                odd = ["its comment holds a second end record"] if ambiguous else []
                return start + at, tuple(fields), odd
            if rest > 0 and fallback is None:
                fallback = start + at, tuple(fields), [f"{rest} bytes after its end"]
        at = tail.rfind(b"PK\5\6", 0, at)
    if fallback is None:
        raise BadZip("no end record: it is cut short, or not a zip file")
    return fallback


def _read_end_64(file: IO[bytes], end: int, oddities: list[str]) -> tuple[int, ...] | None:
    """Return where the 64-bit end record lies, and its disk, first disk, counts, size and offset.

    None where no locator of one stands before the end record. What readers stumble over is added to `oddities`.
    """
    at = end - _END_LOCATOR_64.size
    if at < _END_64.size:
        return None
    file.seek(at)
    signature, disk, offset, disks = _END_LOCATOR_64.unpack(file.read(_END_LOCATOR_64.size))
    if signature != b"PK\6\7":
        return None
    if offset + _END_64.size != at:
        raise BadZip("its 64-bit end record is not where its locator says")
    file.seek(offset)
    signature, size, _, version, *fields = _END_64.unpack(file.read(_END_64.size))
    if signature != b"PK\6\6":
        raise BadZip("its 64-bit end record is not where its locator says")
    if (disk, disks, size) != (0, 1, _END_64.size - 12) or version not in _VERSIONS:
        oddities.append("its 64-bit end record, or the locator of it, has numbers that readers refuse")
    return (offset, *fields)


def _parse_entries(data: bytes, count: int) -> list[Entry]:
    entries: list[Entry] = []
    at = 0
    while at < len(data):
        if at + _CENTRAL_HEADER.size > len(data):
            raise BadZip("its central directory is cut short")
        if len(entries) == count:
            raise BadZip(f"its end record counts {count} members, its central directory lists more")
        (
            signature, made_by, *fields, name_length, extra_length, comment_length, disk, _, attributes, offset,
        ) = _CENTRAL_HEADER.unpack_from(data, at)  # fmt: skip
        if signature != b"PK\1\2":
            raise BadZip("its central directory is damaged, or not where its end record says")
        at += _CENTRAL_HEADER.size
        raw_name = data[at : at + name_length]
        if name_length > _MAX_PATH or (
            name_length > _MAX_PART and max(map(len, raw_name.split(b"/"))) > _MAX_PART
        ):
            start = raw_name[:40].decode(errors="backslashreplace")
            raise BadZip(f"the name of a member is longer than a path can be: {start}…")
        extra = data[at + name_length : at + name_length + extra_length]
        at += name_length + extra_length + comment_length
        odd = ["it is said to lie on another disk"] if disk else []
        odd += _oddities(made_by >> 8, attributes, fields[0], fields[1], raw_name)
        mode = attributes >> 16 if made_by >> 8 == _UNIX else 0
        entries.append(_entry(fields, raw_name, extra, odd, offset=offset, mode=mode))
    if at != len(data):
        raise BadZip("its central directory is cut short")
    return entries


def _entry(
    fields: Sequence[int],
    raw_name: bytes,
    extra: bytes,
    odd: Sequence[str] = (),
    *,
    offset: int = 0,
    mode: int = 0,
) -> Entry:
    """Return what a header says: in its fields from the version to the size, its name and its extra fields."""
    version, flags, method, time, date, crc, compressed, size = fields
    (size, compressed, offset), wide, more = _widen(extra, size, compressed, offset)
    return Entry(
        name=raw_name.decode("utf-8" if flags & _UTF8 else "cp437", errors="backslashreplace"),
        raw_name=raw_name,
        flags=flags,
        method=method,
        crc=crc,
        compressed=compressed,
        size=size,
        time=time,
        date=date,
        version=version,
        wide=wide,
        oddities=(*more, *odd),
        offset=offset,
        mode=mode,
    )


def _oddities(host: int, attributes: int, version: int, flags: int, raw_name: bytes) -> Iterator[str]:
    """Say what readers of a member's entry stumble over or take in ways of their own."""
    if host not in _HOSTS:
        yield f"its attributes are those of system {host}, which readers take in ways of their own"
    if attributes & 0xFFFF & ~_DOS_ATTRIBUTES:
        yield f"it has MS-DOS attributes that no wheel needs: {attributes & 0xFFFF:#06x}"
    if attributes & _DOS_FOLDER and not raw_name.endswith(b"/"):
        yield "its attributes are those of a folder, and its name is a file's"
    if version not in _VERSIONS:
        yield f"it needs version {version / 10:.1f} of the zip format; installers read up to 4.5"
    if flags & ~_KNOWN_FLAGS:
        yield f"it has flag bits that installers refuse or do not know: {flags & ~_KNOWN_FLAGS:#06x}"
    if not flags & _UTF8 and not raw_name.isascii():
        yield "its name is neither ASCII nor marked as UTF-8: readers spell it in ways of their own"


def _widen(extra: bytes, *values: int) -> tuple[list[int], bool, tuple[str, ...]]:
    """Return `values` with those that are full (0xFFFFFFFF) read from the zip64 extra field, and whether there is one.

    Then what is odd about the extra fields. Raises BadZip.
    """
    full = [at for at, value in enumerate(values) if value == FULL_32]
    found, wide = list(values), False
    odd: tuple[str, ...] = ()
    at = fields = 0
    while at + 4 <= len(extra) and fields < _MAX_EXTRA:
        fields += 1
        kind, length = struct.unpack_from("<2H", extra, at)
        content = extra[at + 4 : at + 4 + length]
        at += 4 + length
        if kind == _ZIP64_EXTRA and not wide and len(content) == 8 * len(full):
            wide = True
            for each, (value,) in zip(full, struct.iter_unpack("<Q", content), strict=True):
                found[each] = value
        elif kind not in _HARMLESS_EXTRA:
            odd = (f"an extra field {kind:#06x} that readers take in their own ways",)
    if at != len(extra):
        odd = ("its extra fields are damaged, or too many",)
    if full and not wide:
        raise BadZip("a size is said to be in a zip64 field that is not there")
    return found, wide, odd


def pack_local_header(entry: Entry, *, wide: bool) -> bytes:
    """Return what stands before a member's data; `wide` says whether its sizes have 64 bits there."""
    name, flags = _name(entry)
    extra = struct.pack("<2H2Q", _ZIP64_EXTRA, 16, entry.size, entry.compressed) if wide else b""
    sizes = (FULL_32, FULL_32) if wide else (entry.compressed, entry.size)
    header = LOCAL_HEADER.pack(
        *(b"PK\3\4", _VERSION_64 if wide else _VERSION, flags, entry.method, entry.time, entry.date),
        *(entry.crc, *sizes, len(name), len(extra)),
    )
    return header + name + extra


def pack_directory(entries: Sequence[Entry], offset: int) -> Iterator[bytes]:
    """Yield the central directory of a file, which begins at `offset`, and its end records."""
    size = 0
    for entry in entries:
        yield (header := _central_header(entry))
        size += len(header)
    count = len(entries)
    if count >= _FULL_16 or max(offset, size) >= FULL_32:
        versions = _VERSION_64, _VERSION_64
        yield _END_64.pack(b"PK\6\6", _END_64.size - 12, *versions, 0, 0, count, count, size, offset)
        yield _END_LOCATOR_64.pack(b"PK\6\7", 0, offset + size, 1)
    counts = [min(count, _FULL_16)] * 2
    yield _END.pack(b"PK\5\6", 0, 0, *counts, min(size, FULL_32), min(offset, FULL_32), 0)


def _central_header(entry: Entry) -> bytes:
    name, flags = _name(entry)
    full = [value for value in (entry.size, entry.compressed, entry.offset) if value >= FULL_32]
    extra = struct.pack(f"<2H{len(full)}Q", _ZIP64_EXTRA, 8 * len(full), *full) if full else b""
    version = _VERSION_64 if full else _VERSION
    header = _CENTRAL_HEADER.pack(
        *(b"PK\1\2", _UNIX << 8 | version, version, flags, entry.method, entry.time, entry.date, entry.crc),
        *(min(entry.compressed, FULL_32), min(entry.size, FULL_32), len(name), len(extra)),
        *(0, 0, 0, entry.mode << 16, min(entry.offset, FULL_32)),
    )
    return header + name + extra


def _name(entry: Entry) -> tuple[bytes, int]:
    return entry.name.encode(), 0 if entry.name.isascii() else _UTF8
