"""A finding on an index, and the two kinds of them.

Every finding says what it means for whoever installs. An error: pip or uv stops at it, or takes what it should not. A
warning: it is against a standard that neither enforces, or costs something.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.console import shown
from workbench.url import mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing wrong with an index: how bad it is, the URL of the page or file, and what."""

    severity: Literal["error", "warning"]
    where: str
    what: str


def error(where: str, what: str) -> Finding:
    """Return the finding that pip or uv stops at something, or takes what it should not."""
    return Finding(severity="error", where=_shown(where), what=_shown(what))


def warning(where: str, what: str) -> Finding:
    """Return the finding that something is against a standard, or costs something."""
    return Finding(severity="warning", where=_shown(where), what=_shown(what))


def _shown(text: str) -> str:
    """Return another's text as one line, without logins in URLs."""
    return shown(mask(text))
