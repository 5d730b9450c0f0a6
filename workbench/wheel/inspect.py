"""What is in anybody's wheel, on disk or on a web server: its libraries, what they need, and their GPU code."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging.utils import InvalidWheelFilename

from workbench.errors import UsageError
from workbench.files import expect_file
from workbench.text import file_size
from workbench.url import mask
from workbench.wheel.filename import parse_wheel
from workbench.wheel.metadata import read_metadata
from workbench.wheel.remote import RemoteFile, open_url
from workbench.wheel.stream import BadBinary
from workbench.wheel.wheel import Library, Wheel

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from workbench.wheel.gpu_code import GpuCode, Place

_TORCH = re.compile(r"lib(?:torch|c10)\w*\.so")
_TORCH_REQUIREMENT = re.compile(r"torch\b(?!-)", re.IGNORECASE)
_NUMBERED = re.compile(r"(?P<family>GLIBC|GLIBCXX|CXXABI)_(?P<number>\d{1,6}(?:\.\d{1,6}){0,3})")

_SYSTEM = re.compile(r"(?:ld-linux|lib(?:c|m|dl|rt|pthread|stdc\+\+|gcc_s|util)\.so)\b.*")
"""Libraries that every Linux has, and that say nothing about a wheel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found in a wheel.

    `where` is the path or the URL as given, `size` the wheel's bytes and `fetched` those of them that were read from
    a server, None for a file. `requires_dist` are as METADATA has them. `libraries` are in the order of the wheel.
    """

    where: str
    filename: str
    size: int
    fetched: int | None
    name: str
    version: str
    tags: tuple[str, ...]
    requires_python: str | None
    requires_dist: tuple[str, ...]
    libraries: tuple[Library, ...]

    @property
    def gpu_architectures(self) -> tuple[str, ...]:
        """The architectures for which it has code that a GPU can come to run, each once."""
        loadable = {
            each for library in self.libraries if library.gpu_code for each in library.gpu_code.loadable
        }
        return tuple(map(str, sorted(loadable)))

    @property
    def floors(self) -> dict[str, str]:
        """The newest version needed of each family: ``GLIBC`` → ``2.34``, and ``GLIBCXX`` and ``CXXABI``."""
        return _floors(self.libraries)

    @property
    def cxx_abis(self) -> tuple[str, ...]:
        """The C++ ABIs that its libraries speak, where their symbols tell."""
        return tuple(sorted({library.cxx_abi for library in self.libraries if library.cxx_abi}))

    @property
    def torch_libraries(self) -> tuple[str, ...]:
        """The libraries of PyTorch that it is linked to."""
        return tuple(name for name in self.needed if _TORCH.fullmatch(name))

    @property
    def torch_requirement(self) -> str | None:
        """The requirement on torch in METADATA: which versions it goes with."""
        return next((each for each in self.requires_dist if _TORCH_REQUIREMENT.match(each)), None)

    @property
    def needed(self) -> tuple[str, ...]:
        """The libraries that it needs and does not bring itself, by name."""
        own = {library.path.rpartition("/")[2] for library in self.libraries}
        own |= {library.elf.soname for library in self.libraries if library.elf and library.elf.soname}
        needed = {name for library in self.libraries for name in library.needed}
        return tuple(sorted(needed - own))

    def as_dict(self) -> dict[str, Any]:
        """Return the plain form, for JSON."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            **plain,
            "floors": self.floors,
            "cxx_abis": self.cxx_abis,
            "torch": {"requires": self.torch_requirement, "linked_to": self.torch_libraries},
            "gpu_architectures": self.gpu_architectures,
            "needed": self.needed,
            "libraries": [_plain(library) for library in self.libraries],
        }


def inspect(where: str) -> Inspection:
    """Look into the wheel at a path or an http(s) URL.

    Of a wheel on a server that serves byte ranges only the central directory, METADATA, the libraries and each other
    member's first bytes are fetched. Raises UsageError for what is not a wheel, and SourceError for what the network
    does.
    """
    filename = unquote(urlsplit(where).path).rpartition("/")[2] if _is_url(where) else Path(where).name
    try:
        parsed = parse_wheel(filename)
    except InvalidWheelFilename as error:
        raise UsageError(f"{where}: {error}") from error
    try:
        with open_anywhere(where) as file:
            wheel = Wheel(file)
            text = wheel.text("METADATA")
            libraries = tuple(wheel.libraries())
            size = file.seek(0, 2)
            fetched = _fetched(file)
        raw, _ = read_metadata(text)
    except BadBinary as error:
        raise UsageError(f"{where}: not a whole wheel: {error}") from error
    return Inspection(
        where=mask(where),
        filename=filename,
        size=size,
        fetched=fetched,
        name=parsed.name,
        version=str(parsed.version),
        tags=tuple(sorted(map(str, parsed.tags))),
        requires_python=raw.get("requires_python"),
        requires_dist=tuple(raw.get("requires_dist", ())),
        libraries=libraries,
    )


