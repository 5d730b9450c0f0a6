"""What a line of a build's log can tell of why the build fails, where that is not the package's fault. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from workbench.errors import ToolchainError, WorkbenchError


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A `sign` to look for in a line (a pattern), and what it means.

    `error` is the kind that the failure then is; None: the kind that it is anyway.
    """

    sign: str
    meaning: str
    error: type[WorkbenchError] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A line that tells of a trouble."""

    trouble: Trouble
    line: str


DISK_FULL = "No space left on device"

TROUBLES = (
    Trouble(
        sign=r"\bKilled\b",
        meaning="a compiler was killed, as the kernel does when memory runs out: give --max-jobs a smaller number",
    ),
    Trouble(
        sign="mismatches the version that was used to compile",
        meaning="torch of the package index is built for another CUDA than the wheel: name another --torch or "
        "another --compute, or an index that has a torch for it (UV_INDEX)",
        error=ToolchainError,
    ),
    Trouble(
        # uv's words for a release, or a wheel for this Python, that the index has not; then pip's
        sign=r"(only torch\S+ (is|are) available|no version of torch==|torch\S* has no wheels with) .*\btorch=="
        "|No matching distribution found for torch==",
        meaning="the package index has no such torch for this Python and architecture: name another --torch",
        error=ToolchainError,
    ),
    Trouble(
        # uv's words; where it has tried again, the count of that stands above them
        sign=r"^\s*(error|cause): (Failed to fetch: |Failed to download(?! and build)|Request failed after \d+ retr)",
        meaning="the package index did not give what the build requires",
        error=WorkbenchError,
    ),
)
"""Those that a build meets wherever it runs."""


def look_for(line: str, troubles: Iterable[Trouble]) -> Seen | None:
    """Return the trouble that a line tells of, or None."""
    for trouble in troubles:
        if re.search(trouble.sign, line):
            return Seen(trouble=trouble, line=line.strip())
    return None
