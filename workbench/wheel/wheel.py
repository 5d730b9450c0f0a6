"""A wheel as an open file: its members, its ``.dist-info``, and its libraries, each read as it is inflated.

The file may be any that can be read and sought. What is a library is decided by its first bytes, not by its name.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from workbench.wheel.abi import AbiReader, CxxAbi
from workbench.wheel.content import WrongSize, content, show, show_again
from workbench.wheel.elf import HEAD, Elf, machine_of
from workbench.wheel.elf_reader import ElfReader
from workbench.wheel.fatbin import FatbinReader
from workbench.wheel.stream import BadBinary, Effort
from workbench.wheel.zipformat import LOCAL_HEADER, BadZip, read_directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import IO

    from workbench.wheel.gpu_code import GpuCode
    from workbench.wheel.stream import Observer
    from workbench.wheel.zipformat import Entry

_MOST_LIBRARIES = 5000
"""The wheels with the most have some hundreds."""
MAX_TEXT = 16 << 20
"""Bytes of a file of ``.dist-info``; a RECORD of 100,000 rows has 10 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """An ELF file of a wheel and what is in it; `size` and `compressed` are bytes, outside and in the archive.

    `damage` says in which way its bytes are not those that the archive promises; `faults` say it too, and what could
    not be read.
    """

    path: str
    size: int
    compressed: int
    elf: Elf | None
    gpu_code: GpuCode | None = None
    cxx_abi: CxxAbi | None = None
    damage: str = ""
    faults: tuple[str, ...] = ()

    @property
    def needed(self) -> tuple[str, ...]:
        """The libraries that it is linked to, by name."""
        return self.elf.needed if self.elf else ()


def dist_info(names: Iterable[str]) -> str:
    """Return the ``.dist-info`` folder among a wheel's members (PEP 427): the one that lies at its top.

    It is looked for, not derived from the filename: backends spell the two differently.
    Raises BadBinary where there is none, or more than one.
    """
    tops = {top for top, slash, _ in (name.partition("/") for name in names) if slash}
    found = sorted(top for top in tops if top.endswith(".dist-info"))
    if len(found) != 1:
        raise BadBinary(
            f"more than one .dist-info folder: {', '.join(found)}" if found else "no .dist-info folder"
        )
    return found[0]


@contextmanager
def open_wheel(path: Path) -> Iterator[Wheel]:
    """Open the wheel at a path. Raises OSError and BadBinary, also while it is read."""
    with path.open("rb", buffering=0) as file:
        yield Wheel(file)


class Wheel:
    """An open wheel. `members` are its entries by their path, in the order of the file.

    Whatever reads it raises OSError, and BadBinary where the archive is damaged.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        entries = read_directory(file).entries
        for entry, following in pairwise(entries):  # or a small file would be good for terabytes
            if entry.offset + LOCAL_HEADER.size + entry.compressed > following.offset:
                raise BadZip(f"{following.name} overlaps the member before it")
        self.members = {entry.name: entry for entry in entries}

    @cached_property
    def info(self) -> str:
        """The name of its ``.dist-info`` folder."""
        return dist_info(self.members)

    def text(self, name: str) -> bytes:
        """Return a file of its ``.dist-info``: ``METADATA``, ``WHEEL``, ``RECORD``."""
        path = f"{self.info}/{name}"
        entry = self.members.get(path)
        if entry is None:
            raise BadBinary(f"{path} is missing")
        if entry.size > MAX_TEXT:
            raise BadBinary(f"{path} has {entry.size} bytes, too many to be true")
        return b"".join(self.content(entry))

    def content(self, entry: Entry) -> Iterator[bytes | memoryview]:
        """Yield a member's content in chunks, up to its size, without checking its crc32."""
        with _naming(entry):
            yield from content(self.file, entry)

    def machines(self, named: str = "") -> Iterator[tuple[Entry, str]]:
        """Yield its ELF files, those with `named` in their path, and the processor of each (`elf.machine_of`)."""
        for entry in self.members.values():
            if named in entry.name and (machine := machine_of(self._head(entry))):
                yield entry, machine

    def libraries(self, *, whole: bool = True) -> Iterator[Library]:
        """Yield its ELF files, in its order. Unless `whole` only what the linker sees is read of each."""
        effort = Effort()
        for count, (entry, _) in enumerate(self.machines()):
            if count == _MOST_LIBRARIES:
                raise BadBinary(f"it has more than {_MOST_LIBRARIES} libraries, too many to be true")
            yield self._library(entry, effort, whole=whole)

    def _head(self, entry: Entry) -> bytes:
        """Return a member's first bytes, as many as `elf.machine_of` takes, where it has so many."""
        head = b""
        for chunk in self.content(entry) if entry.size >= HEAD else ():
            head += chunk
            if len(head) >= HEAD:
                break
        return head

    def _library(self, entry: Entry, effort: Effort, *, whole: bool) -> Library:
        path, size = entry.name, entry.size
        elf = ElfReader(path, size, effort)
        fatbin, abi = FatbinReader(path, size, effort), AbiReader(size, effort)
        observers: Sequence[Observer] = (elf, fatbin, abi) if whole else (elf,)
        damage = ""
        with _naming(entry):
            try:
                damage = show(entry, content(self.file, entry), [each.feed for each in observers])
            except WrongSize as error:
                damage = str(error)
            if not damage:
                show_again(self.file, entry, observers)
        faults = [f"damaged: {damage}"] if damage else []
        found, code, cxx_abi = None, None, None
        try:
            found = elf.finish()
            code, cxx_abi = (fatbin.finish(), abi.finish()) if whole else (None, None)
        except BadBinary as error:
            faults.append(str(error))
        return Library(
            path=path,
            size=size,
            compressed=entry.compressed,
            elf=found,
            gpu_code=code,
            cxx_abi=cxx_abi,
            damage=damage,
            faults=tuple(faults),
        )


@contextmanager
def _naming(entry: Entry) -> Iterator[None]:
    """Let an error say which member it is about."""
    try:
        yield
    except BadZip as error:
        raise BadZip(f"{entry.name}: {error}") from error
