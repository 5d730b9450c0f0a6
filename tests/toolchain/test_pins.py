from __future__ import annotations

import re

import pytest

from workbench.errors import ToolchainError
from workbench.toolchain.pins import LOCKS, Release, release_of, releases

LIBRARIES = (
    "cublas",
    "cufft",
    "cufile",
    "cupti",
    "curand",
    "cusolver",
    "cusparse",
    "npp",
    "nvjitlink",
    "nvjpeg",
)


@pytest.mark.parametrize("release", releases(), ids=lambda release: release.compute)
def test_a_release_pins_its_compiler_and_every_library_by_hash(release: Release) -> None:
    requirements = release.requirements(LIBRARIES)
    names = re.findall(r"^(\S+)==", requirements, re.MULTILINE)
    assert {"nvidia-cuda-nvcc", "nvidia-nvvm", "nvidia-cuda-runtime", "nvidia-cuda-cccl"} < set(names)
    assert requirements.count("--hash=sha256:") >= 2 * len(names)  # two architectures
    assert 121 in release.gpus


@pytest.mark.parametrize("release", releases(), ids=lambda release: release.compute)
def test_the_compiler_the_runtime_and_nvjitlink_are_of_the_release(release: Release) -> None:
    minor = ".".join(release.version.split(".")[:2])
    requirements = release.requirements(["nvjitlink"])
    for name in ("nvidia-cuda-nvcc", "nvidia-cuda-runtime", "nvidia-nvjitlink"):
        assert f"{name}=={minor}." in requirements


def test_a_library_brings_those_that_it_is_linked_with() -> None:
    plain, solver = release_of("cu130").requirements(), release_of("cu130").requirements(["cusolver"])
    for name in ("nvidia-cusolver", "nvidia-cublas", "nvidia-cusparse", "nvidia-nvjitlink"):
        assert f"{name}==" in solver
        assert f"{name}==" not in plain


def test_the_locks_name_no_host() -> None:
    for lock in LOCKS.glob("*.txt"):
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text
        assert "index" not in text


def test_cuda_12_has_no_compiler_on_the_index_and_the_error_says_what_works() -> None:
    with pytest.raises(ToolchainError, match=r"no nvcc for CUDA 12.*cu130.*CUDA 12\.8 yourself"):
        release_of("cu128")


def test_an_unknown_release_names_those_that_there_are() -> None:
    with pytest.raises(ToolchainError, match=r"cu139: no such CUDA toolkit.*there are cu130, cu131"):
        release_of("cu139")


def test_an_unknown_library_names_the_nearest() -> None:
    with pytest.raises(ToolchainError, match=r"'cublass'.*did you mean 'cublas'"):
        release_of("cu130").requirements(["cublass"])
