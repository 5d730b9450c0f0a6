"""A recipe and its sources, as values.

The fields stand in the order in which a recipe is read: what it is, where it comes from, how it is built, how it
is repaired, how one sees that it works.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from pathlib import Path
from typing import cast

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from workbench.arch import ARCHITECTURES
from workbench.errors import RecipeError
from workbench.recipe.checking import (
    Kinds,
    check_types,
    parse_with,
    parts_of,
    require_known,
    require_normalised,
)

SHA256 = re.compile(r"[0-9a-f]{64}")
VARIANT = re.compile(r"[a-z0-9]+")
"""A variant's name is a part of a local version (PEP 440)."""

ALL, USUAL = "all", "usual"
"""What an axis's flag takes in place of values: all that the recipe has; the build that is none of its variants."""

UNSET_VERSION = "0"
"""What ``add-package`` writes where a source does not tell its version; a person sets it before the first build."""

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

PYPI = "pypi:"
"""What stands before the name of a project whose source is the package index's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdist:
    """The source distribution of the recipe's version, from the package index.

    `name` is the project there, where it differs from the recipe's. `sha256` is hex.
    """

    sha256: str
    name: str | None = None

    def __post_init__(self) -> None:
        check_types(self, _TYPES, "source.")
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
        check_types(self, _TYPES, "source.")
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
class Edition:
    """One of a recipe's versions: its source, and what is not as the recipe says. None: as the recipe says."""

    source: Sdist | Git
    patches: str | None = None
    python: str | None = None
    torch: str | None = None

    def __post_init__(self) -> None:
        check_types(self, _TYPES, "versions: ")
        _parse_ranges("versions: ", self)


@dataclass(frozen=True, slots=True)
class When:
    """A value for the targets that fit, and for no others: all the conditions that are given must hold.

    `python`, `torch` and `version` (the package's) are PEP 440 specifiers (``"<3.13"``, ``">=2.9"``), `arch` is
    ``uname -m``'s word, `compute` a pattern (``"cu13*"``, ``"cpu"``), `variant` one of the recipe's. A torch condition
    never holds for a target without torch, nor one of a variant for a target without one.
    """

    value: str
    _: KW_ONLY
    python: str | None = None
    arch: str | None = None
    compute: str | None = None
    torch: str | None = None
    variant: str | None = None
    version: str | None = None

    def __post_init__(self) -> None:
        check_types(self, _TYPES, "when: ")
        if not self.depends_on_target and self.version is None:
            raise RecipeError(
                f"when({self.value!r}): give a condition: python, arch, compute, torch, variant or version"
            )
        _parse_ranges(f"when({self.value!r}): ", self)

    @property
    def depends_on_target(self) -> bool:
        """Whether there is a condition on more than the version."""
        return any((self.python, self.arch, self.compute, self.torch, self.variant))


when = When


