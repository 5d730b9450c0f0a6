"""What uv calls a machine that packages are installed for from another one."""

from __future__ import annotations

_MINORS = (17, 28, *range(31, 41))
"""The minor versions of glibc 2 that uv has a platform for."""


def python_platform(arch: str, glibc: str) -> str:
    """Return ``--python-platform`` for an architecture and a glibc (``2.41``), or the next older that uv knows."""
    minor = max(known for known in _MINORS if known <= int(glibc.split(".")[1]))
    return f"{arch}-manylinux_2_{minor}"
