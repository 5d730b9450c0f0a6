"""Compiles the kernel with nvcc and the rest as setuptools does."""

from __future__ import annotations

import os
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

CUDA_HOME = Path(os.environ.get("CUDA_HOME", "/usr/local/cuda"))


def gencode() -> list[str]:
    """Return nvcc's options for ``CUDAARCHS``."""
    options = []
    for architecture in os.environ.get("CUDAARCHS", "121-real").split(";"):
        number, _, kind = architecture.partition("-")
        codes = {"real": ("sm",), "virtual": ("compute",), "": ("sm", "compute")}[kind]
        options += [f"-gencode=arch=compute_{number},code={code}_{number}" for code in codes]
    return options


class BuildExt(build_ext):
    """Compiles ``.cu`` files with nvcc, and leaves the rest to setuptools."""

    def build_extension(self, ext: Extension) -> None:
        """Compile an extension's kernels, then the extension, and link both."""
        kernels = [source for source in ext.sources if source.endswith(".cu")]
        ext.sources = [source for source in ext.sources if source not in kernels]
        for kernel in kernels:
            made = Path(self.build_temp, kernel).with_suffix(".o")
            made.parent.mkdir(parents=True, exist_ok=True)
            nvcc = os.environ.get("CUDACXX", str(CUDA_HOME / "bin" / "nvcc"))
            self.spawn([nvcc, "-O3", "-Xcompiler=-fPIC", *gencode(), "-c", kernel, "-o", str(made)])
            ext.extra_objects.append(str(made))
        super().build_extension(ext)


setup(
    ext_modules=[
        Extension(
            "cuda_kernel._saxpy",
            ["src/cuda_kernel/module.c", "src/cuda_kernel/saxpy.cu"],
            depends=["src/cuda_kernel/saxpy.h"],
            library_dirs=[str(CUDA_HOME / "lib64")],
            libraries=["cudart_static", "stdc++", "pthread", "dl", "rt"],
        )
    ],
    cmdclass={"build_ext": BuildExt},
)
