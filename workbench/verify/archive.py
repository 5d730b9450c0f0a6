"""One sequential pass over a wheel's file.

The central directory is read first. Then every byte of the file goes by once, in order, a chunk at a time:
into the file's sha256, and, inflated, into its member's crc32 and sha256 and to whoever observes that member.
Memory does not grow with the file. What is wrong with the archive becomes a finding, never an exception.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.files import Identity
from workbench.verify.report import Finding
from workbench.wheel import record
from workbench.wheel.content import content, expect_readable, inflated, show, show_again
from workbench.wheel.elf import Elf
from workbench.wheel.elf_reader import ElfReader
from workbench.wheel.fatbin import FatbinReader
from workbench.wheel.gpu_code import GpuCode
from workbench.wheel.stream import BadBinary, Effort, Reader
from workbench.wheel.wheel import MAX_TEXT, open_wheel
from workbench.wheel.zipformat import (
    DESCRIBED_AFTER,
    LONGEST_DESCRIPTOR,
    BadZip,
    disagreements,
    is_descriptor,
    read_directory,
    read_local_header,
)

if TYPE_CHECKING:
    from io import FileIO

    from workbench.verify.report import Check
    from workbench.wheel.stream import Observer, Ranges
    from workbench.wheel.zipformat import Directory, Entry

_READ = 64 << 10
_KEPT = re.compile(r"([^/]+\.dist-info)/(METADATA|WHEEL|RECORD)")
_MOST_FINDINGS = 200
"""What is wrong with more members than that is one fault, and nobody reads on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member as found: its entry, and the digest of its content by the algorithm that RECORD names for it.

    `digest` is None for a folder, and where the content could not be read as a whole.
    """

    entry: Entry
    digest: bytes | None
    algorithm: str = "sha256"

    @property
    def name(self) -> str:
        """The member's path in the wheel."""
        return self.entry.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What the pass found: the facts that checks look at, and what is wrong with the archive itself.

    `identity` is the file's, taken before it was read.
    `texts` are the ``METADATA``, ``WHEEL`` and ``RECORD`` of every top-level ``.dist-info`` by their path.
    `readable` is False where there is no central directory, and then there are no members.
    """

    path: Path
    identity: Identity
    size: int
    sha256: str
    readable: bool
    members: tuple[Member, ...]
    texts: dict[str, bytes]
    libraries: tuple[Elf, ...]
    gpu_code: tuple[GpuCode, ...]
    findings: tuple[Finding, ...]


def read(path: Path, *, progress: Callable[[int], None] | None = None, chunk: int = _READ) -> Contents:
    """Pass over the wheel at `path`, `chunk` bytes at a time. `progress` is called with counts of bytes read.

    Raises OSError only.
    """
    identity = Identity.of(path)
    with path.open("rb", buffering=0) as file, path.open("rb", buffering=0) as again:
        walk = _Walk(path, _Tape(file, progress, chunk), again)
        directory = None
        try:
            directory = read_directory(file)
        except BadZip as error:
            walk.found(path.name, str(error))
        file.seek(0)
        if directory:
            walk.members_of(directory)
        size, sha256 = walk.tape.drain()
        members = _by_record(again, walk.members, walk.texts)
    return Contents(
        path=path,
        identity=identity,
        size=size,
        sha256=sha256,
        readable=directory is not None,
        members=members,
        texts=walk.texts,
        libraries=tuple(walk.libraries),
        gpu_code=tuple(walk.gpu_code),
        findings=tuple(walk.findings),
    )


def metadata(path: Path) -> bytes | None:
    """Return a wheel's METADATA ahead of the pass, by a seek or two.

    None where it cannot be had; the pass says why. Raises OSError.
    """
    try:
        with open_wheel(path) as wheel:
            return wheel.text("METADATA")
    except BadBinary:  # none, several, or damaged
        return None


class _Tape:
    """A file from its first byte to its last: each is read once, and hashed as it is read."""

    def __init__(self, file: FileIO, progress: Callable[[int], None] | None, chunk: int) -> None:
        self._file = file
        self._progress = progress
        self._buffer = memoryview(bytearray(chunk))
        self._ready = self._buffer[:0]
        self._sha256 = hashlib.sha256()
        self._read = 0

    @property
    def position(self) -> int:
        """How many bytes were taken."""
        return self._read - len(self._ready)

    def pieces(self, count: int) -> Iterator[memoryview]:
        """Take `count` bytes in pieces, each valid until the next; fewer where the file ends."""
        while count > 0 and (self._ready or self._fill()):
            piece, self._ready = self._ready[:count], self._ready[count:]
            count -= len(piece)
            yield piece

    def take(self, count: int) -> bytes:
        """Take `count` bytes; fewer where the file ends."""
        taken = bytearray()
        for piece in self.pieces(count):  # not joined at the end: by then the buffer has been filled again
            taken += piece
        return bytes(taken)

    def skip_to(self, position: int) -> None:
        """Take what lies before `position`."""
        for _ in self.pieces(position - self.position):
            pass

    def drain(self) -> tuple[int, str]:
        """Take all that is left, and return the file's size and sha256 (hex)."""
        while self._fill():
            pass
        return self._read, self._sha256.hexdigest()

    def _fill(self) -> int:
        count = self._file.readinto(self._buffer) or 0
        self._ready = self._buffer[:count]
        self._sha256.update(self._ready)
        self._read += count
        if self._progress:
            self._progress(count)
        return count


