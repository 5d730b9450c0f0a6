"""GNU compilers that run here and compile for another architecture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.errors import ToolMissing
from workbench.plan.target import this_arch
from workbench.process import find_program


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossGcc:
    """A cross compiler: `triple` is GNU's name of what it compiles for, `folder` where its programs are."""

    triple: str
    folder: Path

    @property
    def cc(self) -> Path:
        """The C compiler."""
        return self.tool("gcc")

    @property
    def cxx(self) -> Path:
        """The C++ compiler, nvcc's host compiler."""
        return self.tool("g++")

    def tool(self, name: str) -> Path:
        """Return one of its programs: ``ar``, ``ld``, ``strip``."""
        return self.folder / f"{self.triple}-{name}"


def cross_gcc(arch: str) -> CrossGcc:
    """Return this machine's cross compiler for an architecture.

    Raises ToolMissing, with the way to get it; and for what we do not cross to at all.
    """
    if (this_arch(), arch) != ("x86_64", "aarch64"):
        raise ToolMissing(
            f"there is no way here from {this_arch()} to {arch}: wheels are cross-built from x86_64 for "
            f"aarch64. Build on a machine of {arch}, or with --builder container"
        )
    triple = f"{arch}-linux-gnu"
    return CrossGcc(triple=triple, folder=Path(find_program(f"{triple}-g++")).parent)
