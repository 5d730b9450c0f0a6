"""auditwheel's policies as values: what each platform tag allows (PEP 600, PEP 656)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_GLIBC = re.compile(r"manylinux_(\d+)_(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A platform tag (``manylinux_2_28_x86_64``), its other names, the symbol versions and libraries that it allows.

    `versions` has the numbers by family: ``GLIBC`` → ``2.17``, … `glibc` is the floor that it stands for, None for
    a tag of another C library.
    """

    name: str
    aliases: tuple[str, ...]
    versions: dict[str, tuple[str, ...]]
    libraries: frozenset[str]
    glibc: tuple[int, int] | None

    @property
    def names(self) -> tuple[str, ...]:
        """All its names, the usual one first."""
        return (self.name, *self.aliases)

    def allows(self, version: str) -> bool:
        """Say whether it has a symbol version; families that it does not list (OpenMP's) are free."""
        family, _, number = version.partition("_")
        return family not in self.versions or number in self.versions[family]


def family_of(tag: str) -> tuple[Policy, ...]:
    """Return the policies of a platform tag's C library and architecture, the most portable one first.

    It is empty for a tag that belongs to none (``linux_x86_64``, ``any``).
    """
    for libc in ("manylinux", "musllinux"):
        if tag.startswith(libc):
            return next((p for p in _read(libc) if any(tag in each.names for each in p)), ())
    return ()


def glibc_range(arch: str) -> tuple[str, str]:
    """Return the oldest and the newest glibc (``2.17``) that there is a policy of for an architecture."""
    floors = [policy.glibc for policy in family_of(f"manylinux_2_17_{arch}") if policy.glibc]
    oldest, newest = (f"{major}.{minor}" for major, minor in (min(floors), max(floors)))
    return oldest, newest


def index_of(tag: str, policies: tuple[Policy, ...]) -> int:
    """Return where a platform tag stands among `policies`, behind them all where it is none of them."""
    return next((at for at, policy in enumerate(policies) if tag in policy.names), len(policies))


@cache
def _read(libc: str) -> tuple[tuple[Policy, ...], ...]:
    """Return the policies of a C library, for each architecture."""
    # not as a resource: that imports the package, and with it all that reads ELF files
    found = find_spec("auditwheel")
    assert found is not None  # noqa: S101 - it is a dependency
    assert found.origin is not None  # noqa: S101 - a package in a folder
    text = (Path(found.origin).parent / "policy" / f"{libc}-policy.json").read_text("utf-8")
    ranked = sorted(json.loads(text), key=lambda policy: -policy["priority"])
    architectures = sorted({arch for policy in ranked for arch in policy["symbol_versions"]})
    return tuple(
        tuple(_policy(policy, arch) for policy in ranked if arch in policy["symbol_versions"])
        for arch in architectures
    )


def _policy(data: dict[str, Any], arch: str) -> Policy:
    match = _GLIBC.fullmatch(data["name"])
    return Policy(
        name=f"{data['name']}_{arch}",
        aliases=tuple(f"{alias}_{arch}" for alias in data["aliases"]),
        versions={family: tuple(numbers) for family, numbers in data["symbol_versions"][arch].items()},
        libraries=frozenset(data["lib_whitelist"]),
        glibc=(int(match[1]), int(match[2])) if match else None,
    )
