"""Where the libraries of CUDA and PyTorch come from at run time. Nothing here reads a file.

They are never grafted: two copies of one of them in a process do not know of each other's state, and each has
hundreds of megabytes. The driver's come with the driver. The others come with a requirement of the wheel, into a
folder of site-packages that NVIDIA's packages and PyTorch agree on; there they are found through an RPATH, or
because ``import torch`` has loaded them before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
        return any(
            canonicalize_name(each.name) == self.project
            and (not self.extra or bool({self.extra, "all"} & each.extras))
            for each in requirements
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Libraries whose names match `pattern`, and who may bring them, the usual one first."""

    pattern: re.Pattern[str]
    carriers: tuple[Carrier, ...]


def requirements(requires_dist: Iterable[str], arch: str) -> tuple[Requirement, ...]:
    """Return the requirements that hold on Linux and `arch` without any extra. A malformed one is none."""
    return tuple(each for text in requires_dist for each in _parse(text) if _holds(each, arch))


def source_of(soname: str) -> Source | None:
    """Return where a library of CUDA or PyTorch comes from; None for any other, and for the driver's."""
    return next((source for source in _SOURCES if source.pattern.fullmatch(soname)), None)


def _parse(text: str) -> Iterator[Requirement]:
    try:
        yield Requirement(text)
    except InvalidRequirement:
        return


def _holds(requirement: Requirement, arch: str) -> bool:
    linux = {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_machine": arch,
    }
    return requirement.marker is None or requirement.marker.evaluate({**linux, "extra": ""})


_TOGETHER = "nvidia/cu13/lib"
"""Where the packages without a suffix lie, which are those of CUDA 13."""

_MAJORS = (13, 12, 11)
_UNSUFFIXED = 13


def _cuda(
    package: str, names: str, *, extra: str, folder: str, numbered: bool = False, torch: bool = True
) -> Iterator[Source]:
    """Yield the sources of a part of the toolkit, a package for each major version of CUDA.

    `numbered` says that the libraries' number is CUDA's; `torch`, that PyTorch links to them.
    """
    by_major = {
        major: (
            Carrier(project=f"nvidia-{package}", folder=_TOGETHER),
            Carrier(project="cuda-toolkit", extra=extra, folder=_TOGETHER),
        )
        if major == _UNSUFFIXED
        else (Carrier(project=f"nvidia-{package}-cu{major}", folder=f"nvidia/{folder}/lib"),)
        for major in _MAJORS
    }
    if numbered:
        for major, carriers in by_major.items():
            last = Carrier(project="torch", folder=carriers[0].folder, preloaded=torch)
            yield Source(
                pattern=re.compile(rf"lib({names})\.so\.{major}(\.\d+)*"), carriers=(*carriers, last)
            )
    else:
        every = [carrier for carriers in by_major.values() for carrier in carriers]
        if torch:
            every.append(Carrier(project="torch", folder="", preloaded=True))
        yield Source(pattern=re.compile(rf"lib({names})\.so\.\d+(\.\d+)*"), carriers=tuple(every))


def _apart(package: str, names: str) -> Iterator[Source]:
    """Yield the source of a library beside the toolkit: its packages all have a suffix and one folder."""
    carriers = (
        Carrier(project=f"nvidia-{package}-cu{major}", folder=f"nvidia/{package}/lib") for major in _MAJORS
    )
    torch = Carrier(project="torch", folder=f"nvidia/{package}/lib", preloaded=True)
    yield Source(pattern=re.compile(rf"lib({names})\.so\.\d+(\.\d+)*"), carriers=(*carriers, torch))


_SOURCES: tuple[Source, ...] = (
    Source(
        pattern=re.compile(r"lib(torch\w*|c10\w*|shm|caffe2\w*)\.so"),
        carriers=(Carrier(project="torch", folder="torch/lib", preloaded=True),),
    ),
    *_cuda("cuda-runtime", "cudart", extra="cudart", folder="cuda_runtime", numbered=True),
    *_cuda("cublas", "cublas|cublasLt|nvblas", extra="cublas", folder="cublas", numbered=True),
    *_cuda("cufft", "cufft|cufftw", extra="cufft", folder="cufft"),
    *_cuda("curand", "curand", extra="curand", folder="curand"),
    *_cuda("cusolver", "cusolver|cusolverMg", extra="cusolver", folder="cusolver"),
    *_cuda("cusparse", "cusparse", extra="cusparse", folder="cusparse"),
    *_cuda("nvjitlink", "nvJitLink", extra="nvjitlink", folder="nvjitlink", numbered=True),
    *_cuda("cuda-cupti", "cupti", extra="cupti", folder="cuda_cupti", numbered=True),
    # PyTorch loads this one only when it compiles
    *_cuda(
        "cuda-nvrtc", "nvrtc|nvrtc-builtins", extra="nvrtc", folder="cuda_nvrtc", numbered=True, torch=False
    ),
    *_cuda("cufile", "cufile|cufile_rdma", extra="cufile", folder="cufile"),
    *_cuda("nvtx", "nvToolsExt|nvtx3interop", extra="nvtx", folder="nvtx", torch=False),
    *_cuda("nvjpeg", "nvjpeg", extra="nvjpeg", folder="nvjpeg", torch=False),
    *_cuda("npp", r"npp\w+", extra="npp", folder="npp", torch=False),
    *_apart("cudnn", r"cudnn\w*"),
    *_apart("nccl", "nccl"),
    *_apart("cusparselt", "cusparseLt"),
    *_apart("nvshmem", r"nvshmem\w*"),
)
