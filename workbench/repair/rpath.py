"""The RPATHs of a wheel's libraries: what is wrong with them, what they lack, and patchelf to mend them.

Compilers and Pythons that live outside the system (pyenv, conda, a user's own) write their folders into everything
that they link. On another machine such a path names nothing, or somebody else's library. And what a requirement
brings is found only where a path says so.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.process import run
from workbench.wheel.record import installed

if TYPE_CHECKING:
    from workbench.wheel.elf import Elf

_ORIGIN = ("$ORIGIN", "${ORIGIN}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """The RPATH entries that a library, a `path` in the wheel, is to have, and what that adds and removes."""

    path: str
    entries: tuple[str, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def searches(library: Elf, folder: str) -> bool:
    """Say whether a library's own RPATH or RUNPATH leads to a folder of site-packages."""
    here = installed(library.path)
    return here is not None and any(
        posixpath.normpath(posixpath.join(posixpath.dirname(here), rest)) == folder
        for entry in library.search_path
        for origin, _, rest in [entry.partition("/")]
        if origin in _ORIGIN
    )


def mend(library: Elf, folders: Sequence[str], own: AbstractSet[str]) -> Mending | None:
    """Return what a library's RPATH must become to lead to `folders` of site-packages and not to the build host.

    `own` are the folders of the wheel that hold libraries. auditwheel's paths lead to them as they lie in the archive:
    those of a library below ``.data/platlib`` would lead out of site-packages once it is installed.

    None where it is well as it is.
    """
    here = installed(library.path)
    home = posixpath.dirname(here or library.path)
    old = library.search_path
    relative = [entry for entry in old if entry.partition("/")[0] in _ORIGIN]
    added: list[str] = []
    if here is not None:
        relative = [_moved(entry, posixpath.dirname(library.path), home, own) for entry in relative]
        missing = dict.fromkeys(folder for folder in folders if not searches(library, folder))
        added = [_from(home, folder) for folder in missing]
    entries = tuple(dict.fromkeys([*relative, *added]))
    removed = dict.fromkeys(entry for entry in old if entry.partition("/")[0] not in _ORIGIN)
    if not removed and set(entries) == set(old):
        return None
    return Mending(path=library.path, entries=entries, added=tuple(added), removed=tuple(removed))


def _moved(entry: str, folder: str, home: str, own: AbstractSet[str]) -> str:
    """Return an entry of a library in `folder` of the archive as it must be where it is installed, in `home`."""
    rest = entry.partition("/")[2]
    there = posixpath.normpath(posixpath.join(folder, rest))
    leaves = posixpath.normpath(posixpath.join(home, rest)).startswith("..")
    return _from(home, there) if leaves and there in own else entry


def _from(home: str, folder: str) -> str:
    return f"$ORIGIN/{posixpath.relpath(folder, home or '.')}"


def apply(mending: Mending, library: Path) -> None:
    """Give a library, a file of this machine, the RPATH that it is to have. Raises CommandFailed."""
    if mending.entries:
        # not RUNPATH: it would not be searched for what the libraries found there need in turn
        run(["patchelf", "--force-rpath", "--set-rpath", ":".join(mending.entries), library])
    else:
        run(["patchelf", "--remove-rpath", library])
