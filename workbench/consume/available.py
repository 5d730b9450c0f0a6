"""What there is at all: the wheels of a package by CUDA, torch, Python and architecture, whatever the machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from workbench.consume.build import with_hints
from workbench.consume.judge import version_or_none
from workbench.consume.names import group, name_and_version
from workbench.consume.torch import release_numbers
from workbench.wheel.filename import wheel_name_or_none
from workbench.wheel.local_version import UNKNOWN, parse_local

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.tags import Tag

    from workbench.consume.offer import OfferedWheel

_PLATFORM = re.compile(
    r"(?P<system>many|musl)?linux\w*?_(?P<arch>x86_64|aarch64|ppc64le|s390x|riscv64|i686|armv7l)"
)
_INTERPRETER = re.compile(r"(?P<kind>cp|py)3(?P<minor>\d{1,3})?")


class Cell(NamedTuple):
    """One line of the table: wheels that are for the same CUDA, torch, Python and architecture.

    `compute` is ``cu130``, ``cu13``, ``cpu`` …, `torch` ``2.11``; both are "" where the names do not say, and
    ``unknown`` where they cannot be read for sure. `python` is ``3.12``, ``3.13t``, ``3.9+`` for the stable ABI and
    for what takes any newer Python; `arch` ``x86_64``, ``aarch64``, ``any``, or a platform tag of another system.
    `versions` are without their local parts, the newest first.
    """

    compute: str
    torch: str
    python: str
    arch: str
    versions: tuple[str, ...]


def available(offers: Iterable[OfferedWheel]) -> tuple[Cell, ...]:
    """Return what some offers serve, the newest CUDA and torch first. What is not a wheel's name is left out."""
    found: dict[tuple[str, str, str, str], set[str]] = {}
    for same in group(offers):
        name = wheel_name_or_none(f"x-0-{same.tags}.whl")
        if name is None:
            continue
        served = {(_python(tag), _arch(tag)) for tag in name.tags}
        for local, wheels in same.builds:
            said = with_hints(parse_local(local, same.hints.packing), same.hints)
            torch = said.torch if said.torch == UNKNOWN else said.torch_minor + ("+" if said.or_newer else "")
            versions = {name_and_version(each.filename)[1] for each in wheels}
            for python, arch in served:
                found.setdefault((said.compute, torch, python, arch), set()).update(versions)
    cells = (Cell(*key, tuple(_sorted(versions))) for key, versions in found.items())
    return tuple(sorted(cells, key=_newest_first, reverse=True))


def _python(tag: Tag) -> str:
    match = _INTERPRETER.fullmatch(tag.interpreter)
    if match is None:
        return tag.interpreter
    newer = "+" if tag.abi == "abi3" or match["kind"] == "py" else ""
    return f"3.{match['minor']}{'t' if tag.abi.endswith('t') else newer}" if match["minor"] else "3"


def _arch(tag: Tag) -> str:
    match = _PLATFORM.fullmatch(tag.platform)
    return tag.platform if match is None or match["system"] == "musl" else match["arch"]


def _sorted(versions: Iterable[str]) -> list[str]:
    valid = [(version, text) for text in versions if (version := version_or_none(text))]
    return [text for _, text in sorted(valid, reverse=True)]


def _newest_first(cell: Cell) -> tuple[object, ...]:
    digits = re.sub(r"\D", "", cell.compute)
    pythons = release_numbers(cell.python)
    return cell.compute[:2], f"{digits:0<3}", release_numbers(cell.torch), pythons, cell.python, cell.arch
