"""What verification says of a wheel: values that are printed, kept and handed to publishing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from workbench.wheel.elf import Elf  # noqa: TC001 - a kept report is parsed by its annotations
from workbench.wheel.gpu_code import GpuCode  # noqa: TC001 - likewise

if TYPE_CHECKING:
    from workbench.files import Identity

Cell = tuple[str, str]
"""A Python (``3.12``) and an architecture."""

Check = Literal["archive", "record", "metadata", "tags", "paths", "elf", "module", "gpu", "twine", "smoke"]

CHECKS: tuple[Check, ...] = get_args(Check)
"""Every check, in the order in which people read them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing wrong with a wheel: the check that found it, where (a member, a key), and what."""

    check: Check
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.check}: {self.where}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """A wheel to verify, and what only its recipe knows.

    `modules` are the import names that it must provide, `gpu` the architectures (``sm_121``) that every file with
    GPU code must have code for. `some_gpu` asks for GPU code of whatever architecture where `gpu` names none.
    `gpu_unknown` says why it is not known what to ask for, though it should be: that is a finding.

    With `smoke` the wheel is installed with `test_requires` (PEP 508) and tried: its modules are imported, then the
    code `smoke_test` is run; with the lowest Python that it claims and that is here, and for each cell of `asked`.
    """

    path: Path
    modules: tuple[str, ...] = ()
    gpu: tuple[str, ...] = ()
    some_gpu: bool = False
    gpu_unknown: str = ""
    smoke_test: str = ""
    test_requires: tuple[str, ...] = ()
    smoke: bool = False
    asked: tuple[Cell, ...] = ()


Fault = tuple[str, str]
"""Where something is wrong with a wheel, and what: a finding, before it is known of which check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFacts:
    """What is known of a wheel that was read in one pass: what publishing uses, and nothing is read again for.

    `name` (normalised), `version` and `tags` (sorted) are the filename's, or empty. `sha256` is hex, `size` in bytes,
    `requires_python` as written in METADATA. `libraries` are its ELF files, `gpu_code` that of each file that has any.
    `checks` are those that ran.
    """

    name: str = ""
    version: str = ""
    tags: tuple[str, ...] = ()
    sha256: str = ""
    size: int
    requires_python: str | None = None
    libraries: tuple[Elf, ...] = ()
    gpu_code: tuple[GpuCode, ...] = ()
    checks: tuple[Check, ...]

    def as_facts(self) -> dict[str, Any]:
        """Return them as keywords of a class that has more."""
        return {each.name: getattr(self, each.name) for each in fields(WheelFacts)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(WheelFacts):
    """One wheel's verification. The wheel passed when `findings` is empty.

    `identity` is the file's, taken before it was read; `metadata` is the ``METADATA`` file. `seconds` is the time of
    the pass and the smoke test; 0 for a report kept from an earlier run.
    """

    path: Path
    identity: Identity
    metadata: bytes = b""
    findings: tuple[Finding, ...] = ()
    seconds: float = 0

    @property
    def gpu_architectures(self) -> tuple[str, ...]:
        """The architectures for which the wheel has code that a GPU can come to run, each once (``sm_121``)."""
        return tuple(map(str, sorted({each for code in self.gpu_code for each in code.loadable})))

    @property
    def passed(self) -> bool:
        """Whether every check that ran found nothing."""
        return not self.findings

    def as_dict(self) -> dict[str, Any]:
        """Return the report as ``--json`` prints it. METADATA stands there as its hash."""
        return {
            "filename": self.path.name,
            "path": str(self.path),
            "passed": self.passed,
            **self.as_facts(),
            "metadata_sha256": hashlib.sha256(self.metadata).hexdigest() if self.metadata else None,
            "libraries": [asdict(library) for library in self.libraries],
            "gpu_code": [code.as_dict() for code in self.gpu_code],
            "findings": [asdict(finding) for finding in self.findings],
            "seconds": round(self.seconds, 3),
        }


def checks_table(reports: Sequence[Report]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return columns and rows, a row for each wheel: ✓ passed, ✗ found something, a dash did not run."""
    return ("wheel", *CHECKS), tuple(
        (report.path.name, *(_mark(report, check) for check in CHECKS)) for report in reports
    )


def findings_text(report: Report) -> str:
    """Return what is wrong with a wheel, a finding a line and the lines it quotes; empty when it passed."""
    if report.passed:
        return ""
    findings = "\n".join(f"  {finding}".replace("\n", "\n      ") for finding in report.findings)
    return f"{report.path}\n{findings}"


def _mark(report: Report, check: Check) -> str:
    if any(finding.check == check for finding in report.findings):
        return "✗"
    return "✓" if check in report.checks else "–"
