"""GPU architectures in the words of each build system, and whether a CUDA release knows them. Pure.

``sm_121`` is machine code (SASS) for one architecture, ``compute_120`` code that the driver translates (PTX); an
``a`` at the end allows what only that very architecture has, an ``f`` what its family has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import ToolchainError
from workbench.toolchain.pins import releases

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_GPU = re.compile(r"(?P<code>sm|compute)_(?P<number>\d{2,3})(?P<feature>[af]?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A GPU architecture to compile for. `number` and `feature` are ``121`` and ``a`` of ``sm_121a``."""

    number: int
    feature: str
    ptx: bool


def parse(gpu: Iterable[str]) -> tuple[Gpu, ...]:
    """Read ``sm_121``, ``compute_120`` and the like. Raises ToolchainError for what is neither."""
    return tuple(_parse(each) for each in gpu)


def cmake_architectures(gpu: Iterable[str]) -> str:
    """Return GPU architectures as ``CMAKE_CUDA_ARCHITECTURES`` has them: ``121-real;120-virtual``."""
    return ";".join(f"{each.number}{each.feature}-{'virtual' if each.ptx else 'real'}" for each in parse(gpu))


def torch_architectures(gpu: Iterable[str]) -> str:
    """Return GPU architectures as ``TORCH_CUDA_ARCH_LIST`` has them: ``12.1;12.0+PTX``.

    torch has no word for PTX alone: ``compute_120`` gives machine code for it as well.
    """
    with_ptx: dict[tuple[int, str], bool] = {}
    for each in parse(gpu):
        key = each.number, each.feature
        with_ptx[key] = with_ptx.get(key, False) or each.ptx
    return ";".join(
        f"{number // 10}.{number % 10}{feature}{'+PTX' if ptx else ''}"
        for (number, feature), ptx in with_ptx.items()
    )


def nvcc_flags(gpu: Iterable[str]) -> str:
    """Return GPU architectures as nvcc's options: ``-gencode=arch=compute_121,code=sm_121``.

    In ``NVCC_APPEND_FLAGS`` they reach every nvcc of a build, and add to what the build chooses itself.
    """
    return " ".join(
        f"-gencode=arch=compute_{each.number}{each.feature},"
        f"code={'compute' if each.ptx else 'sm'}_{each.number}{each.feature}"
        for each in parse(gpu)
    )


def check_gpus(gpu: Sequence[str], *, version: str, known: Sequence[int]) -> None:
    """Check GPU architectures against the numbers (``121``) that a CUDA release's nvcc knows.

    Raises ToolchainError, which names the first release that has what this one lacks.
    """
    for text, each in zip(gpu, parse(gpu), strict=True):
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
        raise ToolchainError(f"CUDA {version} cannot compile for {text}: {remedy}")


def _parse(text: str) -> Gpu:
    match = _GPU.fullmatch(text)
    if not match:
        raise ToolchainError(
            f"{text!r} is no GPU architecture: write sm_121 (machine code) or compute_120 (PTX)"
        )
    return Gpu(number=int(match["number"]), feature=match["feature"], ptx=match["code"] == "compute")
