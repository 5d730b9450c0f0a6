"""The GPU code of a file, as values: for which architectures, in which places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from workbench.plan.gpu import LTO, Architecture

Place = Literal["linked", "relocatable", "embedded"]
"""Where code lies: loaded by the CUDA runtime, not loaded by anything, or loaded by the library itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The code for one architecture in one place: its entries and their bytes in the file.

    `isa` is the newest version of the PTX language among them, (9, 0): a driver must know it to compile them. It is
    that of PTX's own documentation, and (0, 0) for machine code.
    """

    architecture: Architecture
    place: Place
    count: int
    size: int
    isa: tuple[int, int] = (0, 0)

    @property
    def runs(self) -> bool:
        """Whether a GPU can come to run it: it does not still wait for a linker."""
        return self.place != "relocatable" and self.architecture.kind != LTO


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuCode:
    """The GPU code of one file, in the order of places and architectures.

    `unknown_kinds` are the kinds of entries that this reader has no name for.
    """

    path: str
    codes: tuple[Code, ...]
    unknown_kinds: tuple[int, ...] = ()

    @property
    def loadable(self) -> tuple[Architecture, ...]:
        """The architectures of code that a GPU can come to run."""
        return tuple(sorted({c.architecture for c in self.codes if c.runs}))

    @property
    def isa(self) -> tuple[int, int]:
        """The newest version of the PTX language in code that a GPU can come to run; (0, 0) without PTX."""
        return max((code.isa for code in self.codes if code.runs), default=(0, 0))

    def at(self, place: Place) -> tuple[Code, ...]:
        """Return the code of one place."""
        return tuple(code for code in self.codes if code.place == place)

    def as_dict(self) -> dict[str, Any]:
        """Return the plain form, for JSON: architectures with their counts of entries, by place."""
        counts = {place: {str(c.architecture): c.count for c in self.at(place)} for place in get_args(Place)}
        plain: dict[str, Any] = {"path": self.path, "bytes": sum(code.size for code in self.codes), **counts}
        return {**plain, "unknown_kinds": list(self.unknown_kinds)} if self.unknown_kinds else plain
