"""Where the libraries of CUDA and PyTorch come from at run time. Nothing here reads a file.

They are never grafted: two copies of one of them in a process do not know of each other's state, and each has
hundreds of megabytes. The driver's come with the driver. The others come with a requirement of the wheel, into a
folder of site-packages that NVIDIA's packages and PyTorch agree on; there they are found through an RPATH, or
because ``import torch`` has loaded them before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

DRIVER = ("libcuda.so*", "libcudadebugger.so*", "libnvidia-*.so*", "libnvcuvid.so*", "libnvoptix.so*")
"""Libraries that come with the driver, on the machine that has the GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A project that brings a library into `folder` of site-packages, where it does with the `extra` asked for.

    `preloaded` says that whoever imports the project has loaded the library.
    """

    project: str
    folder: str
    extra: str = ""
    preloaded: bool = False

    def __str__(self) -> str:
        return f"{self.project}[{self.extra}]" if self.extra else self.project

    def is_required(self, requirements: Sequence[Requirement]) -> bool:
        """Say whether a wheel with these requirements has it installed."""
        named = [each for each in requirements if canonicalize_name(each.name) == self.project]
        return any(not self.extra or {self.extra, "all"} & each.extras for each in named)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Libraries of some `names` (``cublas``, ``npp*``), and who may bring them, by their number (``13``)."""

    names: tuple[str, ...]
    carriers: dict[str, tuple[Carrier, ...]]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What matches the sonames."""
        names = "|".join(self.names).replace("*", r"\w*")
        return re.compile(rf"lib(?:{names})\.so(?:\.(?P<number>\d+)[\d.]*)?")

    def able(self, soname: str) -> tuple[Carrier, ...]:
        """Return who may bring a library of this source, the usual one first; nobody brings an unknown number."""
        match = self.pattern.fullmatch(soname)
        return self.carriers.get(match["number"] or "", ()) if match else ()


def requirements(requires_dist: Iterable[str], arch: str) -> tuple[Requirement, ...]:
    """Return the requirements that hold on Linux and `arch` without any extra. A malformed one is none."""
    there, found = {"platform_machine": arch, "extra": ""}, []
    for text in requires_dist:
        with suppress(InvalidRequirement):
            found.append(Requirement(text))
    return tuple(each for each in found if each.marker is None or each.marker.evaluate(there))


def source_of(soname: str) -> Source | None:
    """Return where a library of CUDA or PyTorch comes from; None for any other, and for the driver's."""
    return next((source for source in _SOURCES if source.pattern.fullmatch(soname)), None)


def import_first(needed: Iterable[str]) -> tuple[str, ...]:
    """Return the projects that must be imported before a library that needs these: they alone bring and load one."""
    brought = [source.able(name) for name in needed if (source := source_of(name))]
    loaded = [able[0].project for able in brought if able and all(each.preloaded for each in able)]
    return tuple(dict.fromkeys(loaded))


_TOGETHER = "nvidia/cu13/lib"
"""Where the packages without a suffix lie, which are those of CUDA 13."""


def _toolkit(
    package: str,
    names: str,
    numbers: tuple[str, str],
    *,
    folder: str = "",
    extra: str = "",
    torch: Literal["loads", "brings", ""] = "",
) -> Source:
    """Return the source of a part of the toolkit: its libraries' names, and their numbers in CUDA 13 and 12.

    `folder` and `extra` (of ``cuda-toolkit``) are the package's name unless given. `torch` says whether importing
    PyTorch loads them, or PyTorch only requires them.
    """
    of_13 = [
        Carrier(project=f"nvidia-{package}", folder=_TOGETHER),
        Carrier(project="cuda-toolkit", extra=extra or package, folder=_TOGETHER),
    ]
    of_12 = [Carrier(project=f"nvidia-{package}-cu12", folder=f"nvidia/{folder or package}/lib")]
    carriers: dict[str, tuple[Carrier, ...]] = {}
    for number, able in zip(numbers, (of_13, of_12), strict=True):
        if torch:
            able.append(Carrier(project="torch", folder=able[0].folder, preloaded=torch == "loads"))
        carriers[number] = (*carriers.get(number, ()), *able)
    return Source(names=tuple(names.split()), carriers=carriers)


def _beside(package: str, names: str, number: str) -> Source:
    """Return the source of a library beside the toolkit: its packages all have a suffix, and one folder."""
    folder = f"nvidia/{package}/lib"
    carriers = (
        *(Carrier(project=f"nvidia-{package}-cu{major}", folder=folder) for major in (13, 12)),
        Carrier(project="torch", folder=folder, preloaded=True),
    )
    return Source(names=tuple(names.split()), carriers={number: carriers})


_SOURCES: tuple[Source, ...] = (
    Source(
        names=("torch*", "c10*", "shm", "caffe2*"),
        carriers={"": (Carrier(project="torch", folder="torch/lib", preloaded=True),)},
    ),
    _toolkit("cuda-runtime", "cudart", ("13", "12"), folder="cuda_runtime", extra="cudart", torch="loads"),
    _toolkit("cublas", "cublas cublasLt nvblas", ("13", "12"), torch="loads"),
    _toolkit("cufft", "cufft cufftw", ("12", "11"), torch="loads"),
    _toolkit("cusparse", "cusparse", ("12", "12"), torch="loads"),
    _toolkit("nvjitlink", "nvJitLink", ("13", "12"), torch="loads"),
    _toolkit("cuda-cupti", "cupti", ("13", "12"), folder="cuda_cupti", extra="cupti", torch="loads"),
    # these two are loaded when PyTorch comes to need them
    _toolkit("cusolver", "cusolver cusolverMg", ("12", "11"), torch="brings"),
    _toolkit(
        "cuda-nvrtc", "nvrtc nvrtc-builtins", ("13", "12"), folder="cuda_nvrtc", extra="nvrtc", torch="brings"
    ),
    _toolkit("curand", "curand", ("10", "10")),
    _toolkit("cufile", "cufile cufile_rdma", ("0", "0")),
    _toolkit("nvtx", "nvToolsExt nvtx3interop", ("1", "1")),
    _toolkit("nvjpeg", "nvjpeg", ("13", "12")),
    _toolkit("npp", "npp*", ("13", "12")),
    _beside("cudnn", "cudnn*", "9"),
    _beside("nccl", "nccl", "2"),
    _beside("cusparselt", "cusparseLt", "0"),
    _beside("nvshmem", "nvshmem*", "3"),
)

NEVER_GRAFTED = (*DRIVER, *(f"lib{name}.so*" for source in _SOURCES for name in source.names))
"""All of them, as auditwheel takes what to leave out."""
