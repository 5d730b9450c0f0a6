"""What uv calls a machine that packages are installed for from another one."""

from __future__ import annotations

import re

_MINORS = (17, 28, *range(31, 41))
"""The minor versions of glibc 2 that uv has a platform for."""


def python_platform(arch: str, glibc: str) -> str:
    """Return ``--python-platform`` for an architecture and a glibc (``2.41``), or the next older that uv knows.

    Raises ValueError for what is no glibc, and for one that is older than all of them.
    """
    found = re.fullmatch(r"2\.(\d+)", glibc)
    older = [known for known in _MINORS if found and known <= int(found[1])]
    if not older:
        raise ValueError(f"{glibc!r} is no glibc 2.{_MINORS[0]} or newer")
    minor = max(older)
    return f"{arch}-manylinux_2_{minor}"
