"""GPU architectures in the words of each build system, and whether a CUDA release knows them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import ToolchainError
from workbench.plan.gpu import PTX, Architecture
from workbench.toolchain.pins import releases

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def cmake_architectures(gpu: Iterable[str]) -> str:
    """Return GPU architectures as ``CMAKE_CUDA_ARCHITECTURES`` has them: ``121-real;120-virtual``."""
    parsed = map(Architecture.parse, gpu)
    return ";".join(
        f"{each.number}{each.feature}-{'virtual' if each.kind == PTX else 'real'}" for each in parsed
    )


def torch_architectures(gpu: Iterable[str]) -> str:
    """Return GPU architectures as ``TORCH_CUDA_ARCH_LIST`` has them: ``12.1;12.0+PTX``.

    torch has no word for PTX alone: ``compute_120`` gives machine code for it as well.
    """
    with_ptx: dict[str, bool] = {}
    for each in map(Architecture.parse, gpu):
        key = f"{each.major}.{each.minor}{each.feature}"
        with_ptx[key] = with_ptx.get(key, False) or each.kind == PTX
    return ";".join(f"{key}{'+PTX' if ptx else ''}" for key, ptx in with_ptx.items())


def check_gpus(gpu: Sequence[str], *, version: str, known: Sequence[int]) -> None:
    """Check GPU architectures against the numbers (``121``) that a CUDA release's nvcc knows, and their letters.

    nvcc lists numbers only; which of them may have an ``a`` or an ``f`` is in its manual.

    Raises ToolchainError, which names the first release that has what this one lacks, or what to ask for instead.
    """
    for each in map(Architecture.parse, gpu):
        cannot = f"CUDA {version} cannot compile for {each}: "
        if each.number not in known:
            raise ToolchainError(cannot + _first_that_can(each))
        if each.feature and each.number < _FIRST_NUMBER[each.feature]:
            raise ToolchainError(
                f"{cannot}there is code with {each.feature!r} for sm_{_FIRST_NUMBER[each.feature]} and later; "
                f"leave the letter off: {each.kind}_{each.number}"
            )
        if each.feature == "f" and tuple(map(int, version.split(".")[:2])) < _FIRST_WITH_FAMILIES:
            raise ToolchainError(
                f"{cannot}code for a family there is from CUDA {'.'.join(map(str, _FIRST_WITH_FAMILIES))} on"
            )


_FIRST_NUMBER = {"a": 90, "f": 100}
"""The first architecture that has features of its own, and the first that has some in common with its family."""
_FIRST_WITH_FAMILIES = (12, 9)
"""The CUDA release whose nvcc was the first to know families."""


def _first_that_can(gpu: Architecture) -> str:
    having = [release for release in releases() if gpu.number in release.gpus]
    if having:
        return f"the first that can is {having[0].compute} (CUDA {having[0].version})"
    newest = releases()[-1]
    return (
        f"none that can be laid out does; {newest.compute}, the newest, knows "
        f"{', '.join(f'sm_{number}' for number in newest.gpus)}"
    )
