"""Reports of wheels that passed, kept for the next verb: ``upload`` after ``verify`` hashes nothing again.

A report is kept with the file's size, time and inode and with what was asked; it counts only while all of
them are the same. One that is stale, or cannot be read, is as good as none.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from workbench.files import Identity, write_whole
from workbench.strict import Mismatch, parse
from workbench.verify.report import Check, Report
from workbench.wheel.elf import Elf  # noqa: TC001 - the parser reads it from the annotation
from workbench.wheel.fatbin import GpuCode  # noqa: TC001 - likewise

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.verify.verifier import Expectation

FORMAT = 3
"""Raised when the checks change so that a wheel that passed may no longer do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    question: str
    name: str
    version: str
    tags: tuple[str, ...]
    sha256: str
    size: int
    metadata: str
    requires_python: str | None
    libraries: tuple[Elf, ...]
    gpu_code: tuple[GpuCode, ...]
    checks: tuple[Check, ...]


def question(request: Expectation) -> str:
    """Return what a kept report must answer: a hash (hex) of the file's identity and of what is asked of it.

    Take it before the file is read, so that a change meanwhile makes the report stale. Raises OSError.
    """
    return _question(request, Identity.of(request.path))


def _question(request: Expectation, identity: Identity) -> str:
    gpu = (request.gpu, request.some_gpu, request.gpu_unknown)
    asked = (request.modules, *gpu, request.smoke_test, request.test_requires, request.smoke, request.asked)
    return hashlib.sha256(json.dumps([FORMAT, identity, asked]).encode()).hexdigest()


def recall(folder: Path, request: Expectation) -> Report | None:
    """Return the report in `folder` that answers this request, or None."""
    try:
        kept = parse(_Kept, json.loads((folder / _filename(request)).read_bytes()))
        identity = Identity.of(request.path)
        fresh = kept.question == _question(request, identity)
    except (OSError, ValueError, Mismatch):
        return None
    if not fresh:
        return None
    return Report(
        path=request.path,
        name=kept.name,
        version=kept.version,
        tags=kept.tags,
        identity=identity,
        sha256=kept.sha256,
        size=kept.size,
        metadata=kept.metadata.encode(),
        requires_python=kept.requires_python,
        libraries=kept.libraries,
        gpu_code=kept.gpu_code,
        checks=kept.checks,
        findings=(),
        seconds=0.0,
    )


def keep(folder: Path, request: Expectation, asked: str, report: Report) -> None:
    """Keep a report that passed; `asked` is the question as it was before the file was read."""
    kept = _Kept(
        question=asked,
        name=report.name,
        version=report.version,
        tags=report.tags,
        sha256=report.sha256,
        size=report.size,
        metadata=report.metadata.decode(),
        requires_python=report.requires_python,
        libraries=report.libraries,
        gpu_code=report.gpu_code,
        checks=report.checks,
    )
    write_whole(folder / _filename(request), json.dumps(asdict(kept)))


def _filename(request: Expectation) -> str:
    return f"{request.path.name}.json"
