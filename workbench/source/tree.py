"""The source tree that a build starts from: fetched, checked, patched."""

from __future__ import annotations

import fnmatch
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import PatchError
from workbench.events import note, step
from workbench.files import remove_tree
from workbench.patches.apply import apply_series
from workbench.recipe.model import Git, LocalFolder, Sdist
from workbench.source.git import fetch_git, has_commit, keep_described
from workbench.source.requires_python import keep_pythons
from workbench.source.sdist import cached_sdist, fetch_sdist
from workbench.source.unpacking import check_metadata, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.patches.series import PatchFile
    from workbench.paths import Paths
    from workbench.plan.draft import Draft
    from workbench.recipe.model import Source

_LEFT_OUT_ANYWHERE = (".git", "__pycache__", "*.pyc")
_LEFT_OUT_AT_TOP = ("build", "dist", "*.egg-info", ".venv", ".nox", ".tox", ".workbench", ".*_cache")
"""What builds and tools leave: at the top only, because a package may well be called ``build``."""


def prepare(plan: Draft, paths: Paths, into: Path) -> None:
    """Make the plan's patched source tree at `into`, which must not exist.

    Raises SourceError, and then nothing is at `into`; or PatchError, which names `into`: it has the unpatched tree.
    """
    into.parent.mkdir(parents=True, exist_ok=True)
    part = into.with_name(f".{into.name}.part")
    remove_tree(part)
    try:
        fetch(plan.source, name=plan.recipe.name, version=plan.recipe.version, cache=paths.cache, into=part)
        part.rename(into)
    except BaseException:
        remove_tree(part)
        raise
    if plan.patches:
        try:
            patch(plan.patches, plan.source, into)
        except PatchError as error:
            raise PatchError(f"{error}\nThe unpatched source is kept: {into}") from error
    keep_pythons(plan.source, plan.patches, into, paths.cache)


def is_here(source: Source, cache: Path) -> bool:
    """Say whether a source can be unpacked without the network, submodules apart."""
    match source:
        case Sdist(sha256=sha256):
            return bool(cached_sdist(sha256, cache))
        case Git():
            return has_commit(source, cache)
    return True


def fetch(source: Source, *, name: str, version: str, cache: Path, into: Path) -> None:
    """Make a source's unpatched tree at `into`, which must not exist; `name` and `version` are the recipe's.

    Raises SourceError; what is at `into` then is of no use.
    """
    match source:
        case Sdist(sha256=sha256):
            project = source.name or name
            archive = fetch_sdist(project, version, sha256, cache)
            with step(f"unpack {archive.name}"):
                unpack(archive, into)
                check_metadata(into, project, version, archive=archive)
        case Git():
            fetch_git(source, into, cache=cache)
            if not source.submodules and (into / ".gitmodules").exists():
                note(f"· {source.url} has submodules, and the recipe does without: submodules=True adds them")
        case LocalFolder(path=folder):
            with step(f"copy {folder}"):
                _copy(folder, into)


def _copy(folder: Path, into: Path) -> None:
    """Copy a folder of this machine, without what Git and earlier builds left in it: the build changes the copy.

    Sockets and pipes, which an editor or a debugger may keep there, stay behind too. Raises OSError (shutil.Error).
    """

    def left_out(here: str, names: list[str]) -> set[str]:
        patterns = _LEFT_OUT_ANYWHERE + (_LEFT_OUT_AT_TOP if Path(here) == folder else ())
        paths = [Path(here, name) for name in names]
        return {
            path.name
            for path in paths
            if path == into
            or not (path.is_symlink() or path.is_file() or path.is_dir())
            or any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)
        }

    shutil.copytree(folder, into, symlinks=True, ignore=left_out)


def patch(patches: Sequence[PatchFile], source: Source, tree: Path) -> None:
    """Apply patches to the unpacked tree of a source. Raises PatchError: the tree is as it was then."""
    count = len(patches)
    with step(f"apply {count} patch{'es' if count > 1 else ''}") as at:
        changed = apply_series(patches, tree)
        if isinstance(source, Git):
            keep_described(tree, changed)
        at.outcome = ", ".join(changed)
