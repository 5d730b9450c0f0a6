"""Which Pythons a wheel is tried with: the lowest that it claims and that is here, and each that was asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.builders.interpreter import find_interpreter, interpreter_here
from workbench.errors import ContainerError, ToolMissing
from workbench.plan.target import this_arch, this_python
from workbench.toolchain.emulated import GLIBC, SUITES, EmulatedPython, emulated_python
from workbench.wheel.serves import PYTHONS, this_glibc

if TYPE_CHECKING:
    from workbench.verify.report import Cell
    from workbench.wheel.serves import Audience


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The Pythons to try a wheel with, by name: paths of this machine's, and others that run under qemu.

    `missing` says why one that this machine should have is not here, `untried` why others cannot be tried at all.
    """

    pythons: dict[str, Path | EmulatedPython]
    missing: str = ""
    untried: tuple[str, ...] = ()


def choose(audience: Audience, cells: Iterable[Cell], *, cache: Path) -> Chosen:
    """Return the Pythons to try a wheel with for some cells, which it serves."""
    pythons: dict[str, Path | EmulatedPython] = {}
    missing, untried = "", []
    for python, arch in dict.fromkeys(cells):
        here = arch == this_arch()
        try:
            if python not in audience.pythons(arch, this_glibc() if here else GLIBC):
                untried.append(f"it needs a newer glibc than Python {python} has here")
            elif here:
                pythons[python] = find_interpreter(python)
            else:
                pythons[f"{python} {arch}"] = emulated_python(python, arch, cache=cache)
        except (ToolMissing, ContainerError) as error:
            if here:
                missing = missing or str(error)
            else:
                untried.append(f"no Python {python} of {arch} runs here: {error}")
    return Chosen(pythons=pythons, missing=missing, untried=tuple(untried))


def own_cell(audience: Audience) -> Cell | None:
    """Return the Python and the architecture to try a wheel with; None for another system's.

    That is the lowest Python that it claims and that is here, or the lowest that it claims where none is. A wheel that
    claims even Pythons that are too old to try names no floor: it is tried with the workbench's own.
    """
    claimed = audience.pythons(this_arch(), this_glibc())
    if claimed[:1] == PYTHONS[:1] and this_python() in claimed:
        return this_python(), this_arch()
    if claimed:
        here = filter(interpreter_here, claimed if len(claimed) > 1 else ())
        return next(here, claimed[0]), this_arch()
    for arch in audience.architectures:
        if arch != this_arch() and (claimed := audience.pythons(arch, GLIBC)):
            return next((each for each in claimed if each in SUITES), claimed[0]), arch
    return None
