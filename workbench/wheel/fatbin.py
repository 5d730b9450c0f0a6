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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from workbench.plan.gpu import LTO, PTX, SASS, Architecture
from workbench.wheel.sections import ELF_64_LITTLE, parse_sections
from workbench.wheel.stream import BadBinary, Reader

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from workbench.wheel.sections import Section
    from workbench.wheel.stream import Ranges

Place = Literal["linked", "relocatable", "embedded"]
"""Where code lies: loaded by the CUDA runtime, not loaded by anything, or loaded by the library itself."""

_PLACES: dict[str, Place] = {".nv_fatbin": "linked", "__nv_relfatbin": "relocatable"}

_MAGIC = re.compile(b"\x50\xed\x55\xba")
_STEP = 8
_CONTAINER = struct.Struct("<IHHQ")
"""Magic, version, size of this header, size of the entries."""
_ENTRY = struct.Struct("<HHIQ12xI8xQ16x")
"""Kind, a constant, size of this header, size of the padded payload; architecture; flags."""

_KINDS = {1: PTX, 2: SASS, 8: LTO}
_FEATURES = ((0x100000, "a"), (0x200000, "f"))
_MAX_NUMBER = 1000

_MAX_CONTAINERS = 1 << 16
"""Containers of one file. cuFFT has 18,227."""
_MAX_NESTED = 16
"""Containers that are followed at a time. Real ones never lie within each other; what looks like one may."""


class BadFatbin(BadBinary):
    """GPU code is there and cannot be read. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The code for one architecture in one place: its entries and their bytes in the file."""

    architecture: Architecture
    place: Place
    count: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuCode:
    """The GPU code of one file, in the order of places and architectures.

    `unknown_kinds` are the kinds of entries that this reader has no name for.
    """

    path: str
    codes: tuple[Code, ...]
    unknown_kinds: tuple[int, ...] = ()

    @property
    def loadable(self) -> tuple[Architecture, ...]:
        """The architectures of code that a GPU can come to run: not what still waits for a linker."""
        return tuple(sorted({c.architecture for c in self.codes if _runs(c)}))

    def at(self, place: Place) -> tuple[Code, ...]:
        """Return the code of one place."""
        return tuple(code for code in self.codes if code.place == place)

    def as_dict(self) -> dict[str, Any]:
        """Return the plain form, for JSON: architectures with their counts of entries, by place."""
        counts = {place: {str(c.architecture): c.count for c in self.at(place)} for place in get_args(Place)}
        plain: dict[str, Any] = {"path": self.path, "bytes": sum(code.size for code in self.codes), **counts}
        return {**plain, "unknown_kinds": list(self.unknown_kinds)} if self.unknown_kinds else plain


class FatbinReader:
    """An observer of one file. Feed it the file from its beginning; see `again` at the end."""

    def __init__(self, path: str, size: int) -> None:
        self._path = path
        self._size = size
        self._sections = Reader(parse_sections(size))
        self._scanning = True
        self._position = 0
        self._rest = b""
        self._open: list[Reader[_Container]] = []
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
        # in whole steps, so that no magic number lies across two chunks
        view = memoryview(self._rest + bytes(chunk) if self._rest else chunk)
        whole = len(view) // _STEP * _STEP
        self._rest = bytes(view[whole:])
        if whole:
            self._scan(view[:whole])

    def finish(self) -> GpuCode | None:
        """Return what was found; None for a file without GPU code. Raises BadFatbin."""
        if self._fault is not None:
            raise BadFatbin(self._fault)
        if not self._containers:
            return None
        try:
            sections = self._sections.finish()
        except BadBinary as error:
            raise BadFatbin(f"it has GPU code, and {error}") from error
        return _sort(self._path, self._containers, sections)

    def _scan(self, view: memoryview) -> None:
        if self._position == 0 and view[: len(ELF_64_LITTLE)] != ELF_64_LITTLE:
            self._scanning = False
            return
        offset = self._position
        self._position += len(view)
        for container in self._open:
            container.feed(view)
        self._close()
        for match in _MAGIC.finditer(view):
            if match.start() % _STEP:
                continue
            at = offset + match.start()
            self._open.append(Reader(_parse_container(at, self._size), start=at, window=0))
            self._open[-1].feed(view[match.start() :])
            self._close()
            if len(self._open) > _MAX_NESTED or len(self._containers) > _MAX_CONTAINERS:
                self._fault = "it has more containers of GPU code than can be true"
                self._scanning = False
                return

    def _close(self) -> None:
        """Take the containers that have been seen to their end."""
        self._containers += [each.finish() for each in self._open if not each.again]
        self._open = [each for each in self._open if each.again]


