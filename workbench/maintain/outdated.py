"""Which recipes are behind: upstream's newest versions, whether each series applies to them, what is not covered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from workbench.errors import WorkbenchError
from workbench.events import note, step
from workbench.files import content_of, write_whole
from workbench.maintain.bump import Bumped, try_bump
from workbench.maintain.newest import moved_to
from workbench.maintain.work import own_patches, source_key
from workbench.patches.writing import fingerprint
from workbench.recipe.load import load
from workbench.recipe.model import Git
from workbench.source.sdist import newest_wheel
from workbench.strict import Mismatch, parse

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.recipe.model import Recipe

AT_ONCE = 4
"""Recipes that are looked at at a time: much of it is waiting for upstream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestReleases:
    """The newest releases of what packages are compiled against; None where that cannot be told."""

    torch: Version | None
    cuda: Version | None

    def uncovered(self, recipe: Recipe) -> tuple[str, ...]:
        """Return those that a recipe does not say it supports."""
        found = []
        if recipe.torch and self.torch and not SpecifierSet(recipe.torch).contains(self.torch):
            found.append(f"torch {self.torch}")
        if _for_cuda(recipe) and self.cuda:
            compute = f"cu{self.cuda.major}{self.cuda.minor}"
            if not any(fnmatchcase(compute, pattern) for pattern in recipe.compute):
                found.append(f"CUDA {self.cuda.major}.{self.cuda.minor} ({compute})")
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """How a recipe stands to upstream: `tried` is what a bump would do, `uncovered` the releases that it leaves out.

    `branch` is the branch that has moved on, if it follows one. `problem` says why upstream could not be asked, or the
    series not be tried.
    """

    name: str
    version: str
    newest: str | None = None
    branch: str | None = None
    tried: Bumped | None = None
    uncovered: tuple[str, ...] = ()
    problem: str | None = None


def _for_cuda(recipe: Recipe) -> bool:
    """Say whether a recipe is for CUDA, on some of its targets."""
    return any(pattern.startswith("cu") for pattern in recipe.compute)


def outdated(paths: Paths, names: Sequence[str]) -> tuple[Behind, ...]:
    """Ask upstream about recipes, and try each series on what is new there; several at a time. Raises RecipeError."""
    recipes = [load(paths.recipes, name) for name in names]
    releases = NewestReleases(
        torch=_newest("torch") if any(each.torch for each in recipes) else None,
        cuda=_newest("cuda-toolkit") if any(map(_for_cuda, recipes)) else None,
    )
    with (
        step("ask upstream", total=len(recipes), unit="recipes") as at,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):

        def look(recipe: Recipe) -> Behind:
            found = _behind(paths, recipe, releases)
            at(1)
            return found

        asked = [pool.submit(copy_context().run, look, recipe) for recipe in recipes]
        return tuple(each.result() for each in asked)


def _newest(project: str) -> Version | None:
    try:
        return newest_wheel(project)
    except WorkbenchError as error:
        note(f"the newest {project} stays unknown: {error}")
        return None


def _behind(paths: Paths, recipe: Recipe, releases: NewestReleases) -> Behind:
    uncovered = releases.uncovered(recipe)
    try:
        moved = moved_to(recipe)
        if moved.source == recipe.source or Version(moved.version) < Version(recipe.version):
            return Behind(
                name=recipe.name, version=recipe.version, newest=recipe.version, uncovered=uncovered
            )
        tried = _tried(paths, recipe, moved)
    except WorkbenchError as error:
        return Behind(name=recipe.name, version=recipe.version, uncovered=uncovered, problem=str(error))
    branch = moved.source.branch if isinstance(moved.source, Git) else None
    return Behind(
        name=recipe.name,
        version=recipe.version,
        newest=tried.after,
        branch=branch,
        tried=tried,
        uncovered=uncovered,
    )


def _tried(paths: Paths, recipe: Recipe, moved: Recipe) -> Bumped:
    """Return what a bump would do: as it was found earlier, for the same two sources and the same series."""
    series = fingerprint(own_patches(paths, recipe))
    key = hashlib.sha256(f"{source_key(recipe)} {source_key(moved)} {series}".encode()).hexdigest()
    kept = paths.state / "outdated" / f"{key}.json"
    if (found := content_of(kept)) is not None:
        try:
            return parse(Bumped, json.loads(found))
        except (Mismatch, ValueError):
            pass  # of another version of this program
    follows = isinstance(moved.source, Git) and moved.source.branch
    tried = try_bump(paths, recipe, moved, adds=bool(recipe.versions) and not follows)
    write_whole(kept, json.dumps(asdict(tried)))
    return tried
