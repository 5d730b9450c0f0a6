from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.forked import invoke


@pytest.mark.parametrize(
    "words",
    [
        ("cu130",),
        ("cu130", "--check"),
        pytest.param(("cu130", "--arch", "aarch64"), marks=pytest.mark.needs("aarch64-linux-gnu-g++")),
    ],
    ids=" ".join,
)
def test_a_toolkit_is_laid_out_and_its_home_is_told(words: tuple[str, ...]) -> None:
    ran = invoke("toolchain", *words, "--json")
    assert ran.status == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert Path(told["cuda_home"], "bin", "nvcc").exists()
    assert told["version"] == "13.0"
    assert "sm_121" in told["gpu"]


def test_a_release_without_a_compiler_is_one_message(tmp_path: Path) -> None:
    ran = invoke("toolchain", "cu128", cwd=tmp_path)
    assert ran.status == 18
    assert "no nvcc for CUDA 12" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("words", [("toolchain", "cu130"), ("toolchain.image",)], ids=" ".join)
def test_an_architecture_that_there_is_not_is_one_message(words: tuple[str, ...]) -> None:
    ran = invoke(*words, "--arch", "riscv64")
    assert (ran.status, ran.stderr) == (2, "error: --arch riscv64: there are x86_64, aarch64\n")


def test_a_suite_that_there_is_not_is_the_lines_fault_engine_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/bin-without-engines")
    ran = invoke("toolchain.image", "--suite", "sid")
    assert (ran.status, ran.stderr) == (2, "error: --suite sid: there are bullseye, bookworm, trixie\n")
