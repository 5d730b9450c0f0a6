"""Which packages a push or a pull request changes: those whose recipe or patches are others than at a commit.

And those whose build requires such a package, for its build key is in theirs.
"""

from __future__ import annotations

import re
from functools import cache, partial
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from workbench.errors import UsageError
from workbench.events import note
from workbench.process import run
from workbench.recipe.load import load_versions, path_of
from workbench.recipe.load import names as recipe_names
from workbench.recipe.model import value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.recipe.model import Recipe

_NONE = re.compile("0{40}|0{64}")
"""What GitHub calls the commit before a branch's first."""


def changed_packages(names: Sequence[str], since: str, paths: Paths) -> tuple[str, ...]:
    """Return those of some packages that a site's commits after one, and its work tree, have changed.

    A commit that is not here (the first push of a branch, one that was forced) tells nothing: then it is all of them,
    which is said. Raises UsageError for a site that is not a Git checkout, CommandFailed where Git fails, RecipeError.
    """
    git = ("git", "-C", paths.root)
    if run([*git, "rev-parse", "--is-inside-work-tree"], check=False).status:
        raise UsageError(f"--changed-since {since}: {paths.root} is not a Git checkout")
    commit = run(
        [*git, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{since}^{{commit}}"], check=False
    )
    if _NONE.fullmatch(since) or commit.status:
        note(f"there is no commit {since:.40} here: all packages are taken as changed")
        return tuple(names)
    places = (paths.recipes, paths.patches)
    told = run(
        [*git, "diff", "--name-only", "-z", "--no-relative", commit.output.strip(), "--", *places],
        stdout_only=True,
    )
    top = run([*git, "rev-parse", "--show-cdup"], stdout_only=True).output.strip()
    root = (paths.root / top).resolve()
    changed = {root / each for each in told.output.split("\0") if each}
    versions_of = cache(partial(load_versions, paths.recipes))  # several may require one recipe
    return tuple(
        name for name in names if changed and _is_changed(name, paths, changed, versions_of, seen=set())
    )


def _is_changed(
    name: str,
    paths: Paths,
    changed: set[Path],
    versions_of: Callable[[str], Sequence[Recipe]],
    *,
    seen: set[str],
) -> bool:
    """Say whether a package's files changed, or those of what its build requires; of those `seen` they did not."""
    seen.add(name)
    if path_of(paths.recipes, name).resolve() in changed:
        return True
    versions = versions_of(name)
    series = {(paths.patches / each.patches).resolve() for each in versions}
    if any(series.intersection(each.parents) for each in changed):
        return True
    required = set(_required(versions)).difference(seen).intersection(recipe_names(paths.recipes))
    return any(_is_changed(each, paths, changed, versions_of, seen=seen) for each in sorted(required))


def _required(versions: Sequence[Recipe]) -> Iterator[str]:
    """Yield the names that builds require, on whatever condition."""
    for recipe in versions:
        for each in recipe.build_requires:
            yield canonicalize_name(Requirement(value_of(each)).name)
