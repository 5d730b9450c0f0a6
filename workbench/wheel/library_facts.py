"""What the libraries of a wheel say of the machines that it is for: all that a verdict needs of gigabytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.wheel.elf import Elf
    from workbench.wheel.gpu_code import GpuCode

_CUDART = re.compile(r"lib(?:cudart|cublas|cublasLt|nvrtc)\.so\.(\d\d)")
"""Libraries whose number is CUDA's major version."""

_EVEN_SINCE = 9
_FIRST_CUDA = {
    **{(7, minor): f"11.{minor}" for minor in range(9)},
    **{(8, minor): f"12.{minor}" for minor in range(6)},
    (8, 6): "12.7",
    (8, 7): "12.8",
    (8, 8): "12.9",
}
"""The first CUDA that knew each version of PTX before 9.0; CUDA 12.6 has that of 12.5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCode:
    """The GPU code in one file of a wheel that can be loaded: its architectures, ``sm_120`` or ``compute_90``."""

    path: str
    architectures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryFacts:
    """Facts about a wheel's libraries; the registry, a site's pages and the cache of ``gw`` have them in this form.

    `processors` are names of `elf.MACHINES`. `gpu_code` is of each file that has any, so it is empty for a wheel
    without. `toolkit` is the CUDA release whose nvcc wrote the PTX (``13.0``), and `compute` the CUDA that it was
    built for (``cu130``), or whose libraries it links against (``cu13``); both are "" where nothing says so.
    """

    processors: tuple[str, ...] = ()
    gpu_code: tuple[FileCode, ...] = ()
    toolkit: str = ""
    compute: str = ""


def library_facts(libraries: Iterable[Elf], codes: Iterable[GpuCode]) -> LibraryFacts:
    """Return the facts about libraries, and about the files that have GPU code."""
    libraries, codes = tuple(libraries), tuple(code for code in codes if code.loadable)
    needed = {name for library in libraries for name in library.needed}
    majors = {match[1] for name in needed if (match := _CUDART.fullmatch(name))}
    return LibraryFacts(
        processors=tuple(sorted({library.machine for library in libraries})),
        gpu_code=tuple(
            FileCode(path=code.path, architectures=tuple(map(str, code.loadable))) for code in codes
        ),
        toolkit=_cuda_of_isa(max((code.isa for code in codes), default=(0, 0))),
        compute=f"cu{majors.pop()}" if len(majors) == 1 else "",
    )


def _cuda_of_isa(isa: tuple[int, int]) -> str:
    """Return the first CUDA that knows a version of the PTX language (PTX ISA, release notes); "" of none that it has.

    From 9.0 on the two have the same minor part.
    """
    major, minor = isa
    if major >= _EVEN_SINCE:
        return f"{major + 4}.{minor}"
    return _FIRST_CUDA.get(isa, "")
