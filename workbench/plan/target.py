"""What a wheel is built for."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass

from workbench.errors import UsageError

_PYTHON = re.compile(r"3\.(\d{1,2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A Python (``"3.12"``), an architecture as ``uname -m`` says it, and a compute platform."""

    python: str
    arch: str
    compute: str = "cpu"

    @property
    def python_tag(self) -> str:
        """The Python tag of PEP 425, ``cp312``."""
        return f"cp{self.python.replace('.', '')}"

    def __str__(self) -> str:
        return f"{self.python_tag} {self.arch} {self.compute}"


def this_arch() -> str:
    """Return this machine's architecture: ``x86_64``, ``aarch64``."""
    return platform.machine()


def this_python() -> str:
    """Return the X.Y of the Python that runs the workbench."""
    return ".".join(platform.python_version_tuple()[:2])


def parse_pythons(text: str) -> tuple[str, ...]:
    """Read ``3.10``, ``3.10,3.12`` or ``3.10-3.13`` (both ends included) into X.Y versions, in order, once each.

    Raises UsageError.
    """
    minors: set[int] = set()
    for part in text.split(","):
        ends = [_PYTHON.fullmatch(end.strip()) for end in part.split("-")]
        if not 1 <= len(ends) <= 2 or not all(ends):  # noqa: PLR2004 - one version, or the two ends of a range
            raise UsageError(f"--python {text}: {part!r} is neither a version (3.12) nor a range (3.10-3.13)")
        first, last = (int(end[1]) for end in (ends[0], ends[-1]) if end)
        if first > last:
            raise UsageError(f"--python {text}: the range {part!r} runs backwards")
        minors.update(range(first, last + 1))
    return tuple(f"3.{minor}" for minor in sorted(minors))
