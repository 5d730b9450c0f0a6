"""Why a wheel's policy is not a better one: the libraries and the versioned symbols that stand against it."""

from __future__ import annotations

import importlib.resources
import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection, GNUVerSymSection
from elftools.elf.sections import SymbolTableSection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHOWN_SYMBOLS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One thing that stands between a wheel and the better `policy`.

    A `library` that the policy does not allow, or its symbol `version` that is too new; then `symbols` are some of
    those that need it, as ``member: symbol``.
    """

    policy: str
    library: str
    version: str | None = None
    symbols: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.version is None:
            return f"{self.policy} does not allow {self.library}"
        named = f": {', '.join(self.symbols)}" if self.symbols else ""
        return f"{self.policy} is too old for {self.version} of {self.library}{named}"


def find_limits(wheel: Path, facts: dict[str, Any], reached: str) -> tuple[Limit, ...]:
    """Return what stands between a wheel and the policy next better than `reached`.

    `facts` are what ``auditwheel show --json`` says of the wheel.
    """
    policy, allowed = _next_better(reached)
    if policy is None:
        return ()
    libraries = facts["policy_upgrades"].get(policy, {}).get("libs_to_eliminate", ())
    too_new = [
        (library, version)
        for library, versions in facts["versioned_symbols"].items()
        for version in versions
        if not _allows(allowed, version)
    ]
    users = _users(wheel, {version for _, version in too_new})
    return (
        *(Limit(policy=policy, library=library) for library in libraries),
        *(
            Limit(policy=policy, library=library, version=version, symbols=users.get(version, ()))
            for library, version in too_new
        ),
    )


def _next_better(reached: str) -> tuple[str | None, dict[str, list[str]]]:
    """Return the policy next better than `reached`, with the symbol versions that it allows."""
    data = importlib.resources.files("auditwheel.policy").joinpath("manylinux-policy.json").read_text("utf-8")
    better: tuple[str | None, dict[str, list[str]]] = (None, {})
    for policy in sorted(json.loads(data), key=lambda policy: -policy["priority"]):
        for name in (policy["name"], *policy["aliases"]):
            if reached.startswith(f"{name}_"):
                return better
        for arch, versions in policy["symbol_versions"].items():
            if reached.endswith(f"_{arch}"):
                better = (f"{policy['name']}_{arch}", versions)
    return None, {}


def _allows(allowed: dict[str, list[str]], version: str) -> bool:
    """Say whether a policy has a symbol version; families that it does not list (OpenMP's) are free."""
    family, _, number = version.partition("_")
    return family not in allowed or number in allowed[family]


def _users(wheel: Path, versions: set[str]) -> dict[str, tuple[str, ...]]:
    """Return for each symbol version some symbols of the wheel's libraries that need it."""
    users: dict[str, list[str]] = {}
    if versions:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                if ".so" not in member:
                    continue
                for version, symbol in _versioned_symbols(archive.read(member)):
                    known = users.setdefault(version, [])
                    if version in versions and len(known) < SHOWN_SYMBOLS:
                        known.append(f"{member}: {symbol}")
    return {version: tuple(symbols) for version, symbols in users.items()}


def _versioned_symbols(library: bytes) -> Iterator[tuple[str, str]]:
    """Yield (version, symbol) for each imported symbol of an ELF library."""
    if not library.startswith(b"\x7fELF"):
        return
    elf = ELFFile(io.BytesIO(library))
    needs = elf.get_section_by_name(".gnu.version_r")
    indices = elf.get_section_by_name(".gnu.version")
    symbols = elf.get_section_by_name(".dynsym")
    if (
        not isinstance(needs, GNUVerNeedSection)
        or not isinstance(indices, GNUVerSymSection)
        or not isinstance(symbols, SymbolTableSection)
    ):
        return
    names = {aux["vna_other"]: aux.name for _, auxiliaries in needs.iter_versions() for aux in auxiliaries}
    for number, symbol in enumerate(symbols.iter_symbols()):
        version = names.get(indices.get_symbol(number)["ndx"])
        if version:
            yield version, symbol.name
