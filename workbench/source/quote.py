"""What a source says, word for word, and where."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 4 << 20
"""Of a larger file nothing is read: it is data written as code."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A text of a source, and the file and line where it stands: ``setup.py:24``."""

    text: str
    where: str


def text_of(path: Path) -> str:
    """Return the text of a source's file, with a sign in place of what is not UTF-8; empty where it cannot be read.

    A checkout may have links to anywhere: what is not a file of an ordinary size counts as empty.
    """
    with suppress(OSError, ValueError):
        if path.is_file() and path.stat().st_size <= MOST_BYTES:
            return path.read_text(encoding="utf-8", errors="replace")
    return ""
