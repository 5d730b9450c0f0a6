"""For whom a wheel is: read from its filename, and from what the registry knows of its build."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from workbench.text import minor
from workbench.wheel.filename import label
from workbench.wheel.local_version import UNKNOWN, parse_local
from workbench.wheel.serves import oldest_glibc

if TYPE_CHECKING:
    from workbench.registry.model import PublishedWheel

ANY = "any"
CPU = "cpu"

_TAGS = re.compile(
    r"(?:[0-9][^-]*-)?(?P<python>[^-0-9][^-]*)-(?P<abi>[^-]+)-(?P<platform>[^-.]+)[^-]*(?:-[0-9a-z_.]{1,16})?\.whl"
)
_CPYTHON = re.compile(r"cp3([0-9]+)")
_LINUX = re.compile(r"(?P<libc>manylinux|musllinux|linux)_?(?:[0-9]+_[0-9]+_|1_|2010_|2014_)?(?P<arch>\w+)")
_CUDA = re.compile(r"cu(?P<major>1[0-9]|[789])(?P<minor>[0-9]{0,2})")
_MARKS = str.maketrans("", "", "|;")
"""What stands between targets and within their text, and so cannot stand in a word of them."""


class PageTarget(NamedTuple):
    """What decides whether a wheel serves a machine, in words for people; ``""`` where a wheel is not bound.

    `python` is ``3.12``, ``3.13t`` (free-threaded), ``3.9+`` (stable ABI) or ``any``; `platform` is
    ``Linux aarch64``, ``Windows amd64`` or ``any``; `compute` (``cu130``) and `torch` (``2.11``). A wheel for the CPU
    is not bound to that: it runs beside any GPU, unless it was built against a torch for the CPU or says so in its
    version. `variant` tells it from other wheels for the same machine.
    """

    python: str
    platform: str
    compute: str = ""
    torch: str = ""
    variant: str = ""

    @property
    def text(self) -> str:
        """The target as the state and the pages keep it."""
        return "|".join(self)

    @classmethod
    def of(cls, text: str) -> PageTarget:
        """Return the target that has this text."""
        return cls(*text.split("|"))

    @property
    def place(self) -> list[str]:
        """For whom it is apart from the Python, in words: ``Linux aarch64``, ``CUDA 13.0``, ``torch 2.11``."""
        return ["any platform" if self.platform == ANY else self.platform, *bound_words(*self[2:])]

    def runs(self, python: str, platform: str) -> bool:
        """Say whether a wheel of this target runs on a Python and a platform. The pages' script says the same."""
        return self.platform in (platform, ANY) and _runs(self.python, python)


def target_of(wheel: PublishedWheel) -> PageTarget:
    """Return the target of a wheel."""
    _, version, tags = wheel.filename.split("-", 2)
    build = wheel.build
    compute, torch, variant = (build.compute, build.torch, build.variant) if build else ("", None, None)
    return _target(version.partition("+")[2], tags, label(wheel.filename) or variant, compute, torch)


@lru_cache(maxsize=4096)
def _target(
    local: str, tags: str, variant: str | None, built_compute: str, built_torch: str | None
) -> PageTarget:
    """Return a target. Compute and torch are those that the filename names, or else those of the build."""
    said = parse_local(local)
    built = minor(built_torch) if built_torch else ""
    torch = said.torch_minor if said.torch not in ("", UNKNOWN) else built or said.torch
    known = said.compute if said.compute not in ("", UNKNOWN) else ""
    compute = known or bound(built_compute, torch) or said.compute
    python, platform = _tags(tags)
    return PageTarget(python, platform, *(word.translate(_MARKS) for word in (compute, torch, variant or "")))


def bound(compute: str, torch: str) -> str:
    """Return the compute platform that something is bound to: the CPU is none, without a torch for it."""
    return "" if compute == CPU and not torch else compute


def glibc_floor(wheel: PublishedWheel) -> str | None:
    """Return the lowest glibc that a wheel runs on, if it says so."""
    if wheel.build and wheel.build.glibc:
        return wheel.build.glibc
    return _tagged_glibc(wheel.filename.rpartition("-")[2])


@lru_cache(maxsize=256)
def _tagged_glibc(platforms: str) -> str | None:
    found = _LINUX.match(platforms)
    return oldest_glibc(platforms.split("."), found["arch"]) if found else None


def compute_words(compute: str) -> str:
    """Write a compute platform as people do: ``CUDA 13.0``."""
    if found := _CUDA.fullmatch(compute):
        return f"CUDA {found['major']}.{found['minor']}".removesuffix(".")
    known = {CPU: "CPU", "xpu": "XPU", UNKNOWN: "unknown compute"}
    return known.get(compute, compute.replace("rocm", "ROCm "))


def bound_words(compute: str, torch: str, variant: str = "") -> list[str]:
    """Say what a wheel is bound to beside its machine: ``CUDA 13.0``, ``torch 2.11``, ``variant hdim128``."""
    words = [compute_words(compute)] if compute else []
    words += [f"torch {torch}"] if torch else []
    return words + ([f"variant {variant}"] if variant else [])


@lru_cache(maxsize=1024)
def by_number(word: str) -> tuple[tuple[int, ...], str]:
    """Return what Pythons, computes and torches are sorted by: 3.9 before 3.10, and that before 3.10t."""
    return (tuple(map(int, re.findall("[0-9]+", word))), word)


def python_words(pythons: Iterable[str]) -> list[str]:
    """Say which Pythons there are in a few words: ``Python 3.9+, 3.11 to 3.13, 3.14t`` and ``any Python``."""
    found = set(pythons)
    named = sorted(found - {ANY}, key=lambda each: (each[-1] != "+", each[-1] == "t", by_number(each)))
    spans: list[list[str]] = []
    for python in named:
        if spans and _follows(python, spans[-1][-1]):
            spans[-1].append(python)
        else:
            spans.append([python])
    said = ", ".join(f"{span[0]} to {span[-1]}" if span[2:] else ", ".join(span) for span in spans)
    words = [f"Python {said}"] if said else []
    return [*words, "any Python"] if ANY in found else words


def python_choices(pythons: Iterable[str]) -> list[str]:
    """Return the Pythons that a person may have: each that is named, and those that a stable ABI runs on too."""
    found = set(pythons) - {ANY}
    exact = {python.rstrip("+") for python in found}
    floors = [_minor(python) for python in found if python.endswith("+")]
    if floors:
        newest = max(_minor(python) for python in found)
        exact |= {f"3.{minor}" for minor in range(min(floors), newest)}
    return sorted(exact, key=by_number)


def _follows(python: str, other: str) -> bool:
    return python == f"3.{_minor(other) + 1}" and other == f"3.{_minor(other)}"


def _minor(python: str) -> int:
    found = re.search(r"3\.([0-9]+)", python)
    return int(found[1]) if found else 0


@lru_cache(maxsize=4096)
def _runs(own: str, python: str) -> bool:
    """Say whether what was built for one Python runs on another."""
    stable = own.endswith("+") and not python.endswith("t") and python != ANY
    return own in (python, ANY) or (stable and _minor(python) >= _minor(own))


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