def summary(found: Inspection) -> tuple[tuple[str, str], ...]:
    """Return what a person wants to know first, as names and texts."""
    floors = ", ".join(f"{family} {number}" for family, number in found.floors.items())
    linked = ", ".join(found.torch_libraries)
    size = file_size(found.size)
    if found.fetched is not None:
        size += f", {file_size(found.fetched)} of it fetched"
    return (
        ("size", size),
        ("tags", ", ".join(found.tags)),
        ("python", found.requires_python or "any"),
        ("requires", ", ".join(found.requires_dist) or "nothing"),
        ("GPU code", ", ".join(found.gpu_architectures) or "none that is loaded"),
        ("needs at least", floors or "no versioned symbol"),
        ("C++ ABI", ", ".join(found.cxx_abis) or "no symbol tells"),
        (
            "torch",
            f"{found.torch_requirement or 'not required'}; {f'linked to {linked}' if linked else 'not linked'}",
        ),
        ("libraries needed", ", ".join(found.needed) or "none"),
    )


def library_rows(found: Inspection) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return columns and rows, a row for each library, the largest first."""
    columns = ("library", "size", "GPU code", "needs", "glibc", "RPATH")
    ordered = sorted(found.libraries, key=lambda library: -library.size)
    return columns, tuple(
        (
            library.path,
            file_size(library.size),
            "; ".join(library.faults) or _code(library.gpu_code),
            ", ".join(name for name in library.needed if not _SYSTEM.fullmatch(name)),
            _floors((library,)).get("GLIBC", ""),
            ":".join(library.elf.search_path if library.elf else ()),
        )
        for library in ordered
    )


def _is_url(where: str) -> bool:
    return where.startswith(("http://", "https://"))


def open_anywhere(
    where: str, headers: Mapping[str, str] | None = None, *, filename: str = ""
) -> AbstractContextManager[IO[bytes]]:
    """Open the wheel at a path, a file URL, or an http(s) URL, to whose server `headers` go.

    `filename` is what people are told is fetched, where the URL ends otherwise.
    Raises UsageError for a path without a file, and SourceError for what the network does.
    """
    if _is_url(where):
        return open_url(where, headers, filename=filename)
    path = unquote(urlsplit(where).path) if where.startswith("file:") else where
    return expect_file(Path(path)).open("rb")


def _fetched(file: IO[bytes]) -> int | None:
    remote = file.raw if isinstance(file, io.BufferedReader) else None
    return remote.fetched if isinstance(remote, RemoteFile) else None


def _floors(libraries: tuple[Library, ...]) -> dict[str, str]:
    newest: dict[str, tuple[int, ...]] = {}
    for library in libraries:
        for versions in library.elf.versions.values() if library.elf else ():
            for match in filter(None, map(_NUMBERED.fullmatch, versions)):
                number = tuple(map(int, match["number"].split(".")))
                newest[match["family"]] = max(newest.get(match["family"], ()), number)
    return {family: ".".join(map(str, newest[family])) for family in sorted(newest)}


def _code(code: GpuCode | None) -> str:
    if code is None:
        return ""
    labels: dict[Place, str] = {"linked": "", "embedded": "loaded by itself: ", "relocatable": "not linked: "}
    names = {place: " ".join(str(each.architecture) for each in code.at(place)) for place in labels}
    return "; ".join(f"{label}{names[place]}" for place, label in labels.items() if names[place])


def _plain(library: Library) -> dict[str, Any]:
    elf = library.elf
    return {
        "path": library.path,
        "size": library.size,
        "compressed": library.compressed,
        "machine": elf.machine if elf else None,
        "needed": library.needed,
        "rpath": elf.search_path if elf else (),
        "floors": _floors((library,)),
        "cxx_abi": library.cxx_abi,
        "gpu_code": library.gpu_code.as_dict() if library.gpu_code else None,
        "faults": library.faults,
    }