_Key = tuple[str, int, str]
"""Kind, number and feature of an architecture."""


@dataclass(slots=True, kw_only=True)
class _Container:
    """A container as it was followed, or what only looked like one: then `fault` says why.

    `entries` has counts and bytes.
    """

    start: int
    end: int
    entries: dict[_Key, tuple[int, int]]
    unknown_kinds: set[int]
    fault: str | None = None


def _parse_container(start: int, size: int) -> Generator[Ranges, tuple[bytes, ...], _Container]:
    """Follow one container through the headers of its entries. What is wrong with it becomes its `fault`."""
    seen = _Container(start=start, end=size, entries={}, unknown_kinds=set())
    if start + _CONTAINER.size > size:
        return _faulty(seen, "it is cut short")
    (header,) = yield ((start, _CONTAINER.size),)
    _, version, header_size, body = _CONTAINER.unpack(header)
    if (version, header_size) != (1, _CONTAINER.size):
        return _faulty(seen, f"it is of version {version}, with a header of {header_size} bytes")
    at, end = start + header_size, start + header_size + body
    if end > size:
        return _faulty(seen, f"it should end at {end:#x}, behind the end of the file")
    seen.end = end
    while at + _ENTRY.size <= end:
        (entry,) = yield ((at, _ENTRY.size),)
        kind, _, header_size, payload, number, flags = _ENTRY.unpack(entry)
        if header_size < _ENTRY.size or at + header_size + payload > end or number >= _MAX_NUMBER:
            return _faulty(seen, f"its entry at {at:#x} makes no sense")
        if kind in _KINDS:
            feature = next((letter for flag, letter in _FEATURES if flags & flag), "")
            key = _KINDS[kind], number, feature
            count, total = seen.entries.get(key, (0, 0))
            seen.entries[key] = count + 1, total + payload
        else:
            seen.unknown_kinds.add(kind)
        at += header_size + payload
    return seen if at == end else _faulty(seen, f"{end - at} bytes at its end are no entry")


def _faulty(container: _Container, why: str) -> _Container:
    container.fault = f"the container of GPU code at {container.start:#x}: {why}"
    return container


def _sort(path: str, containers: Sequence[_Container], sections: Sequence[Section]) -> GpuCode | None:
    """Tell containers apart by where they lie, and leave out what only looked like one."""
    ordered = sorted(containers, key=lambda container: container.start)
    found: dict[tuple[Place, _Key], tuple[int, int]] = {}
    unknown: set[int] = set()
    for place, container in _placed(ordered, [section for section in sections if section.name in _PLACES]):
        unknown |= container.unknown_kinds
        for key, (count, size) in container.entries.items():
            counted, total = found.get((place, key), (0, 0))
            found[place, key] = counted + count, total + size
    codes = (
        Code(
            architecture=Architecture(kind=kind, number=number, feature=feature),
            place=place,
            count=count,
            size=size,
        )
        for (place, (kind, number, feature)), (count, size) in found.items()
    )
    places = get_args(Place)
    ordered_codes = tuple(sorted(codes, key=lambda code: (places.index(code.place), code.architecture)))
    if not ordered_codes and not unknown:
        return None
    return GpuCode(path=path, codes=ordered_codes, unknown_kinds=tuple(sorted(unknown)))


def _placed(
    containers: Sequence[_Container], sections: Sequence[Section]
) -> Iterator[tuple[Place, _Container]]:
    """Yield the containers of each section and those outside them, never one that lies within another.

    Raises BadFatbin for a faulty one in a section: there it can only be GPU code.
    """
    for section in sections:
        at = section.offset
        for container in containers:
            if at <= container.start < section.end:
                if container.fault is None and container.end > section.end:
                    _faulty(container, f"it reaches out of {section.name}")
                if container.fault is not None:
                    raise BadFatbin(container.fault)
                yield _PLACES[section.name], container
                at = container.end
    at = 0
    for container in containers:
        inside = any(section.offset <= container.start < section.end for section in sections)
        if not inside and container.fault is None and container.start >= at:
            yield "embedded", container
            at = container.end


def _runs(code: Code) -> bool:
    return code.place != "relocatable" and code.architecture.kind != LTO
