"""What ``doctor`` finds: the outcome of one check each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["good", "bad", "untried"]

SHOWN = 5
"""How many of many problems of one kind are spelt out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The outcome of one check: what was looked at, what was found, and for a bad one what to do about it."""

    check: str
    verdict: Verdict
    what: str
    remedy: str = ""


def finding(check: str, problems: Sequence[str], *, good: str, remedy: str) -> Diagnosis:
    """Return the finding of a check that found these problems: good where there are none."""
    if not problems:
        return Diagnosis(check=check, verdict="good", what=good)
    more = len(problems) - SHOWN
    return bad(check, "; ".join(problems[:SHOWN]) + (f"; and {more} more" if more > 0 else ""), remedy)


def bad(check: str, what: object, remedy: str) -> Diagnosis:
    """Return the finding of a check that went wrong."""
    return Diagnosis(check=check, verdict="bad", what=str(what), remedy=remedy)


def untried(check: str, why: str, *, remedy: str = "") -> Diagnosis:
    """Return the finding of a check that could not be made, or need not be."""
    return Diagnosis(check=check, verdict="untried", what=why, remedy=remedy)
