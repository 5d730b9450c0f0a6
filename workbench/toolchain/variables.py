"""What a build is told of its jobs, its toolkit and its GPUs, in the words of each build system. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from packaging.version import Version

from workbench.plan.gpu import PTX, Architecture

FLAGS = ("CFLAGS", "CXXFLAGS", "LDFLAGS", "CMAKE_ARGS", "NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS")
_SEARCH_PATHS = ("PATH", "PYTHONPATH")
_SEED = "-frandom-seed=0"
"""What nvcc writes in place of its process's number.

That is in the names of all that is a file's own, where the file defines no function for others. The names still
tell files apart: a hash of the file's path is in them too.
"""


def config_settings(
    backend: str, *, jobs: int, objects: Path | None = None, meson_cross_file: Path | None = None
) -> dict[str, str]:
    """Return the settings (PEP 517) that a build backend's hooks must be called with: Meson reads no variables.

    `objects` is the folder to compile into, for those who else take a temporary one.
    """
    into = {"build-dir": str(objects)} if objects else {}
    if backend == "scikit_build_core.build":
        return into
    if backend != "mesonpy":
        return {}
    crossing = {"setup-args": f"--cross-file={meson_cross_file}"} if meson_cross_file else {}
    return {"compile-args": f"-j{jobs}", **into, **crossing}


def build_variables(
    tools: Mapping[str, str], recipe: Mapping[str, str], *, jobs: int, epoch: int
) -> dict[str, str]:
    """Return what every builder tells a build: the cap on its compilers, its `tools`, and the `recipe`'s.

    And the source's time, `epoch`, in seconds since 1970, which compilers and build backends take for today's.
    """
    own = {
        "MAX_JOBS": str(jobs),
        "CMAKE_BUILD_PARALLEL_LEVEL": str(jobs),
        "SOURCE_DATE_EPOCH": str(epoch),
        # a setup.py that makes a list of a set has another order in each process otherwise (deepspeed's extras)
        "PYTHONHASHSEED": "0",
    }
    return joined(own, tools, recipe)


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


def cuda_environment(toolkit: Path, gpu: Sequence[str], *, release: str) -> dict[str, str]:
    """Return the variables for a build with a toolkit, compiled for `gpu` (``sm_121``, ``compute_120``).

    `release` is the toolkit's, as in ``13.0``. ``PATH`` and ``CMAKE_ARGS`` are what to add to those that there are: see
    `joined`. Raises ToolchainError for an unknown GPU architecture.
    """
    architectures = cmake_architectures(gpu)
    # nvcc 13 has the option; an older one may not, and then compiles nothing
    seed = {"NVCC_PREPEND_FLAGS": _SEED} if Version(release) >= Version("13") else {}
    return {
        "CUDA_HOME": str(toolkit),
        "CUDA_PATH": str(toolkit),
        "CUDAToolkit_ROOT": str(toolkit),
        "CUDACXX": str(toolkit / "bin" / "nvcc"),
        "PATH": str(toolkit / "bin"),
        "TORCH_CUDA_ARCH_LIST": torch_architectures(gpu),
        # CMake reads the first; the second wins over a project that has a default of its own
        "CUDAARCHS": architectures,
        "CMAKE_ARGS": f"-DCMAKE_CUDA_ARCHITECTURES={architectures}",
        # nvcc names symbols after temporary files that are called after its process: nobody needs these in a wheel
        "LDFLAGS": "-s",
        **seed,
    }


def rocm_environment(gpu: Sequence[str]) -> dict[str, str]:
    """Return the variables for a build with ROCm, compiled for `gpu` (``gfx1151``)."""
    architectures = ";".join(gpu)
    return {"PYTORCH_ROCM_ARCH": architectures, "CMAKE_ARGS": f"-DCMAKE_HIP_ARCHITECTURES={architectures}"}


def joined(*environments: Mapping[str, str]) -> dict[str, str]:
    """Lay environments over each other: of a variable that several have, the last one's value holds.

    Lists are joined, so that the last one's items hold: flags after those before, where they override, and
    folders of a search path in front.
    """
    result: dict[str, str] = {}
    for environment in environments:
        for name, value in environment.items():
            before = result.get(name)
            if before and name in FLAGS:
                result[name] = f"{before} {value}"
            elif before and name in _SEARCH_PATHS:
                result[name] = f"{value}{os.pathsep}{before}"
            else:
                result[name] = value
    return result
