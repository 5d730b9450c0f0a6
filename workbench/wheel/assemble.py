"""Write a wheel from another one: what did not change is copied as it lies there, compressed.

Deflating is nearly all of what repairing a large wheel takes, and nearly nothing of one changes.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from workbench.wheel import record
from workbench.wheel.content import data_offset, deflate
from workbench.wheel.stream import BadBinary
from workbench.wheel.wheel import open_wheel
from workbench.wheel.zipformat import DEFLATED, FULL_32, pack_directory, pack_local_header

if TYPE_CHECKING:
    from io import FileIO

    from workbench.wheel.wheel import Wheel
    from workbench.wheel.zipformat import Entry

_CHUNK = 1 << 20
_LEVEL = 3
"""isal's best, a few percent behind zlib's default in size."""
_SMALL = 4 << 10
"""Bytes of a member that are not worth deflating."""


def assemble(
    target: Path,
    *,
    base: Path,
    made: Path,
    changed: Mapping[str, Path | bytes],
    added: Mapping[str, bytes] = MappingProxyType({}),
    renamed: Callable[[str], str] = str,
    epoch: int | None = None,
) -> None:
    """Write the wheel `target` with the members of the wheel `made`, those of `changed` in place of its own.

    What is `added` comes behind them, in place of a member of that name. `renamed` gives each member its new name;
    `changed` and `added` go by the old ones.

    A member that RECORD shows to be the same in the wheel `base` is copied from there as it is, unless it lies there
    uncompressed (a container's auditwheel leaves them so): it is deflated. RECORD comes last, with the rows of what
    changed made anew; signatures of the old one, and folders that only `made` has, are left out. `base` and `made`
    may be one.

    With `epoch`, in seconds since 1970, the same content gives the same bytes, whoever packed it before: every member
    gets that time (UTC), its mode is 0644 or 0755, and members and rows of RECORD are in the order of their names.

    Raises OSError, BadBinary and BadRecord.
    """
    with open_wheel(base) as old, open_wheel(made) as new, target.open("wb", buffering=0) as file:
        writer = _Writer(file, _time_of(epoch))
        before = {row.path: row for row in record.parse(old.text("RECORD"))}
        rows = {row.path: row for row in record.parse(new.text("RECORD"))}
        own = f"{new.info}/RECORD"
        left_out = {own, *(f"{new.info}/{name}" for name in record.UNLISTED)}
        order = {name: at for at, name in enumerate(old.members if epoch is None else sorted(old.members))}
        payload = new.members.keys() - left_out - added.keys()
        for name in sorted(payload, key=lambda name: (order.get(name, len(order)), name)):
            member = new.members[name]
            if name in changed:
                rows[name] = writer.add(member, _fresh(changed[name]), renamed(name))
            elif name in order and _is_compressed(old.members[name]) and before.get(name) == rows.get(name):
                writer.copy(old, old.members[name], renamed(name))
            elif not member.is_folder:
                rows[name] = writer.add(member, (member.size, new.content(member)), renamed(name))
        for name, content in added.items():
            rows[name] = writer.add(new.members[own], _fresh(content), renamed(name))
        listed = rows.items() if epoch is None else sorted(rows.items())
        written = (replace(row, path=renamed(path)) for path, row in listed)
        writer.add(new.members[own], _fresh(record.write(written)), renamed(own))
        writer.close()


Time = tuple[int, int]
"""A date and a time of day as MS-DOS has them."""


def _time_of(epoch: int | None) -> Time | None:
    """Return a time as a zip file has it, which knows none before 1980 and only every second one."""
    if epoch is None:
        return None
    when = datetime.fromtimestamp(epoch, UTC)
    date = (max(0, when.year - 1980) << 9) | (when.month << 5) | when.day
    return date, (when.hour << 11) | (when.minute << 5) | (when.second // 2)


def _is_compressed(member: Entry) -> bool:
    """Say whether a member is smaller in the archive than outside, or too small to gain by that."""
    return member.compressed < member.size or member.size < _SMALL


Fresh = tuple[int, "Iterable[bytes | memoryview]"]
"""New content: its size in bytes, as far as that is known, and its chunks."""


def _fresh(content: Path | bytes) -> Fresh:
    """Return a file's content, or the bytes themselves."""
    if isinstance(content, bytes):
        return len(content), [content]
    return content.stat().st_size, _read(content)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


class _Writer:
    """Writes a zip file, member by member; with a `time`, all of them have it, and the usual modes."""

    def __init__(self, file: FileIO, time: Time | None) -> None:
        self._file = file
        self._time = time
        self._entries: list[Entry] = []

    def _usual(self, entry: Entry) -> Entry:
        if self._time is None:
            return entry
        kind = stat.S_IFDIR if entry.is_folder else stat.S_IFREG
        executable = entry.is_folder or entry.mode & 0o111
        date, time = self._time
        return replace(entry, date=date, time=time, mode=kind | (0o755 if executable else 0o644))

    def copy(self, source: Wheel, member: Entry, name: str) -> None:
        """Copy a member of another wheel, compressed as it lies there."""
        entry = self._usual(replace(member, name=name, offset=self._file.tell()))
        self._write(pack_local_header(entry, wide=max(entry.compressed, entry.size) >= FULL_32))
        at = data_offset(source.file, member)
        end = at + member.compressed
        while at < end:
            sent = os.sendfile(self._file.fileno(), source.file.fileno(), at, end - at)
            if not sent:
                raise BadBinary(f"{member.name}: the wheel ends within it")
            at += sent
        self._entries.append(entry)

    def add(self, like: Entry, fresh: Fresh, name: str) -> record.Row:
        """Write a new member, deflated, with the date and mode of another; return its row of RECORD."""
        offset = self._file.tell()
        expected, chunks = fresh
        # what cannot be deflated grows a little
        wide = expected >= FULL_32 - (FULL_32 >> 8)
        like = self._usual(like)
        self._write(pack_local_header(replace(like, name=name), wide=wide))
        hashed, deflater = hashlib.sha256(), deflate.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        crc = size = compressed = 0
        for chunk in chunks:
            hashed.update(chunk)
            crc = deflate.crc32(chunk, crc)
            size += len(chunk)
            compressed += self._write(deflater.compress(chunk))
        compressed += self._write(deflater.flush())
        end = self._file.tell()
        entry = replace(
            like, name=name, method=DEFLATED, offset=offset, crc=crc, compressed=compressed, size=size
        )
        self._file.seek(offset)
        self._write(pack_local_header(entry, wide=wide))
        self._file.seek(end)
        self._entries.append(entry)
        digest = record.encoded(hashed.digest())
        return record.Row(line=0, path=name, algorithm="sha256", digest=digest, size=str(size))

    def close(self) -> None:
        """Write the central directory and its end records."""
        for piece in pack_directory(self._entries, self._file.tell()):
            self._write(piece)

    def _write(self, data: bytes) -> int:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        return len(data)
