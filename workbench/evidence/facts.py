"""How a wheel came to be, as the registry keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

IsolationKind = Literal["isolated", "network allowed", "not isolated"]
"""What a build could reach: its own tree; the network as well; whatever the machine has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchApplied:
    """A patch that is in a wheel: its file name, the hash of that file, its DEP-3 description.

    `url` says where the file can be read: below the store's root, or absolute.
    """

    name: str
    sha256: str
    description: str = ""
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFacts:
    """How a wheel came to be and what is in it.

    `source` is ``NAME==VERSION`` of an sdist, the Git URL, or a folder's name; `pin` the sdist's sha256 or the full
    commit, and empty for a folder; `ref` the branch or the tag where the commit was found. `python` (``3.10``) and
    `arch` are the cell that it was built for, of all that it serves, and `glibc_asked` the glibc that was asked for;
    None where it was built before that was kept. `compute` is the compute platform (``cpu``, ``cu130``), `torch` the
    version it was built against, `variant` that of the recipe's variants which it is, `glibc` the lowest glibc it runs
    on. The build took `seconds`. `isolation` says what the build could reach. `log`, `sbom`, `statement` and `verdict`
    say where the build's log, the wheel's bill of materials (the very one that is in it, PEP 770), its statement and
    the verdict on it (both in-toto's) can be read: below the store's root, or absolute. `reproduced` is what the
    verdict says: whether a second build, on the day `reproduced_on`, had the same bytes.
    """

    source: str
    pin: str
    ref: str | None = None
    patches: tuple[PatchApplied, ...] = ()
    builder: str = "host"
    python: str | None = None
    arch: str | None = None
    glibc_asked: str | None = None
    compute: str = "cpu"
    torch: str | None = None
    variant: str | None = None
    glibc: str | None = None
    seconds: int | None = None
    log: str | None = None
    sbom: str | None = None
    statement: str | None = None
    isolation: IsolationKind | None = None
    verdict: str | None = None
    reproduced: bool | None = None
    reproduced_on: str | None = None
