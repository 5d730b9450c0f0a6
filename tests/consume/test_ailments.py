from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from packaging.pylock import Pylock

from tests.consume import hosts
from tests.libraries import ELF, PTX, container, entry, library
from workbench.consume.ailments import ailments, code_ailments, file_ailments, installed
from workbench.consume.exports import exports, wish
from workbench.consume.logins import Logins
from workbench.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.consume.served import Files
    from workbench.consume.host import Host

SPARK = replace(hosts.SPARK, interpreter="/usr/bin/python3", cpus=20, memory=128 << 30)


def told(host: Host, versions: dict[str, str] | None = None, code: tuple[str, ...] = ()) -> list[str]:
    return [f"{each.severity}: {each.what}" for each in ailments(host, versions or {}, code)]


def test_a_sound_machine_has_none() -> None:
    versions = {
        "torch": "2.11.0",
        "flash-attn": "2.8.3+cu130torch2.11",
        "nvidia-cublas": "13.1.0.3",
        "idna": "3.2",
    }
    assert told(SPARK, versions, ("sm_80", "sm_90", "sm_100", "sm_120")) == []


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        (replace(SPARK, compute="cpu", torch="2.10.0"), "error: torch 2.10.0 is built for the CPU alone"),
        (
            replace(SPARK, driver="535.1", driver_cuda="12.2"),
            "error: torch is for CUDA 13, and driver 535.1 knows",
        ),
        (replace(SPARK, driver="", driver_cuda="", gpus=()), "error: there is no NVIDIA driver"),
        (replace(SPARK, glibc="2.31"), "warning: glibc 2.31 is older than 2.34"),
    ],
)
def test_the_common_pains_of_a_machine(host: Host, reason: str) -> None:
    (found,) = told(host)
    assert found.startswith(reason)


@pytest.mark.parametrize(
    ("versions", "reason"),
    [
        ({"flash-attn": "2.8.3+cu130torch2.10"}, "was built for torch 2.10, and torch 2.11.0 is installed"),
        (
            {"flash-attn": "2.8.3+cu12torch2.11cxx11abiTRUE"},
            "was built for CUDA 12, and torch is for CUDA 13",
        ),
        ({"mamba-ssm": "2.3+cu13torch2.11cxx11abiFALSE"}, "the other C++ ABI than torch has"),
        (
            {"nvidia-cublas-cu12": "12.8", "nvidia-cublas": "13.1"},
            "libraries of CUDA 12 and 13 are installed",
        ),
    ],
)
def test_what_is_installed_and_does_not_go_with_torch(versions: dict[str, str], reason: str) -> None:
    (found,) = told(SPARK, versions)
    assert reason in found


@pytest.mark.parametrize(
    "versions",
    [
        {"flash-attn": "2.8.3"},
        {"sageattention": "2.2+cu130torch2.9.0andhigher.post4"},
        {"vision": "0.26+cpu"},
        {"nvidia-cuda-runtime": "13.0.96", "nvidia-nccl-cu13": "2.28"},
        {"x": "1+unknown.torch210x"},
    ],
)
def test_what_may_well_be_right_is_no_alarm(versions: dict[str, str]) -> None:
    assert told(SPARK, versions) == []


def test_code_that_does_not_run_on_this_gpu() -> None:
    assert told(SPARK, code=("sm_90", "sm_120a")) == [
        "error: torch 2.11.0 has no code for NVIDIA GB10 (compute capability 12.1): it has sm_90, sm_120a"
    ]


@pytest.mark.parametrize(
    ("version", "code", "said"),
    [
        ("1.0+cu130torch2.11", entry(ELF, 120), None),
        ("1.0+cu130torch2.11", entry(PTX, 90), None),
        (
            "1.0+cu132torch2.11",
            entry(PTX, 90),
            "error: demo-gpu 1.0+cu132torch2.11: for NVIDIA GB10 (12.1) it has only",
        ),
        (
            "1.0",
            entry(ELF, 80),
            "error: demo-gpu 1.0: nothing in it runs on NVIDIA GB10 (12.1): it has sm_80",
        ),
    ],
    ids=["machine code", "PTX", "newer PTX", "other machine code"],
)
def test_installed_code_that_does_not_run_on_this_gpu(
    tmp_path: Path, version: str, code: bytes, said: str | None
) -> None:
    info = tmp_path / f"demo_gpu-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: demo-gpu\nVersion: {version}\n")
    (info / "RECORD").write_text("demo_gpu/_c.so,,\ndemo_gpu/__init__.py,,\n")
    assert [each.what for each in code_ailments(SPARK, [tmp_path], ["demo-gpu"])] == [
        "demo-gpu: demo_gpu/_c.so: No such file or directory"
    ]
    (tmp_path / "demo_gpu").mkdir()
    library(tmp_path / "demo_gpu" / "_c.so", {".nv_fatbin": container(code)})
    found = [f"{each.severity}: {each.what}" for each in code_ailments(SPARK, [tmp_path], ["demo-gpu", "x"])]
    assert len(found) == (said is not None)
    assert all(each.startswith(str(said)) for each in found)
    for gpus, why in ((), "this machine has no GPU"), (None, "this machine's GPU is not known"):
        (unknown,) = code_ailments(replace(SPARK, gpus=gpus), [tmp_path], ["demo-gpu"])
        assert unknown.what == f"demo-gpu {version}: it has GPU code; {why}"
        assert (unknown.severity, unknown.remedy.split(" says")[0]) == (
            "warning",
            "gw doctor demo-gpu --gpu 12.1",
        )


