from __future__ import annotations

import sys

import pytest
from packaging.tags import Tag, sys_tags
from pip._internal.utils.compatibility_tags import get_supported

from workbench.wheel.serves import Audience, Machine, oldest_glibc, tags_serve, this_glibc


def serves(tags: str, machine: str, requires_python: str | None = None) -> bool:
    python, arch, glibc = machine.split()
    audience = Audience.of(f"demo-1.0-{tags}.whl", requires_python)
    return audience.serves(Machine(python=python, arch=arch, glibc=glibc))


@pytest.mark.parametrize(
    ("tags", "machine", "expected"),
    [
        ("cp312-cp312-manylinux_2_34_x86_64", "3.12 x86_64 2.36", True),
        ("cp312-cp312-manylinux_2_34_x86_64", "3.12 x86_64 2.34", True),
        ("cp312-cp312-manylinux_2_34_x86_64", "3.12 x86_64 2.31", False),
        ("cp312-cp312-manylinux_2_34_x86_64", "3.12 aarch64 2.36", False),
        ("cp312-cp312-manylinux_2_34_x86_64", "3.11 x86_64 2.36", False),
        ("cp312-cp312-manylinux_2_34_x86_64", "3.13 x86_64 2.36", False),
        ("cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64", "3.12 x86_64 2.17", True),
        ("cp312-cp312-manylinux1_x86_64", "3.12 x86_64 2.17", True),
        ("cp312-cp312-manylinux2014_aarch64", "3.12 aarch64 2.36", True),
        ("cp312-cp312-linux_x86_64", "3.12 x86_64 2.36", True),
        ("cp312-cp312-manylinux_2_99_x86_64", "3.12 x86_64 2.43", False),
        ("cp312-cp312-musllinux_1_2_x86_64", "3.12 x86_64 2.36", False),
        ("cp312-cp312-macosx_11_0_arm64", "3.12 aarch64 2.36", False),
        ("cp312-cp312-macosx_10_9_x86_64", "3.12 x86_64 2.36", False),
        ("cp312-cp312-win_amd64", "3.12 x86_64 2.36", False),
        ("cp310-abi3-manylinux_2_17_x86_64", "3.10 x86_64 2.36", True),
        ("cp310-abi3-manylinux_2_17_x86_64", "3.14 x86_64 2.36", True),
        ("cp310-abi3-manylinux_2_17_x86_64", "3.9 x86_64 2.36", False),
        ("cp310-abi3-manylinux_2_17_x86_64", "3.13t x86_64 2.36", False),
        ("cp313-cp313t-manylinux_2_17_x86_64", "3.13t x86_64 2.36", True),
        ("cp313-cp313t-manylinux_2_17_x86_64", "3.13 x86_64 2.36", False),
        ("cp313-cp313t-manylinux_2_17_x86_64", "3.14t x86_64 2.36", False),
        ("cp313-cp313-manylinux_2_17_x86_64", "3.13t x86_64 2.36", False),
        ("cp315-abi3t-manylinux_2_17_x86_64", "3.15t x86_64 2.36", True),
        ("cp310-none-manylinux_2_17_x86_64", "3.10 x86_64 2.36", True),
        ("cp310-none-manylinux_2_17_x86_64", "3.11 x86_64 2.36", False),
        ("py3-none-manylinux_2_17_x86_64", "3.14t x86_64 2.36", True),
        ("py3-none-any", "3.9 aarch64 2.17", True),
        ("py3-none-any", "3.14t x86_64 2.36", True),
        ("py2.py3-none-any", "3.12 x86_64 2.36", True),
        ("py2-none-any", "3.12 x86_64 2.36", False),
        ("py310-none-any", "3.12 x86_64 2.36", True),
        ("py313-none-any", "3.12 x86_64 2.36", False),
        ("pp310-pypy310_pp73-manylinux_2_17_x86_64", "3.10 x86_64 2.36", False),
        ("cp312-cp312-manylinux_2_34_x86_64-cuda", "3.12 x86_64 2.36", False),
    ],
)
def test_tags_decide(tags: str, machine: str, expected: bool) -> None:
    assert serves(tags, machine) is expected


@pytest.mark.parametrize(
    ("requires", "python", "expected"),
    [
        (">=3.12", "3.11", False),
        (">=3.12", "3.12", True),
        (">=3.12", "3.13t", True),
        (">=3.12.4", "3.12", True),
        (">=3.12.4", "3.12.3", False),
        ("<3.12", "3.12", False),
        ("<3.12.5", "3.12", True),
        (">=3.9,!=3.11.*", "3.11", False),
        ("", "3.8", True),
        ("three", "3.8", True),
    ],
)
def test_requires_python_decides_too(requires: str, python: str, expected: bool) -> None:
    assert serves("py3-none-any", f"{python} x86_64 2.36", requires) is expected


