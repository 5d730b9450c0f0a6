"""Why a wheel's policy is not a better one: the libraries and the versioned symbols that stand against it."""

from __future__ import annotations

import io
import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection, GNUVerSymSection
from elftools.elf.sections import SymbolTableSection

from workbench.wheel.wheel import open_wheel

if TYPE_CHECKING:
    from workbench.repair.policies import Policy
    from workbench.wheel.elf import Elf

_SHOWN_SYMBOLS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One thing that stands between a wheel and the better `policy`.

    A `library` that the policy does not allow, or its symbol `version` that is too new; then `symbols` are some
    of those that need it, as ``member: symbol``.
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


def find_limits(
    wheel: Path, libraries: Sequence[Elf], policy: Policy, obstacles: Iterable[str]
) -> tuple[Limit, ...]:
    """Return what stands between a wheel and a policy.

    `libraries` are those of the wheel; `obstacles` are what the policy forbids beside symbols that are too new.
    """
    too_new = sorted(
        {
            (of, version)
            for library in libraries
            for of, versions in library.versions.items()
            for version in versions
            if not policy.allows(version)
        }
    )
    users = _users(wheel, libraries, {version for _, version in too_new})
    return (
        *(Limit(policy=policy.name, library=library) for library in obstacles),
        *(
            Limit(policy=policy.name, library=library, version=version, symbols=users[version])
            for library, version in too_new
        ),
    )


def _users(wheel: Path, libraries: Sequence[Elf], versions: set[str]) -> dict[str, tuple[str, ...]]:
    """Return for each symbol version some symbols of the wheel's libraries that need it."""
    users: dict[str, list[str]] = {version: [] for version in versions}
    with open_wheel(wheel) as opened:
        for library in libraries:
            wanted = {version for version in versions if len(users[version]) < _SHOWN_SYMBOLS}
            if wanted.isdisjoint(chain.from_iterable(library.versions.values())):
                continue
            content = b"".join(opened.content(opened.members[library.path]))
            for version, symbol in _versioned_symbols(content, wanted):
                if len(users[version]) < _SHOWN_SYMBOLS:
                    users[version].append(f"{library.path}: {symbol}")
    return {version: tuple(symbols) for version, symbols in users.items()}


def _versioned_symbols(library: bytes, wanted: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield (version, symbol) for each imported symbol of an ELF library that has a `wanted` version.

    Only these are parsed: PyTorch's greatest library has 79,000, and to parse all of them takes seconds.
    """
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
    names = {
        aux["vna_other"]: aux.name
        for _, auxiliaries in needs.iter_versions()
        for aux in auxiliaries
        if aux.name in wanted
    }
    for number, (index,) in enumerate(
        struct.iter_unpack("<H" if elf.little_endian else ">H", indices.data())
    ):
        if index in names:
            yield names[index], symbols.get_symbol(number).name