class _Walk:
    """The pass: the tape, the file for what is read once more, and what was found so far."""

    def __init__(self, path: Path, tape: _Tape, again: FileIO) -> None:
        self.path = path
        self.tape = tape
        self.again = again
        self.members: list[Member] = []
        self.texts: dict[str, bytes] = {}
        self.libraries: list[Elf] = []
        self.gpu_code: list[GpuCode] = []
        self.findings: list[Finding] = []
        self.effort = Effort()

    def found(self, where: str, what: str, check: Check = "archive") -> None:
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(Finding(check=check, where=where, what=what))

    def members_of(self, directory: Directory) -> None:
        """Take every member, and account for every byte up to the central directory."""
        for oddity in directory.oddities:
            self.found(self.path.name, oddity)
        entries = directory.entries
        starts = [entry.offset for entry in entries] + [directory.offset]
        if starts[0]:
            self.found(self.path.name, f"{starts[0]} bytes before its first member")
            self.tape.skip_to(starts[0])
        names: set[str] = set()
        for entry, following in zip(entries, starts[1:], strict=True):
            if entry.name in names:
                self.found(entry.name, "more than one member has this name")
            names.add(entry.name)
            try:
                digest = self._member(entry, following)
            except BadZip as error:
                self.found(entry.name, str(error))
                digest = None
            self.members.append(Member(entry=entry, digest=digest))
            self.tape.skip_to(following)

    def _member(self, entry: Entry, following: int) -> bytes | None:
        """Take one member, up to what follows it, and return its sha256; None for a folder."""
        if self.tape.position > entry.offset:
            raise BadZip("it overlaps the member before it")
        local = read_local_header(self.tape.take)
        for what in (*entry.oddities, *disagreements(entry, local)):
            self.found(entry.name, what)
        expect_readable(entry)
        digest = self._content(entry)
        if local.flags & DESCRIBED_AFTER:
            length = min(following - self.tape.position, LONGEST_DESCRIPTOR)
            if not is_descriptor(self.tape.take(length), entry, wide=local.wide):
                self.found(entry.name, "its data descriptor disagrees with the central directory")
        hidden = following - self.tape.position
        if hidden > 0:
            self.found(entry.name, f"{hidden} bytes after it belong to no member")
        if hidden < 0:
            self.found(entry.name, f"it reaches {-hidden} bytes into what follows it")
        if entry.is_folder and entry.size:
            self.found(entry.name, f"a folder with {entry.size} bytes of content, which no installer unpacks")
        return None if entry.is_folder else digest

    def _content(self, entry: Entry) -> bytes:
        asked = self._observers(entry)
        hashed = hashlib.sha256()
        end = self.tape.position + entry.compressed
        try:
            chunks = inflated(entry, self.tape.pieces(entry.compressed))
            fault = show(entry, chunks, [hashed.update, *(observer.feed for _, observer in asked)])
        finally:
            self.tape.skip_to(end)
        if fault:
            self.found(entry.name, fault)
        else:
            show_again(self.again, entry, [observer for _, observer in asked])
            self._ask(entry, asked)
        return hashed.digest()

    def _observers(self, entry: Entry) -> list[tuple[Check, Observer]]:
        """Return those who want to see a member, and the check that each is for.

        Of several ``.dist-info`` only the first one's files are kept.
        """
        if entry.is_folder:
            return []
        size = entry.size
        if kept := _KEPT.fullmatch(entry.name):
            if size > MAX_TEXT:
                raise BadZip(f"it has {size} bytes, and {MAX_TEXT} are more than any such file needs")
            others = {name.partition("/")[0] for name in self.texts} - {kept[1]}
            return [] if others else [("archive", Reader(_whole(size)))]
        elf, fatbin = ElfReader(entry.name, size, self.effort), FatbinReader(entry.name, size, self.effort)
        return [("elf", elf), ("gpu", fatbin)]

    def _ask(self, entry: Entry, asked: Sequence[tuple[Check, Observer]]) -> None:
        for check, observer in asked:
            try:
                match observer.finish():
                    case bytes() as text:
                        self.texts[entry.name] = text
                    case Elf() as library:
                        self.libraries.append(library)
                    case GpuCode() as code:
                        self.gpu_code.append(code)
            except BadBinary as error:
                self.found(entry.name, str(error), check)


def _whole(size: int) -> Generator[Ranges, tuple[bytes, ...], bytes]:
    """Keep a member's whole content: a parser for `workbench.wheel.stream.Reader`."""
    (text,) = yield ((0, size),)
    return text


def _by_record(file: FileIO, members: Sequence[Member], texts: Mapping[str, bytes]) -> tuple[Member, ...]:
    """Return the members with their digests by stronger algorithms, where RECORD has those.

    Which ones it has is known only after the pass, for RECORD comes last. All build backends write sha256.
    """
    stronger: dict[str, str] = {}
    for name, text in texts.items():
        if name.endswith("/RECORD"):
            with suppress(record.BadRecord):
                rows = record.parse(text, most=record.most_rows(len(members)))
                stronger |= {row.path: row.algorithm for row in rows if row.algorithm in record.HASHES[1:]}
    return tuple(
        replace(member, digest=_digest(file, member.entry, algorithm), algorithm=algorithm)
        if member.digest and (algorithm := stronger.get(member.name))
        else member
        for member in members
    )


def _digest(file: FileIO, entry: Entry, algorithm: str) -> bytes:
    hashed = hashlib.new(algorithm)
    for chunk in content(file, entry):
        hashed.update(chunk)
    return hashed.digest()
