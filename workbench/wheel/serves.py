"""Whom a wheel serves: which Pythons on which machines may install it, by its tags and its Requires-Python.

This is the one answer to that question. `packaging.tags` says which tags a Python accepts (PEP 425, 600); what it
cannot be asked, the platform tags of a machine that is only described, is spelled here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

from packaging.tags import compatible_tags, cpython_tags

from workbench.arch import ARCHITECTURES
from workbench.wheel.filename import parse_wheel

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet
    from packaging.tags import Tag

PYTHONS = (*(f"3.{minor}" for minor in range(8, 21)), *(f"3.{minor}t" for minor in range(13, 21)))
"""The Pythons that a wheel may be tried with, in the order of preference. uv makes environments from 3.8 on."""

_PYTHON = re.compile(r"(3\.\d+)(\.\d+)?(t?)")
_INTERPRETER = re.compile(r"(?:cp|py)3(\d{1,3})")
_MANYLINUX = re.compile(r"manylinux_2_(\d{1,3})")
_LEGACY = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
"""The older names of platform tags, by the minor version of their glibc (PEP 600)."""

_OLDEST_GLIBC = {"x86_64": 5}
"""The minor version of the oldest glibc that there is a tag for; 17 for every other architecture."""

_NEWEST_RELEASE = 99
"""A Z of X.Y.Z that no Python reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A Python on a machine, this one or one that is described.

    `python` is ``3.12``, ``3.13t`` where it is free-threaded, or an exact ``3.12.4``. `arch` is ``uname -m``'s word,
    `glibc` its C library's version (``2.39``).
    """

    python: str
    arch: str
    glibc: str

    @classmethod
    def here(cls, python: str = "") -> Machine:
        """Return this machine with one of its Pythons, the workbench's own unless another is named."""
        from workbench.plan.target import this_arch, this_python

        return cls(python=python or this_python(), arch=this_arch(), glibc=this_glibc())


def this_glibc() -> str:
    """Return the version of this machine's C library, ``2.36``; ``0`` where that is not glibc."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (OSError, ValueError):
        return "0"
    return version if name == "glibc" else "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Whom a wheel serves: its `tags`, and the Pythons that its Requires-Python admits, None for all."""

    tags: frozenset[Tag]
    requires_python: SpecifierSet | None = None

    @classmethod
    @lru_cache(maxsize=4096)
    def of(cls, filename: str, requires_python: str | None = None) -> Audience:
        """Return whom a wheel serves; `requires_python` is as its METADATA has it.

        A filename that installers do not read, such as one with a variant label, serves nobody. A Requires-Python
        that is not valid counts as none, as it does in pip.
        """
        from packaging.specifiers import InvalidSpecifier, SpecifierSet
        from packaging.utils import InvalidWheelFilename

        try:
            tags = parse_wheel(filename).tags
            specifiers = SpecifierSet(requires_python) if requires_python else None
        except InvalidWheelFilename:
            return cls(tags=frozenset())
        except InvalidSpecifier:
            specifiers = None
        return cls(tags=tags, requires_python=specifiers)

    def serves(self, machine: Machine) -> bool:
        """Say whether an installer takes the wheel for a Python on a machine."""
        return self.rank(machine) is not None and self.admits(machine.python)

    def rank(self, machine: Machine) -> tuple[int, int] | None:
        """Return how early its best tag comes among those that a Python on a machine asks for, in pip's order.

        None is for a wheel that has no tag for it.
        """
        python, platforms = _accepted(machine.python), platform_tags(machine.arch, machine.glibc)
        ranks = [
            (python[tag.interpreter, tag.abi, platform == "any"], platforms.get(platform, 0))
            for tag in self.tags
            if (platform := tag.platform) in platforms or platform == "any"
            if (tag.interpreter, tag.abi, platform == "any") in python
        ]
        return min(ranks, default=None)

    def pythons(self, arch: str, glibc: str) -> tuple[str, ...]:
        """Return those of `PYTHONS`, and of what its tags name besides, that the wheel serves on a machine."""
        named = (
            f"3.{match[1]}{'t' if tag.abi.endswith('t') else ''}"
            for tag in sorted(self.tags, key=str)
            if (match := _INTERPRETER.fullmatch(tag.interpreter))
        )
        return tuple(
            each
            for each in dict.fromkeys((*PYTHONS, *named))
            if self.serves(Machine(python=each, arch=arch, glibc=glibc))
        )

    @property
    def architectures(self) -> tuple[str, ...]:
        """The architectures that it has Linux platform tags for; both for a wheel that takes any platform."""
        platforms = [tag.platform for tag in self.tags]
        return tuple(
            arch
            for arch in ARCHITECTURES
            if any(each == "any" or re.fullmatch(rf"(many|musl)?linux\w*_{arch}", each) for each in platforms)
        )

    def admits(self, python: str) -> bool:
        """Say whether its Requires-Python admits a Python."""
        if self.requires_python is None:
            return True
        version, release, _ = _parts(python)
        # of a Python that is named by X.Y alone, one release that is admitted is enough
        releases = (release,) if release else (".0", f".{_NEWEST_RELEASE}")
        return any(self.requires_python.contains(f"{version}{each}", prereleases=True) for each in releases)


