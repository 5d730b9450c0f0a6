"""What a source says, word for word, and where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quote:
    """A text of a source, and the file and line where it stands: ``setup.py:24``."""

    text: str
    where: str