def test_code_that_cannot_be_found_for_want_of_a_record_is_told(tmp_path: Path) -> None:
    for info, said in {"demo_gpu-1.0.dist-info": "METADATA", "old-1.0.egg-info": "PKG-INFO"}.items():
        (tmp_path / info).mkdir()
        name = info.partition("-")[0]
        (tmp_path / info / said).write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    found = [*code_ailments(SPARK, [tmp_path], ["demo-gpu", "old"])]
    assert [each.what.partition(": it has no RECORD")[:2] for each in found] == [
        (f"{name} 1.0: whether its GPU code runs here is not known", ": it has no RECORD")
        for name in ("demo-gpu", "old")
    ]
    assert {each.severity for each in found} == {"warning"}


def test_code_of_an_editable_install_is_told_to_be_elsewhere(tmp_path: Path) -> None:
    info = tmp_path / "demo_gpu-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: demo-gpu\nVersion: 1.0\n")
    (info / "RECORD").write_text("__editable__.demo_gpu-1.0.pth,,\n")
    assert not [*code_ailments(SPARK, [tmp_path], ["demo-gpu"])]
    (info / "direct_url.json").write_text('{"url": "file:///src/demo", "dir_info": {"editable": true}}')
    (found,) = code_ailments(SPARK, [tmp_path], ["demo-gpu"])
    assert "not known: it is installed editable" in found.what
    # some backends put the libraries beside it all the same
    (info / "RECORD").write_text("__editable__.demo_gpu-1.0.pth,,\n_c.so,,\n")
    library(tmp_path / "_c.so", {".nv_fatbin": container(entry(ELF, 120))})
    assert not [*code_ailments(SPARK, [tmp_path], ["demo-gpu"])]


def test_what_is_installed_is_read_from_its_folders(tmp_path: Path) -> None:
    for folder, names in {
        "one": ["Flash_Attn-2.8.3+cu130.dist-info"],
        "two": ["flash_attn-1.0.dist-info", "x.py", "own.egg-info"],
        "debian": ["numpy-1.24.2.egg-info", "Old_One-1.0+ds-py3.11.egg-info"],
    }.items():
        for name in names:
            (tmp_path / folder / name).mkdir(parents=True)
    found = installed([tmp_path / each for each in ("one", "missing", "two", "debian")])
    assert found == {"flash-attn": "2.8.3+cu130", "numpy": "1.24.2", "old-one": "1.0+ds"}


def test_files_of_a_lock_that_are_gone_or_replaced_are_told(files: Files) -> None:
    sound, gone, other = (files.add(name, "1.0") for name in ("sound", "gone", "other"))
    (files.folder / "files" / gone.filename).unlink()
    packages = [
        {
            "name": name,
            "version": "1.0",
            "wheels": [{"url": each.url, "size": size, "hashes": {"sha256": each.sha256}}],
        }
        for name, each, size in (("sound", sound, sound.size), ("gone", gone, 3), ("other", other, 3))
    ]
    lock = Pylock.from_dict({"lock-version": "1.0", "created-by": "x", "packages": packages})
    found = [each.what for each in file_ailments(lock, Logins(()))]
    changed = files.folder / "files" / sound.filename
    changed.write_bytes(changed.read_bytes()[:-1] + b"x")
    assert "another sha256" in next(iter(file_ailments(lock, Logins(()), deep=True))).what
    assert found[0].startswith("gone-1.0-py3-none-any.whl: 404")
    assert found[1:] == [
        f"other-1.0-py3-none-any.whl has {other.size} bytes, and 3 were locked: it was replaced"
    ]


def test_jobs_are_as_many_as_memory_allows() -> None:
    assert dict(exports("torch-scatter", SPARK)) | {"MAX_JOBS": ""} == {
        "TORCH_CUDA_ARCH_LIST": "12.1",
        "CUDAARCHS": "121-real",
        "FORCE_CUDA": "1",
        "MAX_JOBS": "",
        "NVCC_THREADS": "2",
        "UV_NO_BINARY_PACKAGE": "torch-scatter",
        "UV_NO_BUILD_ISOLATION": "1",
    }
    jobs = {
        (name, memory): dict(exports(name, replace(SPARK, memory=memory << 30)))["MAX_JOBS"]
        for name, memory in (
            ("torch-scatter", 24),
            ("flash-attn", 24),
            ("flash-attn", 4),
            ("torch-scatter", 512),
        )
    }
    assert list(jobs.values()) == ["6", "2", "1", "20"]


def test_nothing_is_exported_for_a_gpu_that_is_not_known() -> None:
    with pytest.raises(UsageError, match=r"--gpu 12\.1"):
        exports("flash-attn", replace(SPARK, gpus=()))


def test_a_wish_says_all_that_a_maintainer_asks_for() -> None:
    title, body = wish("flash-attn", SPARK)
    assert title == "Wheel of flash-attn for Python 3.12.3, torch 2.11.0, cu130, aarch64"
    for fact in ("glibc 2.39", "torch: 2.11.0 (cu130)", "NVIDIA GB10", "580.95.05 (CUDA 13.0)", "sm_121"):
        assert fact in body
