"""The variables that make a build use a CUDA toolkit, and how environments are laid over each other. Pure."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.toolchain.architectures import cmake_architectures, torch_architectures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FLAGS = ("CFLAGS", "CXXFLAGS", "LDFLAGS", "CMAKE_ARGS", "NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS")
SEARCH_PATHS = ("PATH", "PYTHONPATH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What a build is told: `variables`, and the file that Meson must be handed in a cross build."""

    variables: dict[str, str]
    meson_cross_file: Path | None = None

    def config_settings(self, backend: str, *, jobs: int) -> dict[str, str]:
        """Return the settings that a build backend's hooks must be called with (PEP 517); most need none."""
        settings = job_settings(backend, jobs)
        if backend == "mesonpy" and self.meson_cross_file:
            settings["setup-args"] = f"--cross-file={self.meson_cross_file}"
        return settings


def job_settings(backend: str, jobs: int) -> dict[str, str]:
    """Return the settings (PEP 517) that cap the compilers of a backend which reads no variable for that."""
    return {"compile-args": f"-j{jobs}"} if backend == "mesonpy" else {}


def build_variables(tools: Mapping[str, str], recipe: Mapping[str, str], *, jobs: int) -> dict[str, str]:
    """Return what every builder tells a build: the cap on its compilers, its `tools`, and the `recipe`'s."""
    return joined({"MAX_JOBS": str(jobs), "CMAKE_BUILD_PARALLEL_LEVEL": str(jobs)}, tools, recipe)


def cuda_environment(toolkit: Path, gpu: Sequence[str]) -> dict[str, str]:
    """Return the variables for a build with a toolkit, compiled for `gpu` (``sm_121``, ``compute_120``).

    ``PATH`` and ``CMAKE_ARGS`` are what to add to those that there are: see `joined`. Raises ToolchainError for
    an unknown GPU architecture.
    """
    architectures = cmake_architectures(gpu)
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
    }


def rocm_environment(gpu: Sequence[str]) -> dict[str, str]:
    """Return the variables for a build with ROCm, compiled for `gpu` (``gfx1151``)."""
    architectures = ";".join(gpu)
    return {
        "PYTORCH_ROCM_ARCH": architectures,
        "CMAKE_ARGS": f"-DCMAKE_HIP_ARCHITECTURES={architectures}",
    }


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
            elif before and name in SEARCH_PATHS:
                result[name] = f"{value}{os.pathsep}{before}"
            else:
                result[name] = value
    return result
