"""Machines that wheels are judged for."""

from __future__ import annotations

from dataclasses import replace

from workbench.consume.host import Gpu, Host

GB10 = Gpu(name="NVIDIA GB10", capability="12.1")
H100 = Gpu(name="NVIDIA H100", capability="9.0", memory=80 << 30)

SPARK = Host(
    python="3.12.3",
    arch="aarch64",
    glibc="2.39",
    torch="2.11.0",
    compute="cu130",
    cxx11_abi=True,
    driver="580.95.05",
    driver_cuda="13.0",
    gpus=(GB10,),
)
HOPPER = replace(SPARK, arch="x86_64", gpus=(H100,))
NO_GPU = replace(HOPPER, compute="cpu", driver="", driver_cuda="", gpus=())
OLD_DRIVER = replace(HOPPER, compute="cu124", torch="2.6.0", driver="550.54.14", driver_cuda="12.4")
"""Machines with torch: a DGX Spark, an H100, one without a GPU, and one whose driver knows CUDA 12.4 at most."""
