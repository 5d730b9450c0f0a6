"""A real package of CUDA kernels, bound to a real torch: for this machine, and for DGX Spark by the cross compiler."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from workbench.paths import CHECKOUT, Paths
from workbench.registry.file import load

if TYPE_CHECKING:
    from workbench.paths import Paths

pytestmark = [
    pytest.mark.needs("aarch64-linux-gnu-g++", "qemu-aarch64-static"),
    pytest.mark.long("it compiles for ten minutes and downloads three gigabytes"),
]


@pytest.mark.parametrize(("arch", "builder"), [("x86_64", "host"), ("aarch64", "cross")])
def test_it_is_released_for_sm_121(arch: str, builder: str, paths: Paths) -> None:
    recipe = (CHECKOUT / "recipes" / "causal_conv1d.py").read_text()
    threads = '"NVCC_THREADS": "1"'
    assert threads in recipe
    # what is tested is that it compiles, for which GPU, and that it installs: not how fast its kernels are
    quickly = recipe.replace(threads, f'{threads}, "NVCC_APPEND_FLAGS": "-Ofc=max"')
    (paths.recipes / "causal_conv1d.py").write_text(quickly)
    shutil.copytree(CHECKOUT / "patches" / "causal-conv1d", paths.patches / "causal-conv1d")
    (paths.root / "workbench.yaml").write_text("cache: {objects: false}\n")  # which is the user's own
    released = invoke(
        *("release", "causal-conv1d", "--compute", "cu130", "--torch", "2.11", "--python", "3.11"),
        *("--arch", arch, "--builder", builder, "--max-jobs", "1"),
    )
    assert released.status == 0, released.stderr
    assert released.stderr.count("installs it: the smoke test passes") == 2
    ((_, wheel),) = load(paths.registry).wheels()
    assert wheel.filename == f"causal_conv1d-1.7.0+cu130torch2.11-cp311-cp311-manylinux_2_34_{arch}.whl"
    assert wheel.gpu_architectures == ("sm_121",)
    channel = paths.index / "cu130" / "torch2.11" / "simple" / "causal-conv1d" / "index.html"
    assert wheel.sha256 in channel.read_text()
