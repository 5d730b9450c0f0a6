from __future__ import annotations

import random
import re
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.libraries import ELF, LTO, PTX, ZSTD, A, F, container, entry, library, pieces, read
from workbench.environment import index_environment
from workbench.process import run
from workbench.wheel.fatbin import FatbinReader
from workbench.wheel.stream import BadBinary

if TYPE_CHECKING:
    from pathlib import Path

BOTH = container(
    entry(ELF, 121, A),
    entry(ELF, 121, ZSTD, b"\x28\xb5\x2f\xfd compressed"),
    entry(PTX, 120),
    entry(ELF, 120, F),
)
"""What nvcc makes of sm_121a, sm_121, compute_120 and sm_120f."""


def found(data: bytes, place: str = "linked", chunk: int = 1 << 16) -> dict[str, int]:
    code = read(data, chunk=chunk)
    return code.as_dict()[place] if code else {}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return library(
        tmp_path_factory.mktemp("both") / "lib.so", {".nv_fatbin": BOTH + bytes(40) + BOTH}
    ).read_bytes()


@pytest.mark.parametrize("chunk", [1, 7, 64, 4096, 1 << 20])
def test_code_is_told_by_architecture_however_the_bytes_arrive(both: bytes, chunk: int) -> None:
    assert found(both, chunk=chunk) == {"sm_120f": 2, "sm_121": 2, "sm_121a": 2, "compute_120": 2}


def test_what_a_gpu_can_come_to_run_leaves_out_what_waits_for_a_linker(tmp_path: Path) -> None:
    path = library(
        tmp_path / "lib.so",
        {
            ".nv_fatbin": container(entry(ELF, 90), entry(LTO, 90)),
            "__nv_relfatbin": container(entry(ELF, 121), entry(PTX, 121)),
            ".kernels": bytes(24) + container(entry(ELF, 100, F)),
        },
    )
    code = read(path.read_bytes())
    assert code is not None
    assert code.as_dict()["linked"] == {"sm_90": 1, "lto_90": 1}
    assert code.as_dict()["relocatable"] == {"sm_121": 1, "compute_121": 1}
    assert code.as_dict()["embedded"] == {"sm_100f": 1}
    assert [str(each) for each in code.loadable] == ["sm_90", "sm_100f"]


def test_what_looks_like_a_container_within_a_payload_is_not_one(tmp_path: Path) -> None:
    fake = container(entry(ELF, 121))
    path = library(tmp_path / "lib.so", {".nv_fatbin": container(entry(ELF, 90, 0, fake), entry(ELF, 80))})
    assert found(path.read_bytes()) == {"sm_80": 1, "sm_90": 1}


def test_what_lies_before_a_section_cannot_hide_it(tmp_path: Path) -> None:
    claim = container(entry(ELF, 90, 0, bytes(1 << 13)))[:200]
    path = library(tmp_path / "lib.so", {".note.a": claim, ".nv_fatbin": BOTH})
    data = path.read_bytes()
    assert data.find(claim) < data.find(BOTH) < data.find(claim) + (1 << 13)
    assert found(data)["sm_121"] == 1


def test_an_unstripped_library_and_one_without_gpu_code_and_no_library(tmp_path: Path) -> None:
    names = "\n".join(
        f"int function_with_a_rather_long_name_{i:06}(void) {{ return {i}; }}" for i in range(500)
    )
    assert found(library(tmp_path / "a.so", {".nv_fatbin": BOTH}, code=names).read_bytes())["sm_121"] == 1
    assert read(library(tmp_path / "b.so", {}).read_bytes()) is None
    assert read(b"") is None
    assert read(b"PK\3\4" + BOTH) is None


def test_names_of_sections_that_have_gone_by_are_asked_for_again(tmp_path: Path) -> None:
    blob = {".nv_fatbin": BOTH, ".blob": bytes(2 << 20)}
    data = library(tmp_path / "lib.so", blob, "-s").read_bytes()
    table = int.from_bytes(data[40:48], "little")
    away = table + (3 << 20)
    moved = data[:40] + away.to_bytes(8, "little") + data[48:] + bytes(away - len(data)) + data[table:]
    assert found(moved) == found(data) == {"sm_120f": 1, "sm_121": 1, "sm_121a": 1, "compute_120": 1}


