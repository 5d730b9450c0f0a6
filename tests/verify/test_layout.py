from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.wheels import good
from workbench.verify import archive
from workbench.verify.checks import check
from workbench.verify.promise import check_promise
from workbench.wheel.elf import Elf

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (("demo/A.py", "demo/a.py"), "some file systems take its name"),
        (("demo/\u00e9.py", "demo/e\u0301.py"), "some file systems take its name"),
        (("demo/d", "demo/d/x.py"), "the name of a folder"),
        (("demo/a\x1b[2Jb.py",), "control characters"),
        (("demo/\u202egnp.py",), "turn the direction"),
        (("demo/x.py", "demo-1.0.data/purelib/demo/x.py"), "it is installed where"),
        (("__editable__.demo-1.0.pth",), "a leftover of an editable install"),
        (("__editable___demo_1_0_finder.py",), "a leftover of an editable install"),
        (("_editable_impl_demo.pth",), "a leftover of an editable install"),
        (("build/lib/demo/x.py",), "a build in the source tree"),
    ],
)
def test_members_that_meet_or_mislead_or_were_left_behind_are_found(
    tmp_path: Path, names: tuple[str, ...], what: str
) -> None:
    path = good(tmp_path, payload={"demo/__init__.py": b"", **dict.fromkeys(names, b"")})
    found = check(archive.read(path)).findings
    assert [each.check for each in found] == ["paths"]
    assert what in found[0].what


def test_what_only_looks_like_it_is_sound(tmp_path: Path) -> None:
    names = ("demo/build/lib/x.py", "demo/d.py", "demo/d/x.py", "demo.pth", "demo-1.0.data/scripts/demo")
    path = good(tmp_path, payload={"demo/__init__.py": b"", **dict.fromkeys(names, b"")})
    assert check(archive.read(path)).findings == ()


def library(path: str = "demo/lib.so", **facts: object) -> Elf:
    return Elf(path=path, machine="x86_64", bits=64, **facts)  # type: ignore[arg-type]


def said(*libraries: Elf, platforms: tuple[str, ...], requires: bool = False) -> list[str]:
    return [what for _, what in check_promise(libraries, platforms, requires=requires)]


def test_a_library_that_needs_more_than_the_tags_promise_is_found() -> None:
    new = library(versions={"libc.so.6": ("GLIBC_2.17", "GLIBC_2.32"), "libstdc++.so.6": ("CXXABI_1.3.13",)})
    assert said(new, platforms=("manylinux_2_24_x86_64",)) == [
        "manylinux_2_24_x86_64 does not promise GLIBC_2.32 of libc.so.6, CXXABI_1.3.13 of libstdc++.so.6"
    ]
    assert said(new, platforms=("manylinux_2_34_x86_64",)) == []
    assert said(new, platforms=("linux_x86_64",)) == []
    # of two tags the older one promises more
    assert said(new, platforms=("manylinux_2_34_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"))


def test_a_library_that_nothing_brings_is_found() -> None:
    needs = library(needed=("libc.so.6", "libfoo.so.1", "libcuda.so.1", "libcudart.so.13"))
    tag = ("manylinux_2_28_x86_64",)
    assert said(needs, platforms=tag) == ["manylinux_2_28_x86_64 does not promise libfoo.so.1"]
    assert said(needs, platforms=tag, requires=True) == []
    assert said(needs, library("demo.libs/libfoo.so.1"), platforms=tag) == []


def test_symbols_of_a_library_that_the_wheel_brings_are_its_own_affair() -> None:
    user = library(versions={"libstdc++.so.6": ("GLIBCXX_3.4.99",)})
    assert said(user, platforms=("manylinux_2_28_x86_64",))
    assert not said(user, library("demo.libs/libstdc++.so.6"), platforms=("manylinux_2_28_x86_64",))
