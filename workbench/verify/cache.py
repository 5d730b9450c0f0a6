"""Reports of wheels, kept for the next verb: ``upload`` after ``verify`` hashes nothing again.

A report is kept with the file's size, time and inode and with what was asked; it counts only while all of
them are the same. One that is stale, or cannot be read, is as good as none. Of a wheel that did not pass it is kept
which checks found something, so that others can say so; it is verified again all the same.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.files import Identity, write_whole
from workbench.strict import Mismatch, parse
from workbench.verify.report import Report, WheelFacts

if TYPE_CHECKING:
    from workbench.verify.report import Expectation

FORMAT = 3
"""Raised when the checks change so that a wheel that passed may no longer do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept(WheelFacts):
    question: str
    metadata: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Faulty:
    identity: tuple[int, ...]
    checks: tuple[str, ...]


def _question(request: Expectation, identity: Identity) -> str:
    """Return what a kept report must answer: a hash (hex) of the file's identity and of what is asked of it."""
    asked = {**asdict(request), "path": None}
    return hashlib.sha256(json.dumps([FORMAT, identity, asked]).encode()).hexdigest()


def recall(folder: Path, request: Expectation) -> Report | None:
    """Return the report in `folder` that answers this request, of a wheel that passed, or None."""
    path = request.path
    try:
        kept = parse(_Kept, json.loads(_place(folder, path).read_bytes()))
        identity = Identity.of(path)
    except (OSError, ValueError, Mismatch):
        return None
    if kept.question != _question(request, identity):
        return None
    return Report(path=path, identity=identity, metadata=kept.metadata.encode(), **kept.as_facts())


def faults(folder: Path, wheel: Path) -> tuple[str, ...]:
    """Return the checks that found something in a wheel when it was verified last; none where that is not known."""
    try:
        kept = parse(_Faulty, json.loads(_faults(folder, wheel).read_bytes()))
        return kept.checks if kept.identity == tuple(Identity.of(wheel)) else ()
    except (OSError, ValueError, Mismatch):
        return ()


def keep(folder: Path, request: Expectation, report: Report) -> None:
    """Keep a report that passed, and of another one which checks found something. Raises OSError."""
    if report.findings:
        checks = tuple(dict.fromkeys(finding.check for finding in report.findings))
        faulty = _Faulty(identity=tuple(report.identity), checks=checks)
        write_whole(_faults(folder, request.path), json.dumps(asdict(faulty)))
        return
    question = _question(request, report.identity)
    kept = _Kept(question=question, metadata=report.metadata.decode(), **report.as_facts())
    write_whole(_place(folder, request.path), json.dumps(asdict(kept)))
    _faults(folder, request.path).unlink(missing_ok=True)


def _place(folder: Path, wheel: Path) -> Path:
    return folder / f"{wheel.name}.json"


def _faults(folder: Path, wheel: Path) -> Path:
    return folder / f"{wheel.name}.faults.json"
