"""A build that failed, or was ended, keeps its objects: the next one of the same plan goes on from them.

The source is made anew each time. What the failed build compiled is carried over to it, and so are the times of the
files that are as they were, for by these Ninja, Make and setuptools judge what is compiled already. What was found on
this machine is looked for anew: somebody may have installed what was missing.

After ``kill -9`` or a power cut half an object may lie there. Ninja knows which ones it finished; only these are kept,
and looked at first. Make and setuptools take whatever lies there for finished, so of theirs nothing is kept: the object
cache has what was compiled.
"""

from __future__ import annotations

import filecmp
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.files import content_of, remove_tree, write_whole
from workbench.wheel.elf import MAGIC

if TYPE_CHECKING:
    from workbench.plan.plan import Plan
    from workbench.settings import Settings

BUILD = "build"
"""The folder at a source's top that setuptools compiles into."""

OBJECTS = "objects"
"""The folder beside a tree that scikit-build-core and meson-python compile into."""

KEPT = "the objects that an earlier build left"
"""What a build took that went on from another, as its provenance says it."""

FAILED, STARTED = "failed", "started"
"""The files in a build's folder that say how it stands; neither is there once it has ended well."""

_FIELDS = 5
"""Of a line in Ninja's log: start, end, time of the output, the output, the hash of its command."""

_ELF64 = struct.Struct("<40xQ10xHH2x")
"""Of an ELF header: where the section headers begin, how long each is, and how many there are."""

_FOUND = ("CMakeCache.txt", "meson-private")
"""Where CMake and Meson keep what they found, and what they did not find."""


def may_keep(plan: Plan, settings: Settings) -> bool:
    """Say whether a build may use what earlier ones compiled: not one that is to be signed, or to reproduce another."""
    return plan.pins is None and settings.signing.key is None


def begin(root: Path, key: str) -> None:
    """Note in a build's folder that programs are about to write into it, of a plan's build key."""
    write_whole(root / STARTED, key)


def end(root: Path) -> None:
    """Note that a build ended well: nobody needs to go on from it."""
    (root / STARTED).unlink(missing_ok=True)


def mark(root: Path, key: str) -> None:
    """Note in a build's folder that its programs have ended and left whole objects, of a plan's build key."""
    write_whole(root / FAILED, key)
    end(root)


def doubt(root: Path) -> None:
    """Remove what a program that was killed may have written half of: all but what Ninja knows to be finished."""
    remove_tree(root / "tree" / BUILD)
    if _unfinished(root / OBJECTS):
        remove_tree(root / OBJECTS)


def take(root: Path, key: str | None) -> tuple[Path | None, str]:
    """Return where the tree of an earlier build now lies that a build of `key` can go on from, or why it cannot.

    Its objects count where it is of the same key, and nobody has changed anything in it since. Of a build that was
    killed those of Ninja count, if all that it finished is whole.
    """
    tree, left = root / "tree", root / "left"
    failed, started = root / FAILED, root / STARTED
    noted, killed = content_of(failed), content_of(started)
    ended = failed.stat().st_mtime_ns if noted is not None else 0
    for each in (failed, started):
        each.unlink(missing_ok=True)
    remove_tree(left)
    is_killed = noted is None
    if is_killed and killed is None:
        return None, ""
    if not (tree / BUILD).is_dir() and not any(_files(root / OBJECTS)):
        return None, "the build was killed before it had compiled anything" if is_killed else ""
    if (noted or killed or b"").decode(errors="replace") != key:
        return None, "the build had other inputs"
    if is_killed:
        if why := _unfinished(root / OBJECTS):
            return None, f"the build was killed, and {why}"
        remove_tree(tree / BUILD)
    elif any(path.lstat().st_mtime_ns > ended for path in (*_all(tree), *_all(root / OBJECTS))):
        return None, "its tree was changed since"
    tree.rename(left)
    return left, ""


def _unfinished(objects: Path) -> str:
    """Return why a folder that a killed build compiled into cannot be gone on with; nothing where Ninja can do that.

    Empty files are removed, and Ninja makes them again: each is a stamp, or what a power cut left of a file.
    """
    log = objects / ".ninja_log"
    if not (objects / "build.ninja").is_file() or not log.is_file():
        return "nothing tells which of its objects are whole"
    written = log.stat().st_mtime_ns
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[1:]:
        fields = line.split("\t")
        output = objects / fields[3] if len(fields) == _FIELDS else None
        if output is None or not output.is_file():
            continue  # the line that was being written, or what is to be made again
        made = output.stat()
        if made.st_mtime_ns > written:
            return f"{fields[3]} was changed since"
        if not made.st_size:
            output.unlink()
        elif not _is_whole(output):
            return f"{fields[3]} is not whole"
    return ""


def _is_whole(path: Path) -> bool:
    """Say whether a file, if it is an ELF file, is as long as its header says: section headers come last.

    A power cut can take what was not on the disk yet from a file that was finished.
    """
    with path.open("rb") as file:
        head = file.read(_ELF64.size)
    if not head.startswith(MAGIC):
        return True
    if len(head) < _ELF64.size:
        return False
    at, length, count = _ELF64.unpack(head)
    return bool(path.stat().st_size >= at + length * count)


def carry(left: Path, tree: Path) -> None:
    """Carry the objects of a failed build's tree over into the same source, made anew; `left` is gone then."""
    if (left / BUILD).is_dir() and not (tree / BUILD).exists():
        (left / BUILD).rename(tree / BUILD)
    for path in _files(tree):
        before = left / path.relative_to(tree)
        if before.is_file() and not before.is_symlink() and filecmp.cmp(before, path, shallow=False):
            stat = before.stat()
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        elif not path.is_relative_to(tree / BUILD):
            os.utime(path)  # the build changed it, so what was made of it does not count
    remove_tree(left)
    for folder in (tree / BUILD, tree.with_name(OBJECTS)):
        for name in _FOUND:
            for found in [*folder.rglob(name)]:
                remove_tree(found) if found.is_dir() else found.unlink()


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in _all(folder) if path.is_file() and not path.is_symlink())


def _all(folder: Path) -> Iterator[Path]:
    yield from (folder, *folder.rglob("*")) if folder.is_dir() else ()
