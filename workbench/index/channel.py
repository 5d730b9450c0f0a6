"""Channels: an index of its own for every combination of CUDA and torch.

Installers cannot choose by local version, so of ``1.0+cu126torch2.10`` and ``1.0+cu130torch2.11`` they take
the one that sorts last, whatever the machine has. A person who points pip at
``index/cu130/torch2.11/simple/`` sees only what was built for it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_LOCAL = re.compile(
    r"[^-]+-[^-+]+\+(?P<compute>cpu|cu[0-9]{2,4}|rocm[0-9]+(?:\.[0-9]+)*|xpu)[._]?(?:torch(?P<torch>[0-9]+(?:\.[0-9]+)*))?-"
)


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


def channel_of(filename: str) -> Channel | None:
    """Return the channel that a wheel's local version names; None where it names none."""
    return _channel(filename) if "+" in filename else None


@lru_cache(maxsize=4096)
def _channel(filename: str) -> Channel | None:
    named = _LOCAL.match(filename)
    return Channel(named["compute"], named["torch"] or "") if named else None
