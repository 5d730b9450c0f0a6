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
    """Check GPU architectures against the numbers (``121``) that a CUDA release's nvcc knows.

    Raises ToolchainError, which names the first release that has what this one lacks.
    """
    for each in map(Architecture.parse, gpu):
        if each.number in known:
            continue
        having = [release for release in releases() if each.number in release.gpus]
        newest = releases()[-1]
        remedy = (
            f"the first that can is {having[0].compute} (CUDA {having[0].version})"
            if having
            else f"none that can be laid out does; {newest.compute}, the newest, knows "
            f"{', '.join(f'sm_{number}' for number in newest.gpus)}"
        )
        raise ToolchainError(f"CUDA {version} cannot compile for {each}: {remedy}")
