"""A recipe and its sources, as values.

The fields stand in the order in which a recipe is read: what it is, where it comes from, how it is built, how it
is repaired, how one sees that it works.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name, is_normalized_name
from packaging.version import InvalidVersion, Version

from workbench.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Callable

SHA256 = re.compile(r"[0-9a-f]{64}")
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdist:
    """The source distribution of the recipe's version, from the package index.

    `name` is the project there, where it differs from the recipe's. `sha256` is hex.
    """

    sha256: str
    name: str | None = None

    def __post_init__(self) -> None:
        _check(self)
        if not SHA256.fullmatch(self.sha256):
            raise RecipeError(f"source.sha256: {self.sha256!r} is not 64 lower-case hexadecimal digits")


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """A commit of a Git repository. `commit` is the whole hash; `branch` or `tag` says where it was found."""

    url: str
    commit: str
    branch: str | None = None
    tag: str | None = None
    submodules: bool = False

    def __post_init__(self) -> None:
        _check(self)
        if not COMMIT.fullmatch(self.commit):
            raise RecipeError(
                f"source.commit: {self.commit!r} is not a full commit hash (40 hexadecimal digits); "
                f"'git ls-remote {self.url}' prints it"
            )
        if (self.branch is None) == (self.tag is None):
            raise RecipeError("source: give exactly one of branch and tag")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFolder:
    """A folder of this machine: ``invoke build NAME --source-dir DIR``. It has no pin, so no build key."""

    path: Path


Source = Sdist | Git | LocalFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one package is made.

    ============================  =====================================================================
    ``name``                      the project's name, normalised (PEP 503)
    ``version``                   the upstream version (PEP 440)
    ``description``, ``license``  one line; an SPDX expression
    ``upstream``                  the URL of the project that the source derives from
    ``source``                    ``Sdist`` or ``Git``, pinned
    ``patches``                   the folder below ``patches/``; the recipe's name unless given
    ``python``                    the Pythons it supports (PEP 440 specifiers on X.Y)
    ``build_requires``            requirements on top of the project's own ``build-system.requires``
    ``environment``               variables for the build backend
    ``repair_exclude``            sonames that auditwheel must not graft (wildcards allowed)
    ``modules``                   import names that the wheel must provide; the name unless given
    ``smoke_test``                Python code run with only the wheel and ``test_requires`` installed
    ``test_requires``             what the smoke test needs beside the wheel's own requirements
    ============================  =====================================================================

    Raises RecipeError, which starts with the key.
    """

    name: str
    version: str
    description: str
    upstream: str | None = None
    license: str | None = None
    source: Sdist | Git
    patches: str = ""
    python: str = ">=3.9"
    build_requires: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    repair_exclude: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    smoke_test: str = ""
    test_requires: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check(self)
        if not is_normalized_name(self.name):
            raise RecipeError(f"name: {self.name!r} is not normalised: write {canonicalize_name(self.name)!r}")
        _parse("version", Version, self.version, InvalidVersion)
        _parse("python", SpecifierSet, self.python, InvalidSpecifier)
        for key in ("build_requires", "test_requires"):
            for requirement in getattr(self, key):
                _parse(key, Requirement, requirement, InvalidRequirement)
        object.__setattr__(self, "patches", self.patches or self.name)
        object.__setattr__(self, "modules", self.modules or (self.name.replace("-", "_"),))

    def supports(self, python: str) -> bool:
        """Say whether the recipe builds for a Python, ``"3.12"``."""
        return SpecifierSet(self.python).contains(f"{python}.0", prereleases=True)


def _parse(key: str, kind: Callable[[str], object], text: str, invalid: type[ValueError]) -> None:
    try:
        kind(text)
    except invalid as error:
        raise RecipeError(f"{key}: {error}") from error


_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "str": (str, "a string"),
    "str | None": ((str, type(None)), "a string"),
    "bool": (bool, "True or False"),
    "tuple[str, ...]": (tuple, "a tuple of strings: (\"x\",)"),
    "dict[str, str]": (dict, "a dict of strings"),
    "Sdist | Git": ((Sdist, Git), "Sdist(...) or Git(...)"),
}


def _check(value: Any) -> None:  # noqa: ANN401 - any dataclass of this module
    """Check the types of a value's fields: a recipe is written by hand, and is not run through mypy."""
    prefix = "" if isinstance(value, Recipe) else "source."
    for each in fields(value):
        item = getattr(value, each.name)
        kinds, expected = _TYPES[str(each.type)]
        parts = item if isinstance(item, tuple) else (*item, *item.values()) if isinstance(item, dict) else ()
        if not isinstance(item, kinds) or not all(isinstance(part, str) for part in parts):
            raise RecipeError(f"{prefix}{each.name}: expected {expected}, got {item!r:.80}")