def tags_serve(tags: str, machine: Machine) -> bool:
    """Say whether an installer takes some tags, as a filename has them, for a Python on a machine: quickly.

    This is what `Audience.serves` says of a wheel without a Requires-Python, but no tag is made. What is not a wheel's
    tags serves nobody.
    """
    python, platforms = _accepted(machine.python), platform_tags(machine.arch, machine.glibc)
    for platform in tags[tags.rfind("-") + 1 :].lower().split("."):
        if (everywhere := platform == "any") or platform in platforms:
            interpreters, _, abis = tags.lower().rpartition("-")[0].rpartition("-")
            pairs = product(interpreters.rpartition("-")[2].split("."), abis.split("."))
            if any((*pair, everywhere) in python for pair in pairs):
                return True
    return False


def _parts(python: str) -> tuple[str, str, str]:
    """Split ``3.13.4t`` into ``3.13``, ``.4`` and ``t``."""
    match = _PYTHON.fullmatch(python)
    if match is None:
        raise ValueError(f"{python!r} is not a Python: 3.12, 3.13t")
    return match[1], match[2] or "", match[3]


@lru_cache(maxsize=256)
def _accepted(python: str) -> Mapping[tuple[str, str, bool], int]:
    """Return the tags that a Python accepts, in their order: interpreter, ABI, whether for any platform."""
    version, _, threads = _parts(python)
    minor = int(version.partition(".")[2])
    name, some = f"cp3{minor}", ["some"]  # the platforms of a machine come in the same order after each
    tags = (
        *cpython_tags(python_version=(3, minor), abis=[f"{name}{threads}"], platforms=some),
        *compatible_tags(python_version=(3, minor), interpreter=name, platforms=some),
    )
    return {(tag.interpreter, tag.abi, tag.platform == "any"): place for place, tag in enumerate(tags)}


@lru_cache(maxsize=64)
def platform_tags(arch: str, glibc: str) -> Mapping[str, int]:
    """Return the platform tags that a machine with a glibc accepts, ``any`` aside (PEP 600), each with its place.

    The newest glibc's comes first, and ``linux`` last, as it says nothing of its glibc.
    """

    def spelled() -> Iterator[str]:
        newest = int(glibc.removeprefix("2.")) if glibc.startswith("2.") else -1
        for minor in range(newest, _OLDEST_GLIBC.get(arch, 17) - 1, -1):
            yield f"manylinux_2_{minor}_{arch}"
            if minor in _LEGACY:
                yield f"{_LEGACY[minor]}_{arch}"
        yield f"linux_{arch}"

    return {platform: place for place, platform in enumerate(spelled())}


def oldest_glibc(platforms: Iterable[str], arch: str) -> str | None:
    """Return the oldest glibc (``2.17``) that any of some platform tags asks for on an architecture.

    None is for tags that do not say.
    """
    legacy = {f"{name}_{arch}": minor for minor, name in _LEGACY.items()}
    matches = ((each, _MANYLINUX.fullmatch(each.removesuffix(f"_{arch}"))) for each in platforms)
    minors = [
        int(match[1]) if match else legacy[platform]
        for platform, match in matches
        if match or platform in legacy
    ]
    return f"2.{min(minors)}" if minors else None
