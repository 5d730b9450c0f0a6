"""What is likely to have made two builds differ, by the bytes in which they do.

A cause that is named is one that shows: a text that is a time, a path, a compiler's own line. Where none shows, only
what differs is said.
"""

from __future__ import annotations

import re
from collections import Counter

_LOOKED_AT = 64 << 20
"""Bytes of a section, or of a text, in which causes are looked for."""

_TEXT = re.compile(rb"[\x20-\x7e\t]{4,}")
_COMPILER = re.compile(r"^(GCC: \(|GNU (C|C\+\+|Fortran)[\d ]|clang version|rustc version|NVIDIA)")
_NAMED = (
    ("nvcc's name of a temporary file", re.compile(r"(?P<it>tmpxft_[0-9a-f]+)")),
    (
        "the number of nvcc's process, in a name",
        re.compile(r"_GLOBAL__N__[0-9a-f]{8}_(?P<it>\w+?_cu_[0-9a-f]{8}_\d+)"),
    ),
    (
        "a time",
        re.compile(
            r"\b(?P<it>(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d{4}"
            r"|\d\d:\d\d:\d\d|20\d\d-\d\d-\d\d)\b"
        ),
    ),
    (
        "another build key, which its serial number comes from",
        re.compile(r'"serialNumber": "urn:uuid:(?P<it>[0-9a-f-]{36})"'),
    ),
    ("a path", re.compile(r"(?:^|[\s=:\"'(])(?P<it>/[\w.+~@-]+(?:/[\w.+~@-]*)+)")),
)
"""Causes that a text shows, the surest first."""

_COUNTED = 1 << 20
"""Bytes up to which it is counted how many differ."""
_SHOWN = 100
"""Characters of a text that are shown."""


def cause_of(section: str, first: bytes, again: bytes) -> str:
    """Return what is likely to have made a section of a library differ."""
    if section == ".note.gnu.build-id":
        return (
            "the build id alone: the linker was given other files or options, though what it made is the same"
        )
    if not first or not again:
        return f"it is only in the {'wheel that was built again' if again else 'published wheel'}"
    return _cause_of_lines(_texts(first), _texts(again)) or _cause_of_bytes(section, first, again)


def _cause_of_bytes(section: str, first: bytes, again: bytes) -> str:
    """Return what differs in a section whose texts tell nothing."""
    sizes = f"{len(first):,} and {len(again):,} bytes"
    if section == ".nv_fatbin":
        return f"GPU code ({sizes}): nvcc's names of its own, or another toolkit"
    if section.startswith(".text"):
        if len(first) != len(again):
            return f"other machine code ({sizes}): other options, another compiler, or another processor's tuning"
        return f"other machine code ({_count(first, again)}): addresses that moved, or other options"
    return f"{sizes} of data" if len(first) != len(again) else _count(first, again)


def cause_of_text(first: bytes, again: bytes) -> str:
    """Return what is likely to have made a file that is not a library differ."""
    if b"\0" in first[:1024] + again[:1024]:
        told = _cause_of_lines(_texts(first), _texts(again))
        return (
            told
            or f"{len(first):,} and {len(again):,} bytes, not text: a time that was written into it, perhaps"
        )
    lines = [data[:_LOOKED_AT].decode(errors="replace").splitlines() for data in (first, again)]
    return _cause_of_lines(*lines) or _first_of(*lines)


def _texts(data: bytes) -> list[str]:
    return [found.decode() for found in _TEXT.findall(data[:_LOOKED_AT])]


def _cause_of_lines(first: list[str], again: list[str]) -> str:
    """Return the cause that the texts tell which only one of two builds has; "" where they tell none."""
    one, other = Counter(first), Counter(again)
    gone, come = [*(one - other)], [*(other - one)]
    if not gone and not come:
        return "the order of what is in it" if first != again else ""
    if told := _compiler(gone, come):
        return told
    for name, pattern in _NAMED:
        found = ([match["it"] for match in map(pattern.search, lines) if match] for lines in (gone, come))
        for was, now in zip(*found, strict=False):
            if was != now:
                return f"{name}: {_short(was)} | {_short(now)}"
    return ""


def _compiler(gone: list[str], come: list[str]) -> str:
    was, now = (next(filter(_COMPILER.search, lines), "") for lines in (gone, come))
    if not was or not now:
        return ""
    if was.split(" -")[0] != now.split(" -")[0]:
        return f"another compiler: {_short(was)} | {_short(now)}"
    left, right = was.split(), now.split()
    lost, new = ([*(Counter(a) - Counter(b))] for a, b in ((left, right), (right, left)))
    return f"other options of the compiler: {' '.join(lost) or 'none'} | {' '.join(new) or 'none'}"


def _first_of(first: list[str], again: list[str]) -> str:
    """Return the first lines in which two texts differ."""
    for number, (was, now) in enumerate(zip(first, again, strict=False), 1):
        if was != now:
            return f"line {number}: {_short(was)!r} | {_short(now)!r}"
    return f"{len(first):,} and {len(again):,} lines"


def _count(first: bytes, again: bytes) -> str:
    if len(first) > _COUNTED:
        return f"some of {len(first):,} bytes"
    return f"{sum(a != b for a, b in zip(first, again, strict=True)):,} of {len(first):,} bytes"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
