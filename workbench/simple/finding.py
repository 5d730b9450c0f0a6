"""A finding on an index, and the two kinds of them.

Every finding says what it means for whoever installs. An error: pip or uv stops at it, or takes what it should not. A
warning: it is against a standard that neither enforces, or costs something.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.text import shown
from workbench.url import mask

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 400
"""Characters of another's text that a finding repeats."""

MOST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFinding:
    """One thing wrong with an index: how bad it is, the URL of the page or file, and what."""

    severity: Literal["error", "warning"]
    where: str
    what: str


def error(where: str, what: str) -> IndexFinding:
    """Return the finding that pip or uv stops at something, or takes what it should not."""
    return IndexFinding(severity="error", where=_shown(where), what=_shown(what))


def warning(where: str, what: str) -> IndexFinding:
    """Return the finding that something is against a standard, or costs something."""
    return IndexFinding(severity="warning", where=_shown(where), what=_shown(what))


def _shown(text: str) -> str:
    """Return another's text as one line of bounded length, without logins in URLs."""
    masked = mask(text)
    return shown(masked if len(masked) <= LONGEST else f"{masked[:LONGEST]}…")


def bounded(findings: Iterable[IndexFinding], where: str) -> list[IndexFinding]:
    """Return the first findings on one page, of each severity `MOST`, and say so where there are more."""
    kept: dict[str, list[IndexFinding]] = {"error": [], "warning": []}
    left = 0
    for finding in findings:
        if len(kept[finding.severity]) < MOST:
            kept[finding.severity].append(finding)
        else:
            left += 1
    more = [warning(where, f"{left} more findings on this page are left out")] if left else []
    return [*kept["error"], *kept["warning"], *more]
