"""What local versions say, in the styles of those who publish such wheels."""

from __future__ import annotations

import random
from itertools import product
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from workbench.wheel.local_version import UNKNOWN, LocalVersion, parse_local

if TYPE_CHECKING:
    from collections.abc import Callable

CUDAS = ("11.8", "12.1", "12.4", "12.6", "12.8", "12.9", "13.0", "13.2", "13.3")
TORCHES = ("2.4", "2.6", "2.9", "2.10", "2.11", "2.13", "2.15")


def packed(release: str) -> str:
    return release.replace(".", "")


STYLES: dict[str, Callable[[str, str], str]] = {
    "cu130torch2.11": lambda cuda, torch: f"cu{packed(cuda)}torch{torch}",
    "cu130.torch2.11": lambda cuda, torch: f"cu{packed(cuda)}.torch{torch}",
    "cu13.0torch2.11": lambda cuda, torch: f"cu{cuda}torch{torch}",
    "cu.13.0.torch.2.11": lambda cuda, torch: f"cu.{cuda}.torch.{torch}",
    "cu130torch2.11cxx11abiTRUE": lambda cuda, torch: f"cu{packed(cuda)}torch{torch}cxx11abiTRUE",
    "cu130torch2.11gite2743ab": lambda cuda, torch: f"cu{packed(cuda)}torch{torch}gite2743ab",
    "torch2.11cu130": lambda cuda, torch: f"torch{torch}cu{packed(cuda)}",
    "pt2.11cu130": lambda cuda, torch: f"pt{torch}cu{packed(cuda)}",
    "864913fpt2.11cu130": lambda cuda, torch: f"864913fpt{torch}cu{packed(cuda)}",
    "cu130sm89torch2.11": lambda cuda, torch: f"cu{packed(cuda)}sm89torch{torch}",
    "20260330.cu130torch2.11.98024f": lambda cuda, torch: f"20260330.cu{packed(cuda)}torch{torch}.98024f",
    "mine.cu130.torch2.11.post1": lambda cuda, torch: f"mine.cu{packed(cuda)}.torch{torch}.post1",
}


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_a_style_says_the_same_of_every_cuda_and_torch(style: Callable[[str, str], str]) -> None:
    """Also normalised, as METADATA has it, with a patch release, and in a filename's escaping."""
    for cuda, torch in product(CUDAS, TORCHES):
        for release in (torch, f"{torch}.1"):
            text = style(cuda, release)
            for spelled in (text, str(Version(f"1+{text}").local), text.replace(".", "_")):
                said = parse_local(spelled)
                assert (said.compute, said.torch, said.torch_minor) == (f"cu{packed(cuda)}", release, torch)


@pytest.mark.parametrize("order", ["{torch}{cuda}", "{cuda}{torch}", "{cuda}.{torch}"])
@pytest.mark.parametrize("name", ["torch", "pt"])
def test_a_torch_without_dots_is_read_where_only_one_can_be_meant(order: str, name: str) -> None:
    """Three digits may be 2.1.0 and 2.10: the first had CUDA up to 12.1, the second has 12.6 and newer."""
    for cuda, torch in product(CUDAS, TORCHES):
        for release in (torch, f"{torch}.0", f"{torch}.1"):
            if packed(release) in ("210", "211", "213", "215") and int(packed(cuda)) < 126:
                continue
            text = order.format(cuda=f"cu{packed(cuda)}", torch=f"{name}{packed(release)}")
            assert parse_local(text).torch == release, text


@pytest.mark.parametrize(
    ("local", "said"),
    [
        ("cu13", LocalVersion(compute="cu13")),
        ("cu13torch2.10cxx11abiFALSE", LocalVersion(compute="cu13", torch="2.10", cxx11_abi=False)),
        ("cu92", LocalVersion(compute="cu92")),
        ("torch210cu121", LocalVersion(compute="cu121", torch="2.1.0")),
        ("torch210cu124", LocalVersion(compute="cu124", torch=UNKNOWN)),
        ("torch210cu13", LocalVersion(compute="cu13", torch="2.10")),
        ("pt113cu117", LocalVersion(compute="cu117", torch=UNKNOWN)),
        ("rocm6.3.4.git7cecbf6d", LocalVersion(compute="rocm6.3.4", rest=("git7cecbf6d",))),
        ("pt2.5.0cpu", LocalVersion(compute="cpu", torch="2.5.0")),
        ("cu130sm89sm_120a", LocalVersion(compute="cu130", gpus=("sm_89", "sm_120a"))),
        (
            "cu130torch2.9.0andhigher.post4",
            LocalVersion(compute="cu130", torch="2.9.0", or_newer=True, rest=("post4",)),
        ),
        ("c159edc0.d20250906", LocalVersion(rest=("c159edc0", "d20250906"))),
        ("g3a92c6f3b.cu130", LocalVersion(compute="cu130", rest=("g3a92c6f3b",))),
        ("mycpu.local7", LocalVersion(rest=("mycpu", "local7"))),
        ("", LocalVersion()),
    ],
)
def test_what_else_they_say(local: str, said: LocalVersion) -> None:
    assert parse_local(local) == said


@pytest.mark.parametrize(
    "local",
    ["cu13x", "cu1301234567", "cu130foo", "cuda", "cu1.3", "cu126.cu130", "mycu130", "rocm", "rocm64"],
)
def test_a_compute_that_cannot_be_read_is_unknown(local: str) -> None:
    assert parse_local(local).compute == UNKNOWN


@pytest.mark.parametrize(
    "local", ["torch", "torch2", "torch2.11x", "torch2.8torch2.9", "torch9", "torch29.1"]
)
def test_a_torch_that_cannot_be_read_is_unknown(local: str) -> None:
    assert parse_local(local).torch == UNKNOWN


def test_a_digit_more_is_never_the_same_wheel() -> None:
    """What is appended to a part changes what is read, or makes it unknown: nothing is read as a prefix."""
    for cuda, torch, more in product(CUDAS, TORCHES, "0123456789xyz"):
        if more.isalpha() or len(torch) == 4:
            longer = parse_local(f"cu{packed(cuda)}torch{torch}{more}")
            assert longer.torch != torch
        assert parse_local(f"cu{packed(cuda)}{more}torch{torch}").compute != f"cu{packed(cuda)}"


def test_no_text_is_an_error() -> None:
    parts = [
        "cu",
        "13",
        "0",
        ".",
        "_",
        "torch",
        "pt",
        "2",
        "11",
        "sm",
        "cxx11abi",
        "true",
        "git",
        "x",
        "é",
        "cpu",
        "rocm",
    ]
    chance = random.Random(1)  # noqa: S311 - the same texts every time
    for _ in range(5000):
        parse_local("".join(chance.choices(parts, k=chance.randrange(12))))
    parse_local("1" * 100_000)
