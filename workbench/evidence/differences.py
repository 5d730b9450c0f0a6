"""In what two wheels differ, and what is likely to have caused it: by member, and within a library by section."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.evidence.causes import cause_of, cause_of_text
from workbench.wheel.sections import ELF_64_LITTLE, parse_sections
from workbench.wheel.stream import BadBinary, Reader
from workbench.wheel.wheel import open_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.wheel.wheel import Wheel
    from workbench.wheel.zipformat import Entry

MOST_BYTES = 1 << 30
"""Of a member that is looked into."""

_FOLLOWS = re.compile(
    r"\.(note\.gnu\.build-id|gnu_debuglink|dynsym|symtab|strtab|shstrtab|dynamic|hash|gnu\.hash|gnu\.version.*|rela?\..+"
    r"|eh_frame.*|gcc_except_table|got.*|plt.*|(pre)?(init|fini)(_array)?)"
)
"""Sections that are made of others, hashes and addresses: they tell nothing where those differ as well."""

_DEBUG = ".debug_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference: in which member, in which section of a library, and what is likely to have caused it.

    A `member` that is empty is the archive itself.
    """

    member: str
    section: str = ""
    cause: str

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return " ".join(filter(None, [self.member or "the archive itself", self.section]))


def differences(first: Path, again: Path) -> tuple[Difference, ...]:
    """Return in what a wheel and the one that was built again differ; nothing where their bytes are the same.

    RECORD, which has the hashes of the others, is named only where nothing else differs. Raises OSError, BadBinary.
    """
    with open_wheel(first) as one, open_wheel(again) as other:
        record = f"{one.info}/RECORD"
        found = [
            each
            for name in dict.fromkeys((*one.members, *other.members))
            if name != record
            for each in _of_member(name, one, other)
        ]
        telling = found or [*_order(one, other)] or [*_of_member(record, one, other)]
        return tuple(telling or _of_archives(one, other))


def _of_member(name: str, one: Wheel, other: Wheel) -> Iterator[Difference]:
    first, again = one.members.get(name), other.members.get(name)
    if first is None or again is None:
        where = "the published wheel" if again is None else "the wheel that was built again"
        yield Difference(member=name, cause=f"it is only in {where}")
        return
    if (first.crc, first.size) == (again.crc, again.size):
        return
    if max(first.size, again.size) > MOST_BYTES:
        yield Difference(member=name, cause=f"{first.size:,} and {again.size:,} bytes, too many to look into")
        return
    pair = b"".join(one.content(first)), b"".join(other.content(again))
    if pair[0].startswith(ELF_64_LITTLE) and pair[1].startswith(ELF_64_LITTLE):
        yield from _of_libraries(name, *pair)
    else:
        yield Difference(member=name, cause=cause_of_text(*pair))


def _of_libraries(name: str, first: bytes, again: bytes) -> Iterator[Difference]:
    try:
        one, other = _sections(first), _sections(again)
    except BadBinary as error:
        yield Difference(member=name, cause=f"its sections cannot be read: {error}")
        return
    found = [key for key in dict.fromkeys((*one, *other)) if one.get(key) != other.get(key)]
    telling = [key for key in found if not _FOLLOWS.fullmatch(key[0])] or found
    for where, have, lack in (
        ("the published wheel", one, other),
        ("the wheel that was built again", other, one),
    ):
        if debug := [key for key in telling if key[0].startswith(_DEBUG) and key in have and key not in lack]:
            telling = [key for key in telling if key not in debug]
            yield Difference(
                member=name,
                section=f"{_DEBUG}*",
                cause=f"debug information is only in {where}: other options (-g)",
            )
    for key in telling:
        first_has, again_has = one.get(key, b""), other.get(key, b"")
        yield Difference(member=name, section=key[0], cause=cause_of(key[0], first_has, again_has))
    if not found:
        yield Difference(member=name, cause="outside its sections: its headers, or what lies between them")


def _sections(data: bytes) -> dict[tuple[str, int], bytes]:
    """Return a library's sections by their name, and by their number among those of one name."""
    reader = Reader(parse_sections(len(data)))
    reader.feed(data)  # the whole file, so nothing has gone by
    found: dict[tuple[str, int], bytes] = {}
    numbers: Counter[str] = Counter()
    for each in reader.finish():
        found[each.name, numbers[each.name]] = data[each.offset : each.end]
        numbers[each.name] += 1
    return found


def _order(one: Wheel, other: Wheel) -> Iterator[Difference]:
    if [*one.members] != [*other.members]:
        yield Difference(member="", cause="the order of its members")


def _of_archives(one: Wheel, other: Wheel) -> Iterator[Difference]:
    """Yield in what two archives of the same members in the same order differ."""
    first, again = one.members.values(), other.members.values()
    for what, differs in (
        ("the time", lambda a, b: (a.date, a.time) != (b.date, b.time)),
        ("the mode", lambda a, b: a.mode != b.mode),
        ("the compression (another release of zlib)", _packed_otherwise),
    ):
        named = [a.name for a, b in zip(first, again, strict=True) if differs(a, b)]
        if named:
            yield Difference(member="", cause=f"{what} of {_some(named)}")
            return
    if one.file.seek(0) or other.file.seek(0) or one.file.read() != other.file.read():
        yield Difference(member="", cause="its headers, or data between its members")


def _packed_otherwise(one: Entry, other: Entry) -> bool:
    return (one.method, one.compressed) != (other.method, other.compressed)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown  # noqa: PLR2004
