"""The names of GPU architectures, as nvcc and ROCm spell them: ``sm_121``, ``compute_120``, ``gfx1151``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

from workbench.errors import UsageError

SASS, PTX, LTO = "sm", "compute", "lto"
_KINDS = (SASS, PTX, LTO)
_NAME = re.compile(r"(sm|compute|lto)_(\d{2,3})([af]?)")
_AMD = re.compile(r"gfx[0-9a-f]{3,4}")


def can_be_asked_for(name: str) -> bool:
    """Say whether a name is of machine code or PTX; ``lto`` code is only met in binaries."""
    return bool(_NAME.fullmatch(name)) and not name.startswith(LTO)


def is_amd(name: str) -> bool:
    """Say whether a name is of a GPU of AMD's, as ROCm spells it: ``gfx1151``."""
    return bool(_AMD.fullmatch(name))


@total_ordering
@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """What GPU code is made for.

    `kind` is ``sm`` (machine code), ``compute`` (PTX, compiled by the driver when it is loaded) or ``lto`` (input of a
    link that is still to come). `number` is the compute capability without its point: 121. `feature` is ``a`` for code
    that only this architecture runs, ``f`` for code that only its family runs, or empty.
    """

    kind: str
    number: int
    feature: str = ""

    @classmethod
    def parse(cls, name: str) -> Architecture:
        """Return the architecture of a name. Raises UsageError."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise UsageError(
                f"{name!r} is not a GPU architecture: write sm_121 for machine code, compute_121 for PTX "
                "(followed by a or f for the features of one architecture or of its family)"
            )
        return cls(kind=match[1], number=int(match[2]), feature=match[3])

    @property
    def major(self) -> int:
        """The compute capability's first part, 12 of 121."""
        return self.number // 10

    @property
    def minor(self) -> int:
        """The compute capability's second part, 1 of 121."""
        return self.number % 10

    def __str__(self) -> str:
        return f"{self.kind}_{self.number}{self.feature}"

    def __lt__(self, other: Architecture) -> bool:
        return self._key < other._key

    @property
    def _key(self) -> tuple[int, int, str]:
        return _KINDS.index(self.kind), self.number, self.feature
