"""A jobserver as GNU Make and Ninja know it: a named pipe from which they take a token for each job beyond their first.

It is one build's own, for a client that is killed never gives its tokens back. Ninja knows named pipes since 1.13, GNU
Make since 4.4; to an older Make a wrapper hands the pipe as it knows it. Both ignore a jobserver where they are told a
number of jobs, as many a ``setup.py`` does: the wrappers leave that number out.
"""

from __future__ import annotations

import array
import fcntl
import os
import re
import shlex
import shutil
import termios
from collections.abc import Callable
from pathlib import Path

from workbench.files import write_whole
from workbench.process import run

NINJA = (1, 13)
MAKE = (4, 4)
"""The releases from which on these know a named pipe."""

TOKEN = b"+"

_WITHOUT_NUMBER = """\
#!/bin/sh
# Told a number of jobs, {name} would ignore the jobserver.
number=
for word do
    shift
    case $number$word in
        -j|--jobs) number=: ;;
        -j*|--jobs=*) number= ;;
        :[0-9]*) number= ;;
        *) number= && set -- "$@" "$word" ;;
    esac
done
{first}exec {program} "$@"
"""

_PIPE_AS_DESCRIPTORS = """\
case $MAKEFLAGS in
    *fifo:*)
        pipe=${MAKEFLAGS##*--jobserver-auth=fifo:}
        exec 8<>"${pipe%% *}"
        MAKEFLAGS=" -j --jobserver-auth=8,8"
        export MAKEFLAGS ;;
esac
"""


class Jobserver:
    """The tokens of one build, in a named pipe. `given` is how many there are, taken or not."""

    def __init__(self, pipe: Path) -> None:
        os.mkfifo(pipe, 0o600)
        self.pipe = pipe
        self.given = 0
        self._descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)

    def give(self) -> None:
        """Add a token."""
        os.write(self._descriptor, TOKEN)
        self.given += 1

    def take(self) -> bool:
        """Take a token back; say whether one was there."""
        try:
            os.read(self._descriptor, len(TOKEN))
        except BlockingIOError:
            return False
        self.given -= 1
        return True

    @property
    def unused(self) -> int:
        """How many of the tokens nobody has taken."""
        count = array.array("i", [0])
        fcntl.ioctl(self._descriptor, termios.FIONREAD, count)
        return count[0]

    def close(self) -> None:
        """Close the pipe: whoever still waits for a token waits until it is ended."""
        os.close(self._descriptor)


def why_not(path: str) -> str:
    """Return why the tools on a search path do not share a jobserver; "" where they do."""
    ninja = _release("ninja", path)
    if ninja and ninja < NINJA:
        return f"ninja {'.'.join(map(str, ninja))} knows no jobserver (1.13 does)"
    if not ninja and shutil.which("make", path=path) is None:
        return "neither ninja nor make is there"
    return ""


def write_wrappers(folder: Path, path: str, inside: Callable[[str], str]) -> None:
    """Write wrappers of what is on a search path into a folder; `inside` tells paths as the build sees them."""
    old = (_release("make", path) or MAKE) < MAKE
    for name in ("ninja", "make", "gmake"):
        program = shutil.which(name, path=path)
        if program is None:
            continue
        first = _PIPE_AS_DESCRIPTORS if old and name != "ninja" else ""
        text = _WITHOUT_NUMBER.format(name=name, first=first, program=shlex.quote(inside(program)))
        write_whole(folder / name, text)
        (folder / name).chmod(0o755)


def _release(name: str, path: str) -> tuple[int, ...]:
    """Return the release of a program on a search path; nothing where there is none, or it does not tell."""
    program = shutil.which(name, path=path)
    if program is None:
        return ()
    found = re.search(r"\d+(\.\d+)+", run([program, "--version"], check=False).output)
    return tuple(map(int, found[0].split("."))) if found else ()
