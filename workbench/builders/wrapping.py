"""Scripts that put ccache in front of compilers: ``python wrapping.py FOLDER CCACHE`` in a container, a function here.

A program of its own where a container's Python runs it, so it keeps to Python 3.9 and to the standard library.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

COMPILER = re.compile(r"(?:[a-z0-9_]+-linux-gnu-)?(?:cc|c\+\+|gcc|g\+\+|clang|clang\+\+)(?:-\d+)?")
"""The names of the compilers that ccache stands in front of."""

_OF_NVCC = ("NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS", "NVCC_CCBIN")
"""The variables that nvcc reads beside its arguments, and of which ccache knows nothing."""


def wrap(folder: Path, path: str, *, ccache: Path) -> None:
    """Write into `folder` what stands in front of the compilers that the search path `path` has.

    That is ``bin``, to be put in front of it, and ``nvcc``, which runs the nvcc that it is given.
    """
    programs = folder / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    beside = " ".join(f"${name}" for name in _OF_NVCC)
    _write(folder / "nvcc", f'CCACHE_NAMESPACE="$CCACHE_NAMESPACE {beside}" exec {shlex.quote(str(ccache))}')
    for place in map(Path, filter(None, path.split(os.pathsep))):
        for each in sorted(place.iterdir()) if place.is_dir() and place != programs else ():
            if (
                COMPILER.fullmatch(each.name)
                and os.access(each, os.X_OK)
                and not (programs / each.name).exists()
            ):
                wrap_one(programs / each.name, each, ccache=ccache)


def wrap_one(script: Path, compiler: Path, *, ccache: Path) -> None:
    """Write a script that runs a compiler under ccache.

    It has the compiler's time: by that the ccache of an nvcc which calls it tells whether the compiler has changed.
    """
    _write(script, f"exec {shlex.quote(str(ccache))} {shlex.quote(str(compiler))}")
    stat = compiler.stat()
    os.utime(script, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _write(script: Path, command: str) -> None:
    script.write_text(f'#!/bin/sh\n{command} "$@"\n', encoding="utf-8")
    script.chmod(0o755)


if __name__ == "__main__":
    wrap(Path(sys.argv[1]), os.environ["PATH"], ccache=Path(sys.argv[2]))
