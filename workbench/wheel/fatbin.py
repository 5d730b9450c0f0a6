"""The GPU code in an ELF file: for which architectures, as machine code, as PTX, or still to be linked.

nvcc puts it into containers ("fat binaries"): a header and entries, each with a header that names its
architecture and a payload that may be compressed. Headers never are, so nothing is decompressed. Containers
begin at multiples of 8 bytes. In the section ``.nv_fatbin`` lies what the CUDA runtime loads, in
``__nv_relfatbin`` what is left of code that was still to be linked, which nothing loads. Libraries that load
kernels themselves (cuFFT, cuRAND, cuBLASLt) have more in sections of their own, where cuobjdump does not look.

The section table stands at a file's end and the containers before it. So every container is followed as it
streams by, and sorted by sections when those are known.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from workbench.plan.gpu import LTO, PTX, SASS, Architecture
from workbench.wheel.gpu_code import Code, GpuCode, Place
from workbench.wheel.sections import ELF_64_LITTLE, parse_sections
from workbench.wheel.stream import BadBinary, Effort, Reader

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.wheel.sections import Section

_PLACES: dict[str, Place] = {".nv_fatbin": "linked", "__nv_relfatbin": "relocatable"}

_MAGIC = re.compile(b"\x50\xed\x55\xba")
_READ = 1 << 20
_STEP = 8
_CONTAINER = struct.Struct("<IHHQ")
"""Magic, version, size of this header, size of the entries."""
_ENTRY = struct.Struct("<HHIQ8xHHI8xQ16x")
"""Kind, a constant, size of this header, size of the padded payload; version, minor part first; architecture; flags."""

_KINDS = {1: PTX, 2: SASS, 8: LTO}
_FEATURES = ((0x100000, "a"), (0x200000, "f"))
_MAX_NUMBER = 1000

_MAX_CONTAINERS = 1 << 16
"""Containers of one file. cuFFT has 18,227."""
_MAX_UNKNOWN = 16
_CONTAINER_COST = 4
"""What a container takes beside its entries, in entries."""
_MAX_NESTED = 16
"""Containers that are followed at a time. Real ones never lie within each other; what looks like one may."""


def gpu_code_of(path: Path) -> GpuCode | None:
    """Return the GPU code of a library on disk; None for one without. Raises OSError and BadBinary."""
    with path.open("rb") as file:
        reader = FatbinReader(path.name, path.stat().st_size)
        while chunk := file.read(_READ):
            reader.feed(chunk)
        while reader.again:
            reader.rewind()
            file.seek(0)
            while chunk := file.read(_READ):
                reader.feed(chunk)
        return reader.finish()


class FatbinReader:
    """An observer of one file. Feed it the file from its beginning; see `again` at the end."""

    def __init__(self, path: str, size: int, effort: Effort | None = None) -> None:
        self._path = path
        self._size = size
        self._effort = effort or Effort()
        self._sections = Reader(parse_sections(size))
        self._scanning = True
        self._offset = 0
        self._rest = b""
        self._scanned = 0
        self._open: list[_Container] = []
        self._containers: list[_Container] = []
        self._fault: str | None = None

    @property
    def again(self) -> bool:
        """Whether what it needs has gone by: call `rewind` and feed it the whole file once more."""
        return bool(self._containers) and self._sections.again

    def rewind(self) -> None:
        """Make ready for the file's beginning."""
        self._sections.rewind()
        self._scanning = False

    def feed(self, chunk: bytes | memoryview) -> None:
        """Look at the next bytes of the file."""
        self._sections.feed(chunk)
        if not self._scanning:
            return
        view = b"".join((self._rest, chunk))
        if self._offset == 0 and len(view) >= len(ELF_64_LITTLE):
            self._scanning = view.startswith(ELF_64_LITTLE)
            if not self._scanning:
                return
            if not self._rest:
                self._effort.earn(self._size)
        try:
            self._scan(view)
        except BadBinary as error:
            self._fault, self._scanning = str(error), False
        # a header that lies across two chunks is read with the second
        kept = max(0, len(view) - _ENTRY.size) // _STEP * _STEP
        self._offset += kept
        self._rest = view[kept:]

    def finish(self) -> GpuCode | None:
        """Return what was found; None for a file without GPU code. Raises BadBinary."""
        if self._fault is not None:
            raise BadBinary(self._fault)
        if not self._containers:
            return None
        try:
            sections = self._sections.finish()
        except BadBinary as error:
            raise BadBinary(f"it has GPU code, and {error}") from error
        return _sort(self._path, self._containers, sections)

    def _scan(self, view: bytes) -> None:
        self._open = [each for each in self._open if not self._ended(each, view)]
        last = len(view) - _CONTAINER.size
        for match in _MAGIC.finditer(view, self._scanned - self._offset):
            at = match.start()
            if at > last:
                break
            self._effort.spend(_CONTAINER_COST)  # also where none can begin: real code hardly ever has that
            if at % _STEP == 0:
                container = _container_at(view, at, self._offset, self._size)
                if not self._ended(container, view):
                    self._open.append(container)
                if len(self._open) > _MAX_NESTED or len(self._containers) > _MAX_CONTAINERS:
                    raise BadBinary("it has more containers of GPU code than can be true")
        self._scanned = max(self._scanned, self._offset + last + 1)

    def _ended(self, container: _Container, view: bytes) -> bool:
        """Follow a container as far as it has been seen, and say whether it has ended."""
        end = self._offset + len(view) - _ENTRY.size
        before = container.seen
        while container.fault is None and container.at + _ENTRY.size <= container.end:
            if container.at > end:
                self._effort.spend(container.seen - before)
                return False
            container.take_entry(view, container.at - self._offset)
        self._effort.spend(container.seen - before)
        if container.fault is None and container.at != container.end:
            container.fail(f"{container.end - container.at} bytes at its end are not an entry")
        self._containers.append(container)
        return True


