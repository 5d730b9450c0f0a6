"""What upstream has: the newest version of a recipe's source, or a certain one, as a pin."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from workbench.errors import SourceError, UsageError
from workbench.recipe.model import Git, Recipe, Sdist
from workbench.source.git import resolve, tags_of
from workbench.source.sdist import newest_sdist, pin_sdist

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NEWEST = "newest"
_SHOWN_VERSIONS = 5


def moved_to(recipe: Recipe, version: str = NEWEST) -> Recipe:
    """Return a recipe with the pin of another version, the newest final one unless one is named.

    One that follows a branch gets the branch's tip; its version is then only known from the source. Raises UsageError
    for a version that is not valid, SourceError for one that upstream does not have.
    """
    match recipe.source:
        case Sdist() as source:
            project = source.name or recipe.name
            wanted = newest_sdist(project) if version == NEWEST else str(valid(version))
            return _at(recipe, wanted, replace(source, sha256=pin_sdist(project, wanted)))
        case Git(tag=None) as source:
            if version != NEWEST:
                raise UsageError(f"{recipe.name} follows the branch {source.branch}: leave the version out")
            tip = resolve(source.url, branch=source.branch).commit
            return _at(recipe, recipe.version, replace(source, commit=tip))
        case Git() as source:
            return _tagged(recipe, source, version)


def _tagged(recipe: Recipe, source: Git, version: str) -> Recipe:
    tags = tags_of(source.url)
    versions = _versions(tags, like=source.tag or "")
    if version == NEWEST:
        final = [each for each in versions if not each.is_prerelease]
        wanted = max(final or versions, default=None)
    else:
        wanted = valid(version)
    if wanted is None or wanted not in versions:
        raise SourceError(
            f"{source.url}: no tag like {source.tag} of version {version}: it has {_shown(versions)}"
        )
    tag = versions[wanted]
    return _at(recipe, str(wanted), replace(source, tag=tag, commit=tags[tag]))


def _at(recipe: Recipe, version: str, source: Sdist | Git) -> Recipe:
    """Return a recipe at a version that it may not have yet, alone."""
    return replace(recipe, version=version, source=source, versions={})


def _versions(tags: Mapping[str, str], *, like: str) -> dict[Version, str]:
    """Return the versions that tags of one shape name (``v1.2`` and not ``docs-1.2``)."""
    found = re.match(r"\D*", like)
    prefix = found[0] if found else ""
    versions: dict[Version, str] = {}
    for tag in tags:
        with suppress(InvalidVersion):
            if tag.startswith(prefix):
                versions[Version(tag.removeprefix(prefix))] = tag
    return versions


def tagged_as(tags: Mapping[str, str], version: str, *, url: str) -> str:
    """Return the tag, of a repository's at `url`, that names a version. Raises SourceError where none does."""
    versions = _versions(tags, like="")
    if tag := versions.get(Version(version)):
        return tag
    raise SourceError(f"{url}: no tag of version {version}: it has {_shown(versions)}")


def _shown(versions: Iterable[Version]) -> str:
    """Name the newest of some versions."""
    return ", ".join(map(str, sorted(versions, reverse=True)[:_SHOWN_VERSIONS])) or "none"


def valid(version: str) -> Version:
    """Return a version that a person wrote. Raises UsageError."""
    try:
        return Version(version)
    except InvalidVersion as error:
        raise UsageError(f"{version} is not a valid version (PEP 440)") from error
