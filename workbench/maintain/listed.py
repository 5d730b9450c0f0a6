"""A ``packages.yml`` as builders on CI services keep it, one entry to a package, read into new packages."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from workbench.errors import UsageError
from workbench.files import content_of
from workbench.maintain.addition import NewPackage
from workbench.maintain.guess import Guess
from workbench.maintain.newest import tagged_as
from workbench.recipe.model import PYPI, When
from workbench.settings import yaml_document
from workbench.source.git import tags_of
from workbench.strict import Mismatch, parse

_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_LISTS = ("versions", "build_args", "extra_deps", "test_import")

_WITH_VALUE = ("-C", "--config-setting", "--config-settings", "--global-option", "--build-option")
"""Arguments for pip behind which a ``key=value`` stands that is not a variable."""

_NEEDLESS = {
    "--no-build-isolation": "what the build needs stands in build_requires",
    "--no-deps": "nothing is installed for a build but what it requires",
    "--no-cache-dir": "a wheel is built again only where its inputs have changed",
    "-v": "the whole log of a build is kept",
    "--verbose": "the whole log of a build is kept",
}
"""Arguments for pip that a recipe needs no word for, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPackage:
    """An entry of the file. Lists may be written as one word; `source` is a Git URL, by default the package index's."""

    versions: tuple[str, ...] = ()
    description: str = ""
    build_args: tuple[str, ...] = ()
    extra_deps: tuple[str, ...] = ()
    test_import: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRecipe:
    """A package as it is to be added, and in words what of its entry a recipe cannot say, or has no need to."""

    name: str
    entry: ListedPackage
    said: tuple[Guess, ...]
    untranslated: tuple[str, ...]
    needless: tuple[str, ...]

    def new(self) -> NewPackage:
        """Return the package to be added, its newest version first. Raises SourceError where a version has no tag."""
        versions = tuple(map(str, sorted(map(Version, self.entry.versions))))
        source, tag = self.entry.source, None
        if source and versions:
            tag = tagged_as(tags_of(source), versions[-1], url=source)
        elif not source:
            source = f"{PYPI}{self.name}" + (f"=={versions[-1]}" if versions else "")
        description = self.entry.description or None
        return NewPackage(
            name=self.name,
            source=source,
            tag=tag,
            description=description,
            versions=versions,
            said=self.said,
            undecided=self.untranslated,
        )


def read_packages(path: Path) -> tuple[ListedRecipe, ...]:
    """Return the packages of a file, in its order.

    At its top is a mapping of names to entries, or one below ``packages``; a list of entries with a ``name`` will do.
    Raises UsageError, which names the file and the key.
    """
    text = content_of(path)
    if text is None:
        raise UsageError(f"{path}: no such file")
    try:
        entries = _entries(yaml_document(text.decode()))
        return tuple(_translated(name, entry, where, path) for name, entry, where in entries)
    except Mismatch as error:
        raise UsageError(f"{path}: {error}") from error
    except ValueError as error:
        raise UsageError(f"{path}: not YAML: {error}") from error


def _entries(document: object) -> Iterator[tuple[str, ListedPackage, str]]:
    """Yield the name of each package, its entry, and the path to that in the file."""
    top = ""
    if isinstance(document, Mapping) and "packages" in document:
        if more := [str(key) for key in document if key != "packages"]:
            raise Mismatch(f"{more[0]}: unknown key beside packages")
        document, top = document["packages"], "packages"
    if isinstance(document, list):
        named: list[tuple[object, str, object]] = []
        for i, each in enumerate(document):
            where = f"{top}[{i}]"
            if not isinstance(each, Mapping) or not isinstance(each.get("name"), str):
                raise Mismatch(f"{where}: expected a mapping with a name")
            named.append((each["name"], where, {key: value for key, value in each.items() if key != "name"}))
    elif isinstance(document, Mapping):
        named = [(name, f"{top}.{name}" if top else str(name), entry) for name, entry in document.items()]
    else:
        raise Mismatch(f"{top or 'the document'}: expected a mapping of packages, or a list of them")
    seen: dict[str, str] = {}
    for name, where, entry in named:
        if not isinstance(name, str):
            raise Mismatch(f"{top or 'the document'}: expected a name, got {name!r:.60}: write it in quotes")
        normal = canonicalize_name(name)
        if normal in seen:
            raise Mismatch(f"{where}: {normal} is listed twice, first as {seen[normal]}")
        seen[normal] = where
        yield normal, parse(ListedPackage, _as_lists({} if entry is None else entry), path=where), where


def _as_lists(entry: object) -> object:
    if not isinstance(entry, Mapping):
        return entry
    return {
        key: [value] if key in _LISTS and isinstance(value, str) else value for key, value in entry.items()
    }


def _translated(name: str, entry: ListedPackage, where: str, path: Path) -> ListedRecipe:
    """Return what an entry says, in a recipe's words. Raises Mismatch for what is not a version or a requirement."""
    for i, version in enumerate(entry.versions):
        try:
            Version(version)
        except InvalidVersion as error:
            raise Mismatch(f"{where}.versions[{i}]: {version!r} is not a valid version (PEP 440)") from error
    arguments = _arguments(entry, where)
    variables: dict[str, str | When]
    variables = {found[1]: found[2] for word in arguments if (found := _VARIABLE.fullmatch(word))}
    others = [word for word in arguments if not _VARIABLE.fullmatch(word)]
    modules = _modules(entry, where)
    told: dict[str, tuple[str, ...] | dict[str, str | When]]
    told = {"build_requires": _requirements(entry, where), "environment": variables, "modules": modules}
    evidence = (f"{path.name}: {where}",)
    return ListedRecipe(
        name=name,
        entry=entry,
        said=tuple(Guess(field, value, evidence) for field, value in told.items() if value),
        untranslated=tuple(
            f"build_args: {word} has no field in a recipe: say it with environment, or with a patch"
            for word in others
            if word not in _NEEDLESS
        ),
        needless=tuple(
            f"build_args: {word} is not needed: {_NEEDLESS[word]}" for word in others if word in _NEEDLESS
        ),
    )


def _modules(entry: ListedPackage, where: str) -> tuple[str, ...]:
    words = [word.strip() for text in entry.test_import for word in text.split(",")]
    for word in filter(None, words):
        if not all(part.isidentifier() for part in word.split(".")):
            raise Mismatch(f"{where}.test_import: {word!r} is not the name of a module, such as a.b")
    return tuple(filter(None, words))


def _requirements(entry: ListedPackage, where: str) -> tuple[str, ...]:
    found = []
    for i, text in enumerate(entry.extra_deps):
        for word in text.split() if _is_list_of_names(text) else [text]:
            try:
                found.append(str(Requirement(word)))
            except InvalidRequirement as error:
                raise Mismatch(f"{where}.extra_deps[{i}]: {word!r} is not a requirement (PEP 508)") from error
    return tuple(dict.fromkeys(found))


def _arguments(entry: ListedPackage, where: str) -> list[str]:
    try:
        words = [word for text in entry.build_args for word in shlex.split(text)]
    except ValueError as error:
        raise Mismatch(f"{where}.build_args: {error}") from error
    whole: list[str] = []
    for word in words:
        if whole and whole[-1] in _WITH_VALUE:
            whole[-1] += f" {word}"
        else:
            whole.append(word)
    return whole


def _is_list_of_names(text: str) -> bool:
    """Say whether a text is a list of words with blanks between, and not one requirement that has some."""
    return all(re.fullmatch(r"[A-Za-z0-9._-]+(\[.*\])?([<>=!~]=?[^ ;]*)?", word) for word in text.split())
