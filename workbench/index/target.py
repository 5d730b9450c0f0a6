"""For whom a wheel is: read from its filename, and from what the registry knows of its build."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from workbench.index.channel import channel_of

if TYPE_CHECKING:
    from workbench.registry.model import BuildFacts, PublishedWheel

ANY = "any"

_TAGS = re.compile(
    r"(?:[0-9][^-]*-)?(?P<python>[^-0-9][^-]*)-(?P<abi>[^-]+)-(?P<platform>[^-.]+)[^-]*(?:-[0-9a-z_.]{1,16})?\.whl"
)
_CPYTHON = re.compile(r"cp3([0-9]+)")
_LINUX = re.compile(r"(?P<libc>manylinux|musllinux|linux)_?(?:[0-9]+_[0-9]+_|1_|2010_|2014_)?(?P<arch>\w+)")
_GLIBC = re.compile(r"manylinux_([0-9]+)_([0-9]+)_")
_OLD_GLIBC = {"manylinux1_": "2.5", "manylinux2010_": "2.12", "manylinux2014_": "2.17"}
_CUDA = re.compile(r"cu([0-9]{2})([0-9])")


class Target(NamedTuple):
    """What decides whether a wheel serves a machine, in words for people; ``""`` where a wheel is not bound.

    `python` is ``3.12``, ``3.13t`` (free-threaded), ``3.9+`` (stable ABI) or ``any``; `platform` is
    ``Linux aarch64``, ``Windows amd64`` or ``any``; `compute` (``cu130``) and `torch` (``2.11``).
    """

    python: str
    platform: str
    compute: str
    torch: str

    @property
    def text(self) -> str:
        """The target as the state and the front page keep it."""
        return "|".join(self)

    @classmethod
    def of(cls, text: str) -> Target:
        """Return the target that has this text."""
        return cls(*text.split("|"))

    @property
    def arch(self) -> str:
        """The architecture, as ``uname -m`` says it."""
        return self.platform.rpartition(" ")[2]

    @property
    def python_key(self) -> tuple[int, str]:
        """What Pythons are sorted by: 3.9 before 3.10."""
        return _python_key(self.python)


def target_of(wheel: PublishedWheel) -> Target:
    """Return the target of a wheel."""
    channel = channel_of(wheel.filename)
    compute, torch = (channel.compute, channel.torch) if channel else ("", "")
    if wheel.build:
        compute, torch = _built_for(wheel.build, compute, torch)
    python, platform = _tags(wheel.filename.split("-", maxsplit=2)[-1])
    return Target(python, platform, compute, torch)


def _built_for(build: BuildFacts, compute: str, torch: str) -> tuple[str, str]:
    """Return what the filename names, or else what the build says: 2.11 for 2.11.0, as channels write it."""
    built_torch = ".".join(build.torch.split("+")[0].split(".")[:2]) if build.torch else ""
    return compute or build.compute, torch or built_torch


def glibc_floor(wheel: PublishedWheel) -> str | None:
    """Return the lowest glibc that a wheel runs on, if it says so."""
    if wheel.build and wheel.build.glibc:
        return wheel.build.glibc
    tag = wheel.filename.rpartition("-")[2]
    if found := _GLIBC.match(tag):
        return f"{found[1]}.{found[2]}"
    return next((version for prefix, version in _OLD_GLIBC.items() if tag.startswith(prefix)), None)


def compute_words(compute: str) -> str:
    """Write a compute platform as people do: ``CUDA 13.0``."""
    if found := _CUDA.fullmatch(compute):
        return f"CUDA {found[1]}.{found[2]}"
    return {"cpu": "CPU", "xpu": "XPU"}.get(compute, compute.replace("rocm", "ROCm "))


@lru_cache(maxsize=256)
def _python_key(python: str) -> tuple[int, str]:
    number = re.search(r"3\.([0-9]+)", python)
    return (int(number[1]) if number else 0, python)


@lru_cache(maxsize=4096)
def _tags(rest: str) -> tuple[str, str]:
    """Return Python and platform from a filename without its name and version."""
    found = _TAGS.fullmatch(rest)
    if found is None:
        return ANY, ANY
    return _python(found["python"], found["abi"]), _platform(found["platform"].split(".")[0])


def _python(tag: str, abi: str) -> str:
    version = _CPYTHON.fullmatch(tag.split(".", maxsplit=1)[0])
    if version is None:
        return ANY if tag.startswith("py") else tag
    if abi == "abi3":
        return f"3.{version[1]}+"
    return f"3.{version[1]}{'t' if abi.endswith('t') else ''}"


def _platform(tag: str) -> str:
    if tag == "any":
        return ANY
    if found := _LINUX.fullmatch(tag):
        return f"Linux {'musl ' if found['libc'] == 'musllinux' else ''}{found['arch']}"
    if tag.startswith("macosx_"):
        return "macOS " + tag.split("_", 3)[-1]
    if tag.startswith("win"):
        return f"Windows {tag.removeprefix('win_')}"
    return tag
