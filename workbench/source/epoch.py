"""The time of a source: the same for whoever builds it, and whenever (``SOURCE_DATE_EPOCH``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from workbench.process import run
from workbench.recipe.model import Git

if TYPE_CHECKING:
    from workbench.recipe.model import Source

_EARLIEST = 315_532_800
"""1980-01-01: a zip file knows no earlier time."""

_TELLING = ("PKG-INFO", "pyproject.toml", "setup.py")


def source_epoch(source: Source, tree: Path) -> int:
    """Return when a source was made, in seconds since 1970, by its tree: a commit's time, or that of an sdist's files.

    A patch changes neither, for a commit keeps its time, and nobody patches ``PKG-INFO``. Raises CommandFailed.
    """
    if isinstance(source, Git):
        git = ["git", "--no-replace-objects", "-C", str(tree)]
        return max(_EARLIEST, int(run([*git, "log", "-1", "--format=%ct", "HEAD"], stdout_only=True).output))
    times = (int((tree / name).stat().st_mtime) for name in _TELLING if (tree / name).is_file())
    return max(_EARLIEST, next(times, _EARLIEST))
