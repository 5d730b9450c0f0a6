"""How a pinned commit stands to what others have since: its branch, and upstream's tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import CommandFailed
from workbench.files import locked
from workbench.process import run
from workbench.source.git import ENVIRONMENT, PREFIX, SETTINGS, has_commit, store_of

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.process import Completed
    from workbench.recipe.model import Git

MOST_TAGS = 40
"""The newest tags of upstream among which the nearest to a fork is looked for."""
PATIENCE = 30
"""Seconds in which a server answers a question that nobody asked: what became of a branch."""


def ahead_of(source: Git, upstream: str, cache: Path) -> tuple[str, int] | None:
    """Return the nearest tag of `upstream` in a pinned commit's history, and the number of commits upon it.

    None where there is no such tag, and where `upstream` is not a Git repository that answers. The commit must be in
    the cache.
    """
    store, below = store_of(source.url, cache), f"refs/upstream/{store_of(upstream, cache).stem}/"
    with locked(store.with_suffix(".lock")):
        if _in(store, "fetch", "--quiet", "--no-tags", "--", upstream, f"+refs/tags/*:{below}*").status:
            return None
    listing = ("for-each-ref", f"--merged={source.commit}", "--sort=-creatordate", "--format=%(refname)")
    tags = _in(store, *listing, below).output.split()[:MOST_TAGS]
    upon = {tag: int(_in(store, "rev-list", "--count", f"{tag}..{source.commit}").output) for tag in tags}
    nearest = min(upon, key=upon.__getitem__, default=None)
    return (nearest.removeprefix(below), upon[nearest]) if nearest else None


def rewritten(source: Git, cache: Path) -> str | None:
    """Return the tip of a pinned branch where its history does not have the pinned commit any more.

    None where it has, for a tag, and where that cannot be told now: the server does not answer soon, or the commit was
    never fetched here.
    """
    if source.branch is None or not has_commit(source, cache):
        return None
    store, seen = store_of(source.url, cache), f"refs/seen/branch/{source.branch}"
    fetch = ("fetch", "--quiet", "--no-tags", "--", source.url, f"+{PREFIX['branch']}{source.branch}:{seen}")
    with locked(store.with_suffix(".lock")):
        try:
            if _in(store, *fetch, timeout=PATIENCE).status:
                return None
        except CommandFailed:  # the time is up
            return None
        standing = _in(store, "merge-base", "--is-ancestor", source.commit, seen)
        return _in(store, "rev-parse", seen).output.strip() if standing.status == 1 else None


def _in(store: Path, *words: str, timeout: float | None = None) -> Completed:
    """Run git in a bare repository, for its answer and its status. Raises CommandFailed when the time is up."""
    argv = ("git", *SETTINGS, "--git-dir", str(store), *words)
    return run(argv, env=ENVIRONMENT, check=False, stdout_only=True, timeout=timeout)
