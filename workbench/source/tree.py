"""The source tree that a build starts from: fetched, checked, patched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import PatchError
from workbench.events import step
from workbench.files import remove_tree
from workbench.patches.apply import apply_series
from workbench.recipe.model import Git, LocalFolder, Sdist
from workbench.source.git import fetch_git, keep_described
from workbench.source.local import copy_folder
from workbench.source.sdist import fetch_sdist
from workbench.source.unpacking import check_metadata, unpack

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.plan.draft import Draft


def prepare(plan: Draft, paths: Paths, into: Path) -> None:
    """Make the plan's patched source tree at `into`, which must not exist.

    Raises SourceError, and then nothing is at `into`; or PatchError, and then the unpatched tree is kept
    there and its path is in the message.
    """
    into.parent.mkdir(parents=True, exist_ok=True)
    part = into.with_name(f".{into.name}.part")
    remove_tree(part)
    try:
        _fetch(plan, paths, part)
        part.rename(into)
    except BaseException:
        remove_tree(part)
        raise
    if plan.patches:
        _patch(plan, into)


def _fetch(plan: Draft, paths: Paths, into: Path) -> None:
    match plan.source:
        case Sdist(sha256=sha256, name=name):
            project, version = name or plan.recipe.name, plan.recipe.version
            archive = fetch_sdist(project, version, sha256, paths.cache)
            with step(f"unpack {archive.name}"):
                unpack(archive, into)
                check_metadata(into, project, version, archive=archive)
        case Git():
            fetch_git(plan.source, into, cache=paths.cache)
        case LocalFolder(path=folder):
            with step(f"copy {folder}"):
                copy_folder(folder, into)


def _patch(plan: Draft, tree: Path) -> None:
    count = len(plan.patches)
    with step(f"apply {count} patch{'es' if count > 1 else ''}") as at:
        try:
            changed = apply_series(plan.patches, tree)
        except PatchError as error:
            raise PatchError(f"{error}\nThe unpatched source is kept: {tree}") from error
        if isinstance(plan.source, Git):
            keep_described(tree, changed)
        at.outcome = ", ".join(changed)
