"""The versions of a recipe, each as a recipe of its own: what a plan, a key and a bump are about. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from workbench.errors import UsageError, nearest
from workbench.recipe.model import ALL, Edition, Recipe, When

_NO_SUFFIX = re.compile(r"\.?\d")
"""How another version goes on after a shorter one that it begins with: 1.10 and 1.1.2 after 1.1."""


def each_version(recipe: Recipe) -> tuple[Recipe, ...]:
    """Return a recipe for each version of a written one, the oldest first.

    Its conditions are about targets alone: those on the version are decided. `versions` still says which there are.
    """
    if not recipe.versions:
        return (at_version(recipe, recipe.version, Edition(source=recipe.source)),)
    editions = {
        version: pinned if isinstance(pinned, Edition) else Edition(source=pinned)
        for version, pinned in recipe.versions.items()
    }
    return tuple(at_version(recipe, version, editions[version]) for version in sorted(editions, key=Version))


def at_version(recipe: Recipe, version: str, edition: Edition) -> Recipe:
    """Return a written recipe as it is at a version."""
    own = {key: said for key in ("patches", "python", "torch") if (said := getattr(edition, key)) is not None}
    decided = {each.name: _decided(getattr(recipe, each.name), version) for each in fields(recipe)}
    # what is not named there every target gets; so a patch that is for another version stays, under its condition
    held = {
        each.value for each in recipe.patches_when if _may_hold(each, version) and not each.depends_on_target
    }
    decided["patches_when"] = tuple(
        each if not _may_hold(each, version) else replace(each, version=None)
        for each in recipe.patches_when
        if each.value not in held
    )
    return replace(recipe, **{**decided, **own, "version": version, "source": edition.source})


def _decided(value: Any, version: str) -> Any:  # noqa: ANN401 - of any field of a recipe
    """Return a field's value without the parts that are for other versions, and without conditions on the version."""
    if isinstance(value, tuple):
        return tuple(_settled(part) for part in value if _may_hold(part, version))
    if isinstance(value, dict):
        kept = {key: _decided(one, version) for key, one in value.items() if _may_hold(one, version)}
        return {key: _settled(one) for key, one in kept.items() if one != ()}
    return value


def _may_hold(part: object, version: str) -> bool:
    if not isinstance(part, When) or part.version is None:
        return True
    return SpecifierSet(part.version).contains(version, prereleases=True)


def _settled(part: Any) -> Any:  # noqa: ANN401 - a part of any field
    """Return a value without its condition on the version; as it is where it had no other."""
    if not isinstance(part, When) or part.version is None:
        return part
    return replace(part, version=None) if part.depends_on_target else part.value


def for_others(recipe: Recipe) -> frozenset[str]:
    """Return the patches that `patches_when` has for other versions alone, at a recipe of one version."""
    own = {each.value for each in recipe.patches_when if each.version is None}
    return frozenset(each.value for each in recipe.patches_when) - own


def newest_of(recipes: Sequence[Recipe], version: Version | None = None) -> Recipe:
    """Return the newest of a package's recipes; of a wheel's version the one that it was made of.

    A wheel has the recipe's version, with a suffix perhaps (``.post1``) and a local part.
    """
    if version is not None:
        public = version.public
        owns = {str(Version(each.version)): each for each in recipes}
        begins = [own for own in owns if public.startswith(own) and not _NO_SUFFIX.match(public, len(own))]
        if begins:
            return owns[max(begins, key=len)]  # 1.0rc1 begins with 1.0 too
    return recipes[-1]


def asked_for(recipes: Sequence[Recipe], text: str) -> tuple[Recipe, ...]:
    """Return those of a package's recipes that ``--version`` names, the oldest first; the newest where it is empty.

    It takes a list, ranges (both ends included) and ``all``. Raises UsageError.
    """
    if not text:
        return (newest_of(recipes),)
    wanted: set[str] = set()
    for part in text.split(","):
        wanted |= _part(recipes, part.strip(), text)
    return tuple(each for each in recipes if each.version in wanted)


def _part(recipes: Sequence[Recipe], part: str, text: str) -> set[str]:
    """Return the versions that one part of a list means."""
    by_version: Mapping[Version, str] = {Version(each.version): each.version for each in recipes}
    if part == ALL:
        return set(by_version.values())
    first, dash, last = part.partition("-")
    try:
        low, high = Version(first), Version(last if dash else first)
    except InvalidVersion as error:
        raise UsageError(
            f"--version {text}: {part!r} is neither a version (PEP 440), nor a range 1.0-1.2, nor {ALL!r}"
        ) from error
    if low > high:
        raise UsageError(f"--version {text}: the range {part!r} runs backwards")
    if found := {by_version[each] for each in by_version if low <= each <= high}:
        return found
    known = [each.version for each in recipes]
    there = f"the recipe has {', '.join(known)}"
    if len(known) == 1:
        there += "; 'bump' moves it to another version, and 'bump --add' adds one"
    raise UsageError(f"{recipes[0].name}: --version {text}: no version {part}{nearest(part, known)}: {there}")
