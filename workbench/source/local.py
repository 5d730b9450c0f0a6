"""A folder of this machine as a source: a copy, so that the build changes nothing in it."""

from __future__ import annotations

import fnmatch
import shutil
from pathlib import Path

LEFT_OUT_ANYWHERE = (".git", "__pycache__", "*.pyc")
LEFT_OUT_AT_TOP = ("build", "dist", "*.egg-info", ".venv", ".nox", ".tox", ".workbench", ".*_cache")
"""What builds and tools leave: at the top only, because a package may well be called ``build``."""


def copy_folder(folder: Path, into: Path) -> None:
    """Copy a folder to `into`, which must not exist, without what Git and earlier builds left in it.

    Sockets and pipes, which an editor or a debugger may keep there, stay behind too. Raises OSError (shutil.Error).
    """

    def left_out(here: str, names: list[str]) -> set[str]:
        patterns = LEFT_OUT_ANYWHERE + (LEFT_OUT_AT_TOP if Path(here) == folder else ())
        return {
            name
            for name in names
            if (path := Path(here, name)) == into
            or not _can_be_copied(path)
            or any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
        }

    shutil.copytree(folder, into, symlinks=True, ignore=left_out)


def _can_be_copied(path: Path) -> bool:
    return path.is_symlink() or path.is_file() or path.is_dir()