def test_the_pythons_that_a_wheel_serves() -> None:
    stable = Audience.of("demo-1.0-cp312-abi3-manylinux_2_17_x86_64.whl")
    pythons = stable.pythons("x86_64", "2.36")
    assert pythons[:2] == ("3.12", "3.13")
    assert not any(python.endswith("t") for python in pythons)
    assert stable.pythons("aarch64", "2.36") == ()
    threads = Audience.of("demo-1.0-cp313-cp313t-manylinux_2_17_x86_64.whl")
    assert threads.pythons("x86_64", "2.36") == ("3.13t",)
    later = Audience.of("demo-1.0-cp399-cp399-manylinux_2_17_x86_64.whl")
    assert later.pythons("x86_64", "2.36") == ("3.99",)


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("manylinux_2_17_aarch64.manylinux2014_aarch64", ("aarch64",)),
        ("musllinux_1_2_x86_64", ("x86_64",)),
        ("any", ("x86_64", "aarch64")),
        ("macosx_11_0_x86_64", ()),
        ("win_amd64", ()),
    ],
)
def test_the_architectures_of_a_wheel(platform: str, expected: tuple[str, ...]) -> None:
    assert Audience.of(f"demo-1.0-py3-none-{platform}.whl").architectures == expected


def test_this_machine_accepts_what_packaging_says_of_it() -> None:
    ours = {tag for tag in sys_tags() if "linux" in tag.platform or tag.platform == "any"}
    refused = [
        str(tag)
        for tag in ours
        if not Audience(tags=frozenset((tag,))).serves(Machine.here())
        and "linux_i" not in tag.platform
        and tag.interpreter.startswith(("py", "cp"))
    ]
    assert refused == []
    assert this_glibc().startswith("2.")
    assert Machine.here().python == "{}.{}".format(*sys.version_info)


def test_tags_rank_as_pip_orders_them() -> None:
    """By this machine's own Python; `packaging` has ``linux`` first, pip and uv last."""
    machine = Machine.here()
    supported = [Tag(tag.interpreter, tag.abi, tag.platform) for tag in get_supported()]
    ranks = [Audience(tags=frozenset({tag})).rank(machine) for tag in supported]
    assert None not in ranks
    assert ranks == sorted(ranks, key=lambda rank: rank or (0, 0))
    assert Audience.of("demo-1.0-cp27-none-any.whl").rank(machine) is None


@pytest.mark.parametrize(
    "tags",
    [
        "cp312-cp312-manylinux_2_34_x86_64",
        "CP312-cp312-Linux_x86_64",
        "1-cp312-cp312-linux_x86_64",
        "cp311.cp312-cp311.cp312-win_amd64.linux_x86_64",
        "cp313-cp313-win_amd64.any",
        "cp39-abi3-manylinux_2_39_x86_64.manylinux2014_x86_64",
        "py2.py3-none-any",
        "cp312-none-any",
        "py312-none-linux_aarch64",
        "cp313-cp313t-linux_x86_64",
    ],
)
def test_the_quick_answer_is_the_same(tags: str) -> None:
    for python in ("3.11", "3.12", "3.12.4", "3.13", "3.13t"):
        for arch, glibc in (("x86_64", "2.31"), ("x86_64", "2.39"), ("aarch64", "2.39"), ("x86_64", "")):
            machine = Machine(python=python, arch=arch, glibc=glibc)
            assert tags_serve(tags, machine) is Audience.of(f"demo-1.0-{tags}.whl").serves(machine)


def test_what_is_not_a_wheels_tags_serves_nobody() -> None:
    for tags in ("", "-", "any", "none-any", "x-y-z-linux_x86_64"):
        assert not tags_serve(tags, Machine(python="3.12", arch="x86_64", glibc="2.39"))


@pytest.mark.parametrize(
    ("platforms", "floor"),
    [
        ("manylinux_2_28_x86_64", "2.28"),
        ("manylinux_2_28_x86_64 manylinux_2_17_x86_64", "2.17"),
        ("manylinux2014_x86_64", "2.17"),
        ("manylinux1_x86_64", "2.5"),
        ("manylinux_2_17_aarch64", None),
        ("linux_x86_64 win_amd64", None),
    ],
)
def test_the_oldest_glibc(platforms: str, floor: str | None) -> None:
    assert oldest_glibc(platforms.split(), "x86_64") == floor