@pytest.mark.parametrize(
    ("damaged", "says"),
    [
        (container(entry(ELF, 121), version=2), "it is of version 2"),
        (container(entry(ELF, 121))[:-8], "it reaches out of .nv_fatbin"),
        (container(entry(ELF, 121), b"12345678"), "8 bytes at its end are not an entry"),
        (container(entry(ELF, 121)[:4] + bytes(100)), "makes no sense"),
        (container(entry(ELF, 4_000_000_000)), "makes no sense"),
        (BOTH[:8] + b"\xff" * 8 + BOTH[16:], "behind the end of the file"),
    ],
)
def test_gpu_code_that_cannot_be_read_is_an_error_that_says_where(
    tmp_path: Path, damaged: bytes, says: str
) -> None:
    data = library(tmp_path / "lib.so", {".nv_fatbin": damaged}).read_bytes()
    with pytest.raises(BadBinary, match=re.escape(says)) as caught:
        read(data)
    assert f"{data.find(damaged):#x}" in str(caught.value)


def test_kinds_of_code_without_a_name_are_told(tmp_path: Path) -> None:
    data = library(
        tmp_path / "lib.so", {".nv_fatbin": container(entry(0x40, 121), entry(ELF, 120))}
    ).read_bytes()
    code = read(data)
    assert code is not None
    assert code.as_dict()["unknown_kinds"] == [0x40]
    assert [str(each) for each in code.loadable] == ["sm_120"]


def test_no_damage_makes_it_loop_or_fail_otherwise(both: bytes) -> None:
    chance = random.Random(1)  # noqa: S311 - the same damage in every run
    for _ in range(400):
        data = bytearray(both)
        for _ in range(chance.choice((1, 4, 64))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        data = data[: chance.choice((len(data), chance.randrange(len(data))))]
        try:
            code = read(bytes(data))
        except BadBinary:
            continue
        assert code is None or len(code.codes) < 16


@pytest.mark.parametrize("pattern", [container()[:16], container(entry(ELF, 121))[:24], BOTH[:8] + bytes(8)])
def test_a_file_made_of_containers_in_containers_ends_soon(pattern: bytes) -> None:
    hostile = b"\x7fELF\x02\x01" + bytes(58) + pattern * ((4 << 20) // len(pattern))
    reader = FatbinReader("lib.so", len(hostile))
    start = time.process_time()
    for piece in pieces(hostile, 1 << 16):
        reader.feed(piece)
    assert time.process_time() - start < 10
    with pytest.raises(BadBinary, match="more containers"):
        reader.finish()


def fetch(into: Path, requirement: str, *options: str) -> Path:
    """Unpack a wheel from the package index."""
    argv: list[str | Path] = [
        "uv",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        into,
        *options,
        requirement,
    ]
    run(argv, env=index_environment())
    return into


def listed(cuobjdump: Path, library: Path, *options: str) -> dict[str, int]:
    """Return what cuobjdump lists: it writes sm_120f as sm_120, and PTX as sm_120.ptx."""
    lists = [run([cuobjdump, *options, f"--list-{kind}", library]).output for kind in ("elf", "ptx")]
    names = re.findall(r"\.(sm_\d+a?)\.(cubin|ptx)", "".join(lists))
    return Counter(name if kind == "cubin" else name.replace("sm", "compute") for name, kind in names)


def test_it_agrees_with_cuobjdump_on_a_published_wheel(tmp_path: Path) -> None:
    tool = fetch(tmp_path / "tool", "nvidia-cuda-cuobjdump>=13.2") / "nvidia/cu13/bin/cuobjdump"
    tool.chmod(0o755)
    spark = ("--python-platform", "aarch64-manylinux_2_28")
    wheel = fetch(tmp_path / "wheel", "bitsandbytes==0.50.2", *spark)
    libraries = sorted(wheel.glob("bitsandbytes/*_cuda*.so"))
    assert len(libraries) > 5
    for each in libraries:
        if each.name == "libbitsandbytes_cuda121.so":
            continue  # "Invalid ELF", says cuobjdump; the dynamic linker and we read it
        data = each.read_bytes()
        linked = found(data)
        assert linked == listed(tool, each), each.name
        assert Counter(linked) + Counter(found(data, "relocatable")) == listed(tool, each, "-all"), each.name


def test_the_version_of_its_ptx_is_the_one_that_cuobjdump_prints(tmp_path: Path) -> None:
    tool = fetch(tmp_path / "tool", "nvidia-cuda-cuobjdump>=13.2") / "nvidia/cu13/bin/cuobjdump"
    tool.chmod(0o755)
    wheel = fetch(
        tmp_path / "wheel", "nvidia-nvjpeg-cu12==12.4.0.76", "--python-platform", "x86_64-manylinux_2_28"
    )
    library = wheel / "nvidia/nvjpeg/lib/libnvjpeg.so.12"
    code = read(library.read_bytes())
    assert code is not None
    versions = re.findall(r"^\.version (\d+)\.(\d+)", run([tool, "--dump-ptx", library]).output, re.MULTILINE)
    assert code.isa == max((int(major), int(minor)) for major, minor in versions) == (8, 8)