def value_of(value: str | When) -> str:
    """Return a value without the conditions that it may have."""
    return value.value if isinstance(value, When) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one package is made.

    ============================  =====================================================================
    ``name``                      the project's name, normalised (PEP 503)
    ``version``                   the upstream version (PEP 440)
    ``versions``                  several of them in place of ``version`` and ``source``: the source of each, or an
                                  ``Edition`` where more than that is its own; ``when(..., version=...)`` says the rest
    ``description``, ``license``  one line; an SPDX expression
    ``upstream``                  the URL of the project that the source derives from
    ``source``                    ``Sdist`` or ``Git``, pinned
    ``patches``                   the folder below ``patches/``; the recipe's name unless given
    ``patches_when``              patches of the series that only some targets get: ``when("a.patch", ...)``
    ``python``                    the Pythons it supports (PEP 440 specifiers on X.Y)
    ``arch``                      the architectures it supports
    ``compute``                   the compute platforms it supports, as patterns (``"cpu"``, ``"cu13*"``)
    ``torch``                     the torch releases it builds against (PEP 440 specifiers); None: no torch
    ``variants``                  ways to build it beside the usual one, by name; ``when(..., variant=...)`` says how.
                                  As a dict each is a project of its own: ``{"avx512": "my-package-avx512"}``
    ``variants_only``             True: there is no usual build, only the variants
    ``build_requires``            requirements on top of the project's own ``build-system.requires``
    ``cuda_libraries``            CUDA's libraries beside the runtime that it is built with (``"cublas"``)
    ``before_all``                shell commands in a build container before all else: its system's packages
    ``before_build``              shell commands in the source tree, once the build requirements are there
    ``environment``               variables for the build backend
    ``network``                   True: the build gets a network. Without it it has none, where builds are isolated
    ``memory_per_job``            gigabytes that one compiler takes at its peak, for the first build: what that took
                                  decides the next. Unless given it is 3.1 for CUDA, else 1.5
    ``local_version``             template of the local version (``"cu{cuda}torch{torch}"``), "" for none; the site's
                                  own unless given; see docs/targets.md
    ``repair_exclude``            sonames that auditwheel must not graft (wildcards allowed)
    ``modules``                   import names that the wheel must provide; the name unless given
    ``smoke_test``                Python code run with only the wheel and ``test_requires`` installed
    ``test_requires``             what the smoke test needs beside the wheel's own requirements
    ============================  =====================================================================

    In ``build_requires``, ``before_all``, ``before_build``, ``environment`` and ``repair_exclude`` a value may be a
    ``when(...)``. A variable of ``environment`` may have several, of which the first that holds counts.

    Raises RecipeError, which starts with the key.
    """

    name: str
    version: str = ""
    versions: Mapping[str, Sdist | Git | Edition] = field(default_factory=dict)
    description: str
    upstream: str | None = None
    license: str | None = None
    source: Sdist | Git = field(default=cast("Sdist", None))  # never None: __post_init__ sees to that
    patches: str = ""
    patches_when: tuple[When, ...] = ()
    python: str = ">=3.9"
    arch: tuple[str, ...] = ("x86_64", "aarch64")
    compute: tuple[str, ...] = ("cpu",)
    torch: str | None = None
    variants: tuple[str, ...] | dict[str, str] = ()
    variants_only: bool = False
    build_requires: tuple[str | When, ...] = ()
    cuda_libraries: tuple[str, ...] = ()
    before_all: tuple[str | When, ...] = ()
    before_build: tuple[str | When, ...] = ()
    environment: dict[str, str | When | tuple[str | When, ...]] = field(default_factory=dict)
    network: bool = False
    memory_per_job: float = 0
    local_version: str | None = None
    repair_exclude: tuple[str | When, ...] = ()
    modules: tuple[str, ...] = ()
    smoke_test: str = ""
    test_requires: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._take_newest()
        check_types(self, _TYPES, "")
        require_normalised("name", self.name)
        parse_with("version", Version, self.version, InvalidVersion)
        _parse_ranges("", self)
        for key in ("build_requires", "test_requires"):
            for each in getattr(self, key):
                parse_with(key, Requirement, value_of(each), InvalidRequirement)
        self._require_variants()
        self._require_possible()
        object.__setattr__(self, "patches", self.patches or self.name)
        object.__setattr__(self, "modules", self.modules or (self.name.replace("-", "_"),))

    @property
    def smoke_code(self) -> str:
        """What shows that the package works: the smoke test; without one, an import."""
        return self.smoke_test or f"import {self.modules[0]}"

    def project(self, variant: str | None) -> str:
        """Return the name of the project that a build of it is: a variant may have one of its own."""
        return self.variants.get(variant or "", self.name) if isinstance(self.variants, dict) else self.name

    def _take_newest(self) -> None:
        """Let `version` and `source` be the newest of `versions`, where those are given. Raises RecipeError."""
        if not self.versions:
            if missing := [key for key in ("version", "source") if not getattr(self, key)]:
                raise RecipeError(f"{missing[0]}: missing: a recipe has version and source, or versions")
            return
        check_types(self, _TYPES, "", "versions")
        for each, pinned in self.versions.items():
            parse_with("versions", Version, each, InvalidVersion)
            if isinstance(pinned, str):
                raise RecipeError(
                    f"versions: {each}: expected Sdist(...), Git(...) or Edition(...), got {pinned!r:.60}"
                )
        newest = max(self.versions, key=Version)
        if len(set(map(Version, self.versions))) < len(self.versions):
            raise RecipeError(f"versions: two of {', '.join(self.versions)} are the same version (PEP 440)")
        given = cast("Sdist | Git | None", self.source)
        if (self.version or given) and source_of(self.versions.get(self.version)) != given:
            raise RecipeError("versions: give it, or version and source, not both")
        if not self.version:
            object.__setattr__(self, "version", newest)
            object.__setattr__(self, "source", source_of(self.versions[newest]))

    def _require_variants(self) -> None:
        """Raise RecipeError for variants without a valid name, and for two of one project."""
        for each in self.variants:
            if not VARIANT.fullmatch(each) or each in (ALL, USUAL):
                raise RecipeError(
                    f"variants: {each!r} is not a valid name for a variant: use lower-case letters and digits, and "
                    f"neither {ALL!r} nor {USUAL!r}"
                )
        if self.variants_only and not self.variants:
            raise RecipeError("variants_only: the recipe has no variants, so nothing would be built")
        if not isinstance(self.variants, dict):
            return
        projects = [*self.variants.values(), *([] if self.variants_only else [self.name])]
        for each in projects:
            require_normalised("variants", each)
            if projects.count(each) > 1:
                raise RecipeError(f"variants: two builds have the project {each!r}: name one for each")

    def _require_possible(self) -> None:
        """Raise RecipeError for an unknown architecture or variant, and for a memory that is not a size."""
        if not 0 <= self.memory_per_job < math.inf:
            raise RecipeError(
                f"memory_per_job: {self.memory_per_job!r} is not a number of gigabytes: write one above 0"
            )
        for arch in self.arch:
            require_known("arch", arch, ARCHITECTURES)
        for each in fields(self):
            for part in parts_of(getattr(self, each.name)):
                if isinstance(part, When):
                    key = f"{each.name}: when({part.value!r})"
                    require_known(f"{key}: arch", part.arch, ARCHITECTURES)
                    require_known(f"{key}: variant", part.variant, tuple(self.variants))


def source_of(pinned: Sdist | Git | Edition | None) -> Sdist | Git | None:
    """Return the source of one of a recipe's versions."""
    return pinned.source if isinstance(pinned, Edition) else pinned


