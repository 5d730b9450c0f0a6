"""Write a wheel from another one: what did not change is copied as it lies there, compressed.

Deflating is nearly all of what repairing a large wheel takes, and nearly nothing of one changes.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from workbench.wheel import record
from workbench.wheel.deflate import compressor, deflate
from workbench.wheel.stream import BadBinary
from workbench.wheel.wheel import content, data_offset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from io import FileIO
    from pathlib import Path

_CHUNK = 1 << 20
_SMALL = 4 << 10
"""Bytes of a member that are not worth deflating."""
_SIGNATURES = (".dist-info/RECORD.jws", ".dist-info/RECORD.p7s")


def assemble(
    target: Path,
    *,
    base: Path,
    made: Path,
    changed: Mapping[str, Path | bytes],
    renamed: Callable[[str], str] = str,
) -> None:
    """Write the wheel `target` with the members of the wheel `made`, those of `changed` in place of its own.

    `renamed` gives each member its new name; `changed` goes by the old ones.

    A member that RECORD shows to be the same in the wheel `base` is copied from there as it is, unless it lies there
    uncompressed (a container's auditwheel leaves them so): it is deflated. RECORD comes last, with the rows of what
    changed made anew; signatures of the old one, and folders that only `made` has, are left out. `base` and `made`
    may be one.

    Raises OSError, BadBinary, BadRecord and zipfile.BadZipFile.
    """
    with _Source(base) as old, _Source(made) as new, target.open("wb", buffering=0) as file:
        writer = _Writer(file)
        order = {name: at for at, name in enumerate(old.members)}
        rows = {row.path: row for row in new.rows}
        payload = {name for name in new.members if name != new.record and not name.endswith(_SIGNATURES)}
        for name in sorted(payload, key=lambda name: (order.get(name, len(order)), name)):
            member = new.members[name]
            if name in changed:
                rows[name] = writer.add(member, _Fresh.of(changed[name]), renamed(name))
            elif (
                name in order and old.is_compressed(name) and (base == made or old.row(name) == new.row(name))
            ):
                writer.copy(old.file, old.members[name], renamed(name))
            elif not member.is_dir():
                fresh = _Fresh(member.file_size, content(new.file, member))
                rows[name] = writer.add(member, fresh, renamed(name))
        written = (replace(row, path=renamed(path)) for path, row in rows.items())
        writer.add(new.members[new.record], _Fresh.of(record.write(written)), renamed(new.record))
        writer.close()


class _Source:
    """A wheel to copy from: its members by name, in the order of the file, and the rows of its RECORD."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb", buffering=0)
        archive = zipfile.ZipFile(self.file)
        listed = sorted(archive.infolist(), key=lambda member: member.header_offset)
        self.members = {member.filename: member for member in listed}
        records = [
            name for name in self.members if name.endswith(".dist-info/RECORD") and name.count("/") == 1
        ]
        if len(records) != 1:
            raise BadBinary(f"{path}: {len(records)} RECORD files, and a wheel has one")
        (self.record,) = records
        self.rows = record.parse(archive.read(self.record))
        self._by_path = {row.path: (row.algorithm, row.digest, row.size) for row in self.rows}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def is_compressed(self, name: str) -> bool:
        """Say whether a member is smaller in the archive than outside, or too small to gain by that."""
        member = self.members[name]
        return member.compress_size < member.file_size or member.file_size < _SMALL

    def row(self, name: str) -> tuple[str, str, str] | None:
        """Return the hash and the size that RECORD has for a member, whatever the line."""
        return self._by_path.get(name)


@dataclass(frozen=True, slots=True)
class _Fresh:
    """New content: its size in bytes, as far as that is known, and its chunks."""

    size: int
    chunks: Iterable[bytes]

    @classmethod
    def of(cls, content: Path | bytes) -> _Fresh:
        """Return a file's content, or the bytes themselves."""
        return (
            cls(len(content), [content])
            if isinstance(content, bytes)
            else cls(content.stat().st_size, _read(content))
        )


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


