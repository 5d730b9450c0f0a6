"""Channels: an index of its own for every combination of CUDA and torch.

Installers cannot choose by local version, so of ``1.0+cu126torch2.10`` and ``1.0+cu130torch2.11`` they take
the one that sorts last, whatever the machine has. A person who points pip at
``index/cu130/torch2.11/simple/`` sees only what was built for it.

A wheel belongs to the channel that its local version names (`wheel.local_version`), whatever else that says: a rebuild
(``+cu130torch2.11.post1``), a version of one's own (``+mine.cu130torch2.11``), an ABI
(``+cu130torch2.11cxx11abiTRUE``). One whose local version cannot be read for sure belongs to none. Nor does a wheel of
one of the recipe's variants (``+cu130torch2.11.hdim128``): installers would take it before the usual build, because
its version is higher. Its exact version installs it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from workbench.wheel.local_version import UNKNOWN, LocalVersion, parse_local

FOLDERS = r"(?:cpu|xpu|cu[0-9]{2,4}|rocm[0-9]+(?:\.[0-9]+)*)(?:/torch[0-9]+(?:\.[0-9]+)*)?"
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
    return _channel_named(filename.split("-", 2)[1].partition("+")[2])


@lru_cache(maxsize=4096)
def _channel_named(local: str) -> Channel | None:
    """Return the channel that a local version names; None where it names none, or cannot be read for sure."""
    said = parse_local(local)
    if said.compute in ("", UNKNOWN) or said.torch == UNKNOWN:
        return None
    return Channel(said.compute, "" if said.or_newer else said.torch_minor)


def short_version(version: str, variant: str | None = None) -> str:
    """Return a wheel's version without the local part, where that names its compute, torch and variant and no more."""
    public, _, local = version.partition("+")
    said = parse_local(local)
    told = said._replace(compute="", torch="", rest=())
    no_more = told == LocalVersion() and UNKNOWN not in said and said.torch == said.torch_minor
    return public if no_more and set(said.rest) <= {variant} else version
