from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workbench.errors import ToolchainError, UsageError
from workbench.process import run
from workbench.toolchain.cuda import lay_out
from workbench.toolchain.pins import check_gpus, release_of
from workbench.toolchain.variables import cmake_architectures, torch_architectures

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("gpu", "cmake", "torch"),
    [
        (["sm_121"], "121-real", "12.1"),
        (["sm_121", "compute_121"], "121-real;121-virtual", "12.1+PTX"),
        (["sm_121a", "compute_90"], "121a-real;90-virtual", "12.1a;9.0+PTX"),
    ],
)
def test_each_build_system_gets_it_in_its_own_words(gpu: list[str], cmake: str, torch: str) -> None:
    assert cmake_architectures(gpu) == cmake
    assert torch_architectures(gpu) == torch


def test_what_is_no_architecture_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'12\.1' is not a GPU architecture: write sm_121"):
        cmake_architectures(["12.1"])


def test_an_architecture_that_a_release_lacks_names_the_first_that_has_it() -> None:
    old = release_of("cu130")
    check_gpus(["sm_121a", "sm_120f", "compute_90"], version=old.version, known=old.gpus)
    with pytest.raises(
        ToolchainError, match=r"CUDA 13\.0\.3 cannot compile for sm_107: .* cu134 \(CUDA 13\.4"
    ):
        check_gpus(["sm_121", "sm_107"], version=old.version, known=old.gpus)


@pytest.mark.parametrize(
    ("gpu", "version", "why"),
    [
        ("sm_80a", "13.0.3", r"sm_80a: there is code with 'a' for sm_90 and later; .*: sm_80$"),
        ("compute_90f", "13.0.3", r"compute_90f: there is code with 'f' for sm_100 .*: compute_90$"),
        ("sm_120f", "12.8", r"sm_120f: code for a family there is from CUDA 12\.9 on"),
    ],
)
def test_a_letter_that_an_architecture_has_not_is_refused(gpu: str, version: str, why: str) -> None:
    known = release_of("cu130").gpus
    check_gpus([gpu[:-1], "sm_90a", "sm_103a"], version=version, known=known)
    check_gpus(["sm_100f", "compute_121f"], version="12.9", known=known)
    with pytest.raises(ToolchainError, match=rf"CUDA {version} cannot compile for {why}"):
        check_gpus([gpu], version=version, known=known)


@pytest.mark.parametrize("number", release_of("cu130").gpus)
def test_nvcc_agrees_about_the_letters(number: int, cache: Path, tmp_path: Path) -> None:
    """Ask the real one, without compiling anything."""
    toolkit = lay_out("cu130", "x86_64", cache=cache)
    (tmp_path / "k.cu").touch()
    for feature in ("a", "f"):
        code = f"arch=compute_{number}{feature},code=sm_{number}{feature}"
        argv = [str(toolkit / "bin/nvcc"), "--dryrun", "-c", "k.cu", "-gencode", code]
        takes = run(argv, cwd=tmp_path, check=False).status == 0
        try:
            check_gpus([f"sm_{number}{feature}"], version="13.0.3", known=[number])
        except ToolchainError:
            assert not takes
        else:
            assert takes


def test_an_architecture_that_a_toolkit_of_the_machine_lacks_names_one_that_can_be_laid_out() -> None:
    with pytest.raises(ToolchainError, match=r"CUDA 12\.8\.1 cannot compile for sm_121: .* cu130"):
        check_gpus(["sm_121"], version="12.8.1", known=(90, 100, 120))


def test_an_architecture_that_nothing_has_says_what_there_is() -> None:
    with pytest.raises(ToolchainError, match=r"sm_999: none that can be laid out does.*sm_120, sm_121"):
        check_gpus(["sm_999"], version="13.0.3", known=release_of("cu130").gpus)