@dataclass(slots=True, kw_only=True)
class _Entry:
    """A member as it is written (APPNOTE.TXT 6.3): sizes are bytes, `offset` is its local header's."""

    name: str
    method: int
    date_time: tuple[int, int, int, int, int, int]
    attributes: int
    offset: int
    crc: int = 0
    compressed: int = 0
    size: int = 0

    @classmethod
    def like(cls, member: zipfile.ZipInfo, name: str, *, method: int, offset: int) -> _Entry:
        """Return a new entry with a member's date and mode."""
        return cls(
            name=name,
            method=method,
            date_time=member.date_time,
            attributes=member.external_attr,
            offset=offset,
        )

    def local_header(self, *, wide: bool) -> bytes:
        """Return what stands before the data; `wide` says whether sizes have 64 bits there."""
        name, flags = self._name()
        extra = struct.pack("<2H2Q", _ZIP64, 16, self.size, self.compressed) if wide else b""
        sizes = (_FULL_32, _FULL_32) if wide else (self.compressed, self.size)
        return (
            _LOCAL.pack(
                *(b"PK\3\4", _VERSION_64 if wide else _VERSION, flags, self.method, *self._time()),
                *(self.crc, *sizes, len(name), len(extra)),
            )
            + name
            + extra
        )

    def central_header(self) -> bytes:
        """Return its entry of the central directory."""
        name, flags = self._name()
        full = [value for value in (self.size, self.compressed, self.offset) if value >= _FULL_32]
        extra = struct.pack(f"<2H{len(full)}Q", _ZIP64, 8 * len(full), *full) if full else b""
        version = _VERSION_64 if full else _VERSION
        return (
            _CENTRAL.pack(
                *(b"PK\1\2", _UNIX << 8 | version, version, flags, self.method, *self._time(), self.crc),
                *(min(self.compressed, _FULL_32), min(self.size, _FULL_32), len(name), len(extra)),
                *(0, 0, 0, self.attributes, min(self.offset, _FULL_32)),
            )
            + name
            + extra
        )

    def _name(self) -> tuple[bytes, int]:
        return self.name.encode(), 0 if self.name.isascii() else _UTF8

    def _time(self) -> tuple[int, int]:
        year, month, day, hour, minute, second = self.date_time
        return hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day


_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR_64 = struct.Struct("<4sIQI")
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFF_FFFF
_ZIP64, _UTF8, _UNIX = 1, 0x0800, 3
_VERSION, _VERSION_64 = 20, 45


class _Writer:
    """Writes a zip file, member by member."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._entries: list[_Entry] = []

    def copy(self, source: FileIO, member: zipfile.ZipInfo, name: str) -> None:
        """Copy a member of another zip file, compressed as it lies there."""
        entry = _Entry.like(member, name, method=member.compress_type, offset=self._file.tell())
        entry.crc, entry.compressed, entry.size = member.CRC, member.compress_size, member.file_size
        self._write(entry.local_header(wide=max(entry.compressed, entry.size) >= _FULL_32))
        at, end = (start := data_offset(source, member)), start + member.compress_size
        while at < end:
            sent = os.sendfile(self._file.fileno(), source.fileno(), at, end - at)
            if not sent:
                raise BadBinary(f"{member.filename}: the wheel ends within it")
            at += sent
        self._entries.append(entry)

    def add(self, like: zipfile.ZipInfo, fresh: _Fresh, name: str) -> record.Row:
        """Write a new member, deflated, and return its row of RECORD."""
        entry = _Entry.like(like, name, method=zipfile.ZIP_DEFLATED, offset=self._file.tell())
        # what cannot be deflated grows a little
        wide = fresh.size >= _FULL_32 - (_FULL_32 >> 8)
        self._write(entry.local_header(wide=wide))
        hashed, deflater = hashlib.sha256(), compressor()
        for chunk in fresh.chunks:
            hashed.update(chunk)
            entry.crc = deflate.crc32(chunk, entry.crc)
            entry.size += len(chunk)
            entry.compressed += self._write(deflater.compress(chunk))
        entry.compressed += self._write(deflater.flush())
        end = self._file.tell()
        self._file.seek(entry.offset)
        self._write(entry.local_header(wide=wide))
        self._file.seek(end)
        self._entries.append(entry)
        digest = record.encoded(hashed.digest())
        return record.Row(line=0, path=entry.name, algorithm="sha256", digest=digest, size=str(entry.size))

    def close(self) -> None:
        """Write the central directory and its end records."""
        offset, count = self._file.tell(), len(self._entries)
        size = sum(self._write(entry.central_header()) for entry in self._entries)
        if count >= _FULL_16 or max(offset, size) >= _FULL_32:
            at = offset + size
            versions = _VERSION_64, _VERSION_64
            self._write(
                _END_64.pack(b"PK\6\6", _END_64.size - 12, *versions, 0, 0, count, count, size, offset)
            )
            self._write(_LOCATOR_64.pack(b"PK\6\7", 0, at, 1))
        counts = [min(count, _FULL_16)] * 2
        self._write(_END.pack(b"PK\5\6", 0, 0, *counts, min(size, _FULL_32), min(offset, _FULL_32), 0))

    def _write(self, data: bytes) -> int:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        return len(data)
