"""Channels: an index of its own for every combination of CUDA and torch.

Installers cannot choose by local version, so of ``1.0+cu126torch2.10`` and ``1.0+cu130torch2.11`` they take
the one that sorts last, whatever the machine has. A person who points pip at
``index/cu130/torch2.11/simple/`` sees only what was built for it.

A wheel belongs to the channel that its local version names, whatever else that says: a rebuild
(``+cu130torch2.11.post1``), a version of one's own (``+mine.cu130torch2.11``), an ABI
(``+cu130torch2.11cxx11abiTRUE``). A wheel of one of the recipe's variants (``+cu130torch2.11.hdim128``) belongs to
none: installers would take it before the usual build, for its version is the higher. It is had by its exact version.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_PLATFORM = r"cpu|cu[0-9]{2,4}|rocm[0-9]+(?:\.[0-9]+)*|xpu"
_COMPUTE = re.compile(rf"(?:^|[._]|torch[0-9.]+)({_PLATFORM})(?=$|[._]|torch[0-9])")
"""A compute platform that is a whole part of a local version, or has nothing but torch next to it."""
_VERSION = r"[0-9]+(?:\.[0-9]+)*"
_TORCH = re.compile(rf"torch({_VERSION})")

FOLDERS = rf"(?:{_PLATFORM})(?:/torch{_VERSION})?"
"""The folders of all channels that there can be, as a regular expression."""


class Channel(NamedTuple):
    """A compute platform (``cu130``) and the torch (``2.11``), where a wheel is bound to one."""

    compute: str
    torch: str = ""

    @property
    def folder(self) -> str:
        """Its folder below the index's: ``cu130/torch2.11``."""
        return f"{self.compute}/torch{self.torch}" if self.torch else self.compute

    @property
    def depth(self) -> int:
        """How many folders that is."""
        return 2 if self.torch else 1


def channel_of(filename: str, variant: str | None = None) -> Channel | None:
    """Return the channel of a wheel; None where its local version names none, or it is one of a recipe's variants."""
    if variant or "+" not in filename:
        return None
    return channel_named(filename.split("-", 2)[1].partition("+")[2])


@lru_cache(maxsize=4096)
def channel_named(local: str) -> Channel | None:
    """Return the channel that a local version names."""
    compute = _COMPUTE.search(local)
    if compute is None:
        return None
    torch = _TORCH.search(local)
    return Channel(compute[1], torch[1] if torch else "")


def short_version(version: str, variant: str | None = None) -> str:
    """Return a wheel's version without the local part, where that names its compute, torch and variant and no more."""
    public, _, local = version.partition("+")
    return public if local and _says_no_more(local, variant or "") else version


@lru_cache(maxsize=4096)
def _says_no_more(local: str, variant: str) -> bool:
    compute, torch = channel_named(local) or ("", "")
    torch = f"torch{torch}" if torch else ""
    whole = {compute + torch + variant, torch + compute + variant}
    return re.sub("[._]", "", local) in {re.sub("[._]", "", parts) for parts in whole}
