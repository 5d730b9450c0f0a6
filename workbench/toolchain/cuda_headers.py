"""Which of CUDA's libraries a header belongs to: what an ``#include`` asks of a recipe's ``cuda_libraries``."""

from __future__ import annotations

import re

HEADERS = {
    "cublas": r"cublas(Lt|Xt|_api|_v2)?|nvblas",
    "cufft": r"cufft(Xt|w|_device)?|cudalibxt",
    "cufile": r"cufile",
    "cupti": r"cupti(_\w+)?|nvperf_\w+|generated_\w+_meta",
    "curand": r"curand(_\w+)?",
    "cusolver": r"cusolver(Dn|Mg|Rf|Sp|_common|Sp_LOWLEVEL_PREVIEW)",
    "cusparse": r"cusparse(_v2)?",
    "npp": r"npp[is]?|npp(core|defs)|npp[is]_\w+",
    "nvfatbin": r"nvFatbin",
    "nvjitlink": r"nvJitLink",
    "nvjpeg": r"nvjpeg",
    "nvml": r"nvml",
    "nvptxcompiler": r"nvPTXCompiler",
}
"""Of each library of `workbench.toolchain.pins` the names of its headers, as NVIDIA's wheels have them.

Products of their own (cuDNN, NCCL, cuSPARSELt, cuBLASDx) are none of the toolkit's libraries.
"""

TORCH_LIBRARIES = ("cublas", "cusolver", "cusparse")
"""The libraries whose headers torch's own include: every extension of torch that has CUDA code needs them."""


def library_of(header: str) -> str | None:
    """Return the library (``cublas``) that has a header (``cublas_v2.h``), or None: the runtime, or another product."""
    name = header.removesuffix(".h")
    if name == header:
        return None
    return next((library for library, names in HEADERS.items() if re.fullmatch(names, name)), None)


def libraries_of(header: str) -> tuple[str, ...]:
    """Return the libraries that a header needs, torch's own headers included (``ATen/cuda/CUDAContext.h``)."""
    if header == "ATen/cuda/CUDAContext.h":
        return TORCH_LIBRARIES
    library = library_of(header)
    return (library,) if library else ()
