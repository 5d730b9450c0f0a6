"""The first real error in what a build said: the compiler's, and not what ninja, CMake, torch or pip say of it. Pure.

Compilers run side by side and programs report each other's failures, so the last lines of a log seldom tell what went
wrong. What a compiler, a linker or a build system says stands above what a Python exception says, and that above a line
that only starts with ``error:``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

WIDE = 2000
"""Characters of a line that are looked at: a compiler's command line may have many more."""

LONGEST = 9
"""Lines that an error may have; a compiler that lists candidates goes on for pages."""

_TOOLS = re.compile(
    r"^(?P<file>[^\s:()\"]+):(?P<line>\d+)(:\d+)?: (fatal )?error\b"  # gcc, clang
    r"|^(?P<file_>[^\s()\"]+)\((?P<line_>\d+)\): (catastrophic )?error\b"  # nvcc
    r"|^(\S*/)?(nvcc|ptxas|nvlink|fatbinary|cudafe\+\+|cicc)\s+(\S+, line \d+; )?(error|fatal)\s*:"
    r"|^(\S*/)?([\w.]+-)*(cc1(plus)?|gcc|g\+\+|cc|c\+\+|clang(\+\+)?|as)(-[\d.]+)?: (fatal |internal compiler )*error\b"
    r"|^(\S*/)?([\w.]+-)*ld(\.\w+)?: .*(undefined reference|cannot find|relocation|error|No space)"
    r"|^CMake Error at (?P<file__>[^:]+):(?P<line__>\d+) |^CMake Error( in|:)"
    r"|^(?P<file___>\S*meson\.build):(?P<line___>\d+):\d+: ERROR: "
    r"|^(?P<file____>\S+\.p(yx|xd|y)):(?P<line____>\d+):\d+: (?!.*\bwarning\b)"  # Cython
    r"|^error\[E\d+\]: |^💥 "  # Rust, maturin
    r"|^(\S*/)?((ba|da)?sh|\S+\.sh): (line )?(\d+: )?\S+: (command )?not found|^(\S*/)?env: .*: No such file"
    r"|^make(\[\d+\])?: [\w.+-]+: No such file|^fatal: "  # git
)
_BEGINS = re.compile(
    r"^FAILED: |^(\S*/)?([\w.]+-)*(gcc|g\+\+|cc|c\+\+|clang(\+\+)?|nvcc)(-[\d.]+)? .*(-c|-shared|-o) "
)
"""What stands before the output of the compiler that failed: ninja's word, or the command as setuptools echoes it."""

_TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION = re.compile(
    r"^\s*([A-Za-z_][\w.]*(Error|Exception|NotFound|Failed|Missing|Exit)\b(:|$)|AssertionError)"
)
_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+)')
_SAID = re.compile(r"^\s*((error|ERROR|cause):|×) ")

_GOES_ON = re.compile(r"^\s|^$")
"""A line that belongs to the error above it: indented, or empty."""

_ENDS = re.compile(
    r"^ninja: |^\[\d+/\d+\] |compilation terminated|^Call Stack|^error: command |^make(\[\d+\])?: |^-- "
    r"|^\d+ errors? (detected|generated)|^$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstError:
    """Where the first real error stands: its lines, and the file and the line of the source that they name, if any."""

    lines: tuple[str, ...]
    file: str = ""
    line: int | None = None


def first_error(said: Sequence[str]) -> FirstError | None:
    """Return the first real error in the lines of a log, or None where nothing looks like one."""
    return _of_tools(said) or _of_python(said) or _said_plainly(said)


def _of_tools(said: Sequence[str]) -> FirstError | None:
    errors = [number for number, line in enumerate(said) if _TOOLS.search(line[:WIDE])]
    if not errors:
        return None
    # before it, a configure step may have tried what does not compile, and gone on
    begins = [number for number, line in enumerate(said[: errors[-1]]) if _BEGINS.search(line[:WIDE])]
    failed = next((number for number in begins if said[number].startswith("FAILED: ")), None)
    after = failed if failed is not None else begins[-1] if begins else 0
    first = next((number for number in errors if number >= after), errors[0])
    named = _TOOLS.search(said[first][:WIDE])
    groups = {key.rstrip("_"): value for key, value in (named.groupdict() if named else {}).items() if value}
    number = groups.get("line")
    return FirstError(
        lines=_block(said, first), file=groups.get("file", ""), line=int(number) if number else None
    )


def _block(said: Sequence[str], first: int) -> tuple[str, ...]:
    """Return a line and those that belong to it."""
    block = [said[first]]
    for line in said[first + 1 : first + LONGEST]:
        blank = not line.strip()
        if _TOOLS.search(line[:WIDE]) or (_ENDS.search(line) and not (blank and len(block) == 1)):
            break
        if not _GOES_ON.search(line) and not said[first].startswith("CMake"):
            break
        block.append(line)
    while not block[-1].strip():
        block.pop()
    return tuple(block)


def _of_python(said: Sequence[str]) -> FirstError | None:
    """Return the exception that the last traceback began with: those behind it were raised because of it."""
    starts = [number for number, line in enumerate(said) if _TRACEBACK in line]
    if not starts:
        return None
    start = starts[-1]
    while len(starts) > 1 and _chained(said[starts[-2] : start]):
        starts.pop()
        start = starts[-1]
    frames, end = [], None
    for number, line in enumerate(said[start + 1 :], start + 1):
        if frame := _FRAME.search(line):
            frames.append(frame)
        elif _EXCEPTION.search(line):
            end = number
            break
    if end is None:
        return None
    lines = (said[end], *_more(said, end))
    if not frames:
        return FirstError(lines=lines)
    # of the source's own files, whose paths are relative, rather than of a library that it called
    own = [frame for frame in frames if not frame["file"].startswith(("/", "<"))]
    last = (own or frames)[-1]
    return FirstError(lines=lines, file=last["file"], line=int(last["line"]))


def _more(said: Sequence[str], end: int) -> list[str]:
    more = []
    for line in said[end + 1 : end + LONGEST]:
        if not line.strip() or _ENDS.search(line) or _TRACEBACK in line:
            break
        more.append(line)
    return more


def _chained(between: Sequence[str]) -> bool:
    return any(
        "During handling of the above exception" in line or "was the direct cause of the following" in line
        for line in between
    )


def _said_plainly(said: Sequence[str]) -> FirstError | None:
    errors = [number for number, line in enumerate(said) if _SAID.search(line)]
    if not errors:
        return None
    last = errors[-1]
    while last - 1 in errors:  # a list of causes
        last -= 1
    return FirstError(lines=(said[last], *_more(said, last)))
