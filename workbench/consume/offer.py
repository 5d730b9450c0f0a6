"""A wheel that a source offers, as its listing has it: nothing here was downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.wheel.local_version import Packing  # noqa: TC001 - `strict` asks for the types of fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What a source says of all of its wheels, or what the folder of one says.

    `compute` (``cu130``) and `torch` (``2.11``) hold where the filename has none of its own; `packing` decides
    between two readings of a torch release. "" is nothing said.
    """

    compute: str = ""
    torch: str = ""
    packing: Packing | Literal[""] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedWheel:
    """One file of one source. `source` + `filename` + `sha256` is its identity.

    `url` is absolute, without a login; `sha256` is hex, `size` in bytes, `updated` in RFC 3339, each None where the
    source does not say. `requires_python` is as the listing has it. `metadata_sha256` is None where no
    ``.metadata`` file is promised (PEP 658) and "" where one is promised without a hash. `yanked` is None or
    the reason, which may be empty (PEP 592). `libraries` is what a page of the workbench tells of the wheel's
    libraries, `LibraryFacts` as JSON; it counts as long as nobody has read them.
    """

    filename: str
    url: str
    source: str
    sha256: str | None = None
    size: int | None = None
    updated: str | None = None
    requires_python: str | None = None
    metadata_sha256: str | None = None
    yanked: str | None = None
    libraries: str | None = None
    hints: Hints = Hints()

    @property
    def key(self) -> tuple[str, str]:
        """What facts about it are found by: what one source tells of bytes does not count for another's."""
        return self.source, self.sha256 or ""