def _parse_ranges(prefix: str, value: Recipe | Edition | When) -> None:
    """Raise RecipeError where a value's Pythons, torches or versions are not specifiers (PEP 440)."""
    keys = ("python", "torch", "version") if isinstance(value, When) else ("python", "torch")
    for key in keys:
        if (specifiers := getattr(value, key)) is not None:
            parse_with(f"{prefix}{key}", SpecifierSet, specifiers, InvalidSpecifier)


_TYPES: dict[str, Kinds] = {
    "str": (str, (), "a string"),
    "str | None": ((str, type(None)), (), "a string"),
    "bool": (bool, (), "True or False"),
    "float": ((int, float), (), "a number"),
    "tuple[str, ...]": (tuple, str, 'a tuple of strings: ("x",)'),
    "tuple[str, ...] | dict[str, str]": (
        (tuple, dict),
        str,
        'a tuple of strings ("x",), or a dict of them {"x": "my-package-x"}',
    ),
    "Mapping[str, Sdist | Git | Edition]": (
        dict,
        (str, Sdist, Git, Edition),
        'a dict of sources: {"1.0": Sdist(...)}',
    ),
    "tuple[When, ...]": (tuple, When, 'a tuple of when(...): (when("x", compute="cu13*"),)'),
    "tuple[str | When, ...]": (tuple, (str, When), 'a tuple of strings and when(...): ("x",)'),
    "dict[str, str | When | tuple[str | When, ...]]": (
        dict,
        (str, When),
        "a dict of strings, its values strings, when(...) or tuples of them",
    ),
    "Sdist | Git": ((Sdist, Git), (), "Sdist(...) or Git(...)"),
}
"""For each annotation of this module."""
