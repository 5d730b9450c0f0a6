"""The notes of a release: lines that install what is attached to it, and the hashes. What people wrote there stays."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING

from workbench.text import file_size
from workbench.wheel.filename import wheel_name_or_none

if TYPE_CHECKING:
    from collections.abc import Sequence

BEGIN, END = "<!-- wheels: begin -->", "<!-- wheels: end -->"

LONGEST = 120_000
"""How many characters the notes may have here; GitHub refuses more than 125,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A wheel that is attached to a release: its name, its URL, its size in bytes and its sha256 (hex).

    `statement` is the URL of the statement of how it was made, "" where there is none.
    """

    filename: str
    url: str
    size: int
    sha256: str
    statement: str = ""


def with_install_lines(body: str, wheels: Sequence[Attached]) -> str:
    """Return the notes with the lines for these wheels, in place of older ones, or behind what is there.

    Where GitHub would not take so long a text, one line stands for them. Pure.
    """
    before, begin, rest = body.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        before, after = (f"{body.rstrip()}\n\n" if body.strip() else ""), "\n"
    lines = _lines(sorted(wheels, key=lambda each: each.filename))
    if len(before) + len(lines) + len(after) > LONGEST:
        lines = (
            f"{len(wheels)} wheels: too many to show how each is installed. Each is below, with its sha256."
        )
    return f"{before}{BEGIN}\n{lines}\n{END}{after}"


def _lines(wheels: Sequence[Attached]) -> str:
    installs, rows = [], ["| wheel | size | sha256 | how it was made |", "|---|---|---|---|"]
    for each in wheels:
        name = wheel_name_or_none(each.filename)
        what = f"{each.url}#sha256={each.sha256}" if each.sha256 else each.url
        installs.append(f"uv pip install {quote(f'{name.name} @ {what}' if name else what)}")
        stated = f"[statement]({each.statement})" if each.statement else ""
        rows.append(
            f"| [{each.filename}]({each.url}) | {file_size(each.size)} | `{each.sha256}` | {stated} |"
        )
    fence = "```"
    return "\n".join(
        [
            "### Install",
            "",
            f"{fence}console",
            *installs,
            fence,
            "",
            "`pip install` takes the same words.",
            "",
            *rows,
        ]
    )
