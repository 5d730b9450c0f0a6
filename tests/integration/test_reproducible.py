"""The same bytes twice: packages of the shelf and the CUDA samples, in two folders, with one job and with two."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from workbench.paths import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs("bwrap")


def identical(tmp_path: Path, *words: str) -> int:
    """Return how many wheels came out the same of those that the benchmark was asked for; it fails for any other."""
    program = CHECKOUT / "benchmarks" / "reproducible.py"
    done = subprocess.run(
        [sys.executable, program, *words], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.count(": identical\n")


@pytest.mark.long("two packages are compiled, each twice")
def test_packages_of_the_shelf_come_out_the_same(tmp_path: Path) -> None:
    assert identical(tmp_path, "hnswlib", "annoy", "--arch", "x86_64") == 2


@pytest.mark.needs("aarch64-linux-gnu-g++")
def test_gpu_code_comes_out_the_same_on_the_host_and_crossed(tmp_path: Path) -> None:
    """nvcc takes names from its process and, for an anonymous namespace, from its folder."""
    assert identical(tmp_path, "cuda-kernel", "cuda-cmake", "--arch", "x86_64,aarch64") == 4