_Key = tuple[str, int, str]
"""Kind, number and feature of an architecture."""


@dataclass(slots=True, kw_only=True)
class _Container:
    """A container as it is followed, or what only looked like one: then `fault` says why.

    `at` is where its next entry begins, `seen` counts those before it. `entries` has counts, bytes and PTX's version.
    """

    start: int
    at: int
    end: int
    seen: int = 0
    entries: dict[_Key, tuple[int, int, tuple[int, int]]] = field(default_factory=dict)
    unknown_kinds: set[int] = field(default_factory=set)
    fault: str | None = None

    def fail(self, why: str) -> None:
        self.fault = f"the container of GPU code at {self.start:#x}: {why}"

    def take_entry(self, view: bytes, at: int) -> None:
        """Count the entry at `at`, and go to the next. What is wrong with it becomes the `fault`."""
        kind, _, header_size, payload, minor, major, number, flags = _ENTRY.unpack_from(view, at)
        following = self.at + header_size + payload
        if header_size < _ENTRY.size or following > self.end or number >= _MAX_NUMBER:
            self.fail(f"its entry at {self.at:#x} makes no sense")
            return
        if kind in _KINDS:
            feature = next((letter for flag, letter in _FEATURES if flags & flag), "")
            key = _KINDS[kind], number, feature
            count, total, isa = self.entries.get(key, (0, 0, (0, 0)))
            isa = max(isa, (major, minor)) if key[0] == PTX else isa
            self.entries[key] = count + 1, total + payload, isa
        elif len(self.unknown_kinds) < _MAX_UNKNOWN:
            self.unknown_kinds.add(kind)
        self.seen += 1
        self.at = following


def _container_at(view: bytes, at: int, offset: int, size: int) -> _Container:
    """Return the container whose header lies at `at` in a view that begins at `offset` in a file of `size` bytes."""
    _, version, header_size, body = _CONTAINER.unpack_from(view, at)
    start = offset + at
    end = start + header_size + body
    container = _Container(start=start, at=start + header_size, end=min(end, size))
    if (version, header_size) != (1, _CONTAINER.size):
        container.fail(f"it is of version {version}, with a header of {header_size} bytes")
    elif end > size:
        container.fail(f"it should end at {end:#x}, behind the end of the file")
    return container


def _sort(path: str, containers: Sequence[_Container], sections: Sequence[Section]) -> GpuCode | None:
    """Tell containers apart by where they lie, and leave out what only looked like one."""
    ordered = sorted(containers, key=lambda container: container.start)
    found: dict[tuple[Place, _Key], tuple[int, int, tuple[int, int]]] = {}
    unknown: set[int] = set()
    for place, container in _placed(ordered, [section for section in sections if section.name in _PLACES]):
        unknown |= container.unknown_kinds
        for key, (count, size, isa) in container.entries.items():
            counted, total, newest = found.get((place, key), (0, 0, (0, 0)))
            found[place, key] = counted + count, total + size, max(newest, isa)
    codes = (
        Code(
            architecture=Architecture(kind=kind, number=number, feature=feature),
            place=place,
            count=n,
            size=size,
            isa=isa,
        )
        for (place, (kind, number, feature)), (n, size, isa) in found.items()
    )
    if not found and not unknown:
        return None
    in_order = sorted(codes, key=lambda code: (get_args(Place).index(code.place), code.architecture))
    return GpuCode(path=path, codes=tuple(in_order), unknown_kinds=tuple(sorted(unknown)))


def _placed(
    containers: Sequence[_Container], sections: Sequence[Section]
) -> Iterator[tuple[Place, _Container]]:
    """Yield the containers of each section and those outside them, never one that lies within another.

    Raises BadBinary for a faulty one in a section: there it can only be GPU code.
    """
    starts = [container.start for container in containers]
    taken = 0
    outside: list[_Container | None] = list(containers)
    for section in sorted(sections, key=lambda section: section.offset):
        if section.offset < taken:
            raise BadBinary(f"two of its sections overlap: {section.name} at {section.offset:#x}")
        taken, at = section.end, section.offset
        first, last = bisect_left(starts, section.offset), bisect_left(starts, section.end)
        for container in containers[first:last]:
            if container.start < at:
                continue
            if container.fault is None and container.end > section.end:
                container.fail(f"it reaches out of {section.name}")
            if container.fault is not None:
                raise BadBinary(container.fault)
            yield _PLACES[section.name], container
            at = container.end
        outside[first:last] = [None] * (last - first)
    at = 0
    for container in filter(None, outside):
        if container.fault is None and container.start >= at:
            yield "embedded", container
            at = container.end
