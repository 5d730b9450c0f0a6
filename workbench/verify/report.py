"""What verification says of a wheel: values that are printed, kept and handed to publishing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

Check = Literal["archive", "record", "metadata", "tags", "paths", "elf", "module", "twine", "smoke"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing wrong with a wheel: the check that found it, where (a member, a key), and what."""

    check: Check
    where: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One wheel's verification.

    `sha256` (hex), `size` (bytes) and `metadata` (the ``METADATA`` file, as in the wheel) come out of the one
    pass over the file and are what publishing uses: nothing is hashed or unpacked again. `checks` are those
    that ran; the wheel passed when `findings` is empty.
    """

    path: Path
    sha256: str
    size: int
    metadata: bytes
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every check that ran found nothing."""
        return not self.findings
