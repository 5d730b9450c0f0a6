"""A build that failed keeps its objects: the next one of the same plan goes on from them.

The source is made anew each time. What the failed build compiled is carried over to it, and so are the times of the
files that are as they were, for by these Ninja, Make and setuptools judge what is compiled already. What was found on
this machine is looked for anew: somebody may have installed what was missing.
"""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.files import content_of, remove_tree, write_whole

if TYPE_CHECKING:
    from workbench.plan.plan import Plan
    from workbench.settings import Settings

BUILD = "build"
"""The folder at a source's top that setuptools compiles into."""

OBJECTS = "objects"
"""The folder beside a tree that scikit-build-core and meson-python compile into."""

KEPT = "the objects of an earlier build that failed"
"""What a build took that went on from another, as its provenance says it."""

_FOUND = ("CMakeCache.txt", "meson-private")
"""Where CMake and Meson keep what they found, and what they did not find."""


def may_keep(plan: Plan, settings: Settings) -> bool:
    """Say whether a build may use what earlier ones compiled: not one that is to be signed, or to reproduce another."""
    return plan.pins is None and settings.signing.key is None


def mark(root: Path, key: str) -> None:
    """Note in a build's folder that its programs have ended and left whole objects, of a plan's build key."""
    write_whole(root / "failed", key)


def take(root: Path, key: str | None) -> tuple[Path | None, str]:
    """Return where the tree of a failed build now lies that a build of `key` can go on from, or why it cannot.

    Its objects count where it is of the same key, and nobody has changed anything in it since.
    """
    marker, tree, left = root / "failed", root / "tree", root / "left"
    noted = content_of(marker)
    ended = marker.stat().st_mtime_ns if noted is not None else 0
    marker.unlink(missing_ok=True)
    remove_tree(left)
    if not (tree / BUILD).is_dir() and not any(_files(root / OBJECTS)):
        return None, ""
    if noted is None:
        return None, "the build was killed"
    if noted.decode(errors="replace") != key:
        return None, "the build had other inputs"
    if any(path.lstat().st_mtime_ns > ended for path in (*_all(tree), *_all(root / OBJECTS))):
        return None, "its tree was changed since"
    tree.rename(left)
    return left, ""


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
