"""What verification says of a wheel: values that are printed, kept and handed to publishing."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.files import Identity
    from workbench.wheel.elf import Elf
    from workbench.wheel.fatbin import GpuCode

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
class Report:
    """One wheel's verification.

    `sha256` (hex), `size` (bytes), `metadata` (the ``METADATA`` file, as in the wheel), `requires_python` (as
    written there), `libraries` (its ELF files) and `gpu_code` (of each file that has any) come out of the one
    pass over the file and are what publishing uses: nothing is hashed or unpacked again. `identity` is the file's,
    taken before it was read. `name` (normalised),
    `version` and `tags` (sorted) are the filename's, or empty. `checks` are those that ran; the wheel passed when
    `findings` is empty. `seconds` is the time of the pass and the smoke test; 0 for a report kept from an earlier
    run.
    """

    path: Path
    name: str
    version: str
    tags: tuple[str, ...]
    identity: Identity
    sha256: str
    size: int
    metadata: bytes
    requires_python: str | None
    libraries: tuple[Elf, ...]
    gpu_code: tuple[GpuCode, ...] = ()
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    seconds: float

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
            "name": self.name,
            "version": self.version,
            "tags": list(self.tags),
            "sha256": self.sha256,
            "size": self.size,
            "metadata_sha256": hashlib.sha256(self.metadata).hexdigest() if self.metadata else None,
            "requires_python": self.requires_python,
            "libraries": [asdict(library) for library in self.libraries],
            "gpu_code": [code.as_dict() for code in self.gpu_code],
            "checks": list(self.checks),
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
