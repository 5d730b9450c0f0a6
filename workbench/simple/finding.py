"""A finding on an index, and the two kinds of them.

Every finding says what it means for whoever installs. An error: pip or uv stops at it, or takes what it should not. A
warning: it is against a standard that neither enforces, or costs something.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from workbench.text import shown
from workbench.url import mask

LONGEST = 400
"""Characters of another's text that a finding repeats."""

MOST = 1000


Severity = Literal["error", "warning"]
Remark = tuple[Severity, str]
"""A finding on something that is known: how bad it is, and what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFinding:
    """One thing wrong with an index: how bad it is, the URL of the page or file, and what."""

    severity: Severity
    where: str
    what: str


def finding(severity: Severity, where: str, what: str) -> IndexFinding:
    """Return a finding in which another's text is one line of bounded length, without logins in URLs."""
    return IndexFinding(severity=severity, where=_shown(where), what=_shown(what))


error = partial(finding, "error")
"""For that at which pip or uv stops, and for what they take and should not."""

warning = partial(finding, "warning")
"""For what is against a standard, or costs something."""


def _shown(text: str) -> str:
    masked = mask(text)
    return shown(masked if len(masked) <= LONGEST else f"{masked[:LONGEST]}…")


def bounded(findings: Iterable[IndexFinding], where: str) -> list[IndexFinding]:
    """Return the first findings on one page, of each severity `MOST`, and say so where there are more."""
    kept: dict[str, list[IndexFinding]] = {"error": [], "warning": []}
    left = 0
    for each in findings:
        if len(kept[each.severity]) < MOST:
            kept[each.severity].append(each)
        else:
            left += 1
    more = [warning(where, f"{left} more findings on this page are left out")] if left else []
    return [*kept["error"], *kept["warning"], *more]
