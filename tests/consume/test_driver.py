"""What is found of NVIDIA's driver, on machines that a compiler and a script stand in for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from workbench.consume.driver import SECONDS, Driver, cuda_of_driver, find_driver
from workbench.consume.host import Gpu

if TYPE_CHECKING:
    from pathlib import Path

    from tests.consume.machines import FakeDriver

pytestmark = pytest.mark.needs("gcc")

HOPPER = {"compute_cap": "9.0", "name": "NVIDIA H100 80GB HBM3", "memory__total": "81559"}
OPEN_MODULE = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  580.95.05  Release Build  (dvs-builder)\n"
)
CLOSED_MODULE = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2024\n"


def facts(found: Driver) -> tuple[str | None, str | None, tuple[Gpu, ...] | None]:
    return found.version, found.cuda, found.gpus


def test_a_gb10_shares_its_memory(driver: FakeDriver) -> None:
    driver.libcuda(integrated=True)
    driver.kernel("proc/driver/nvidia/version", OPEN_MODULE)
    found = find_driver(driver.root)
    assert facts(found) == ("580.95.05", "13.0", (Gpu(name="NVIDIA GB10", capability="12.1"),))
    assert found.origins == {
        "driver": "/proc/driver/nvidia/version",
        "driver_cuda": "libcuda",
        "gpus": "libcuda",
    }


def test_hopper(driver: FakeDriver) -> None:
    driver.libcuda(name="NVIDIA H100 80GB HBM3", capability="9.0", cuda=12080, count=2, memory=80 << 30)
    driver.kernel("sys/module/nvidia/version", "570.133.20\n")
    gpu = Gpu(name="NVIDIA H100 80GB HBM3", capability="9.0", memory=80 << 30)
    assert facts(find_driver(driver.root)) == ("570.133.20", "12.8", (gpu, gpu))


def test_a_machine_without_a_gpu_has_no_driver(driver: FakeDriver) -> None:
    found = find_driver(driver.root)
    assert facts(found) == ("", "", ())
    assert found.origins["gpus"] == "there is no libcuda.so.1"


def test_a_driver_without_a_gpu(driver: FakeDriver) -> None:
    driver.libcuda(init="return 100;")
    driver.kernel("sys/module/nvidia/version", "580.95.05\n")
    assert facts(find_driver(driver.root)) == ("580.95.05", "13.0", ())


def test_the_stub_library_of_a_toolkit_is_not_a_driver(driver: FakeDriver) -> None:
    driver.libcuda(init="return 34;", version="return 34;")
    found = find_driver(driver.root)
    assert facts(found) == ("", "", ())
    assert "stub" in found.origins["driver"]


def test_the_stub_library_hides_no_driver(driver: FakeDriver) -> None:
    driver.libcuda(init="return 34;", version="return 34;")
    driver.smi(driver="580.95.05", **HOPPER)
    gpu = Gpu(name="NVIDIA H100 80GB HBM3", capability="9.0", memory=81559 << 20)
    found = find_driver(driver.root)
    assert facts(found) == ("580.95.05", "13.0", (gpu,))
    assert set(found.origins.values()) == {"nvidia-smi"}


@pytest.mark.parametrize("memory", ["[N/A]", "[Not Supported]"])
def test_nvidia_smi_has_no_memory_for_a_gb10(driver: FakeDriver, memory: str) -> None:
    driver.smi(driver="580.95.05", compute_cap="12.1", name="NVIDIA GB10", memory__total=memory)
    gpus = (Gpu(name="NVIDIA GB10", capability="12.1"),)
    assert facts(find_driver(driver.root)) == ("580.95.05", "13.0", gpus)


def test_an_old_driver_knows_no_compute_capabilities(driver: FakeDriver) -> None:
    driver.smi(driver="470.82.01", cuda="11.4", name="Tesla V100", memory__total="16160")
    assert facts(find_driver(driver.root)) == ("470.82.01", "11.4", None)


def test_the_driver_of_a_container_without_the_gpu(driver: FakeDriver) -> None:
    """The kernel's files are there; the GPUs are not known, and CUDA is what that driver came with."""
    driver.kernel("proc/driver/nvidia/version", CLOSED_MODULE)
    found = find_driver(driver.root)
    assert facts(found) == ("550.54.14", "12.4", None)
    assert found.origins["driver_cuda"] == "driver 550.54.14"


def test_nvidia_smi_that_fails_says_nothing(driver: FakeDriver) -> None:
    driver.smi(driver="580.95.05", broken="yes")
    assert facts(find_driver(driver.root)) == ("", "", ())


@pytest.mark.parametrize(
    ("init", "why"),
    [
        ("*(volatile int *)0 = 1; return 0;", "crashed"),
        ('symlink("here", "hangs"); for (;;) pause();', "did not answer"),
        ("return 999;", "999"),
    ],
    ids=["crash", "hang", "error"],
)
def test_a_libcuda_that_breaks_is_survived(
    driver: FakeDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, init: str, why: str
) -> None:
    """What it said before counts; what it did not say is not known, which is not the same as no GPU."""
    real, passed, hangs = time.monotonic, [0.0], tmp_path / "hangs"

    def now() -> float:
        if hangs.is_symlink():  # no program has less time than it needs, and nobody waits for one that hangs
            hangs.unlink()
            passed[0] += SECONDS
        return real() + passed[0]

    monkeypatch.setattr("workbench.process.time.monotonic", now)
    monkeypatch.chdir(tmp_path)
    driver.libcuda(init=init)
    found = find_driver(driver.root)
    assert facts(found) == (None, "13.0", None)
    assert why in found.origins["gpus"]
    driver.smi(driver="580.95.05", **HOPPER)
    assert [gpu.capability for gpu in find_driver(driver.root).gpus or ()] == ["9.0"]


@pytest.mark.parametrize(
    ("version", "cuda"), [("580.95.05", "13.0"), ("580", "13.0"), ("535.183.01", "12.2"), ("999.1", None)]
)
def test_the_cuda_of_a_driver(version: str, cuda: str | None) -> None:
    assert cuda_of_driver(version) == cuda


def test_an_answer_is_kept_until_the_driver_or_the_start_of_the_machine_is_another(
    driver: FakeDriver, tmp_path: Path
) -> None:
    kept = tmp_path / "cache" / "driver"
    driver.libcuda()
    driver.kernel("sys/module/nvidia/version", "580.95.05\n")
    driver.kernel("proc/sys/kernel/random/boot_id", "one\n")
    driver.kernel("proc/driver/nvidia/gpus/0000:01:00.0/information", "")
    first = find_driver(driver.root, kept)
    driver.libcuda(capability="9.0")
    assert find_driver(driver.root, kept) == first
    driver.kernel("proc/sys/kernel/random/boot_id", "two\n")
    assert [each.capability for each in find_driver(driver.root, kept).gpus or ()] == ["9.0"]
    driver.libcuda(capability="10.0", cuda=13010)
    driver.kernel("sys/module/nvidia/version", "590.48.01\n")
    assert facts(find_driver(driver.root, kept))[:2] == ("590.48.01", "13.1")
    driver.libcuda(init="return 999;")
    driver.kernel("sys/module/nvidia/version", "595.1.0\n")
    assert find_driver(driver.root, kept).gpus is None  # what is not whole is asked for each time
    driver.libcuda()
    assert find_driver(driver.root, kept).gpus
