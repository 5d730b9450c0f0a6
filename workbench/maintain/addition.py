"""A new package: its recipe, pinned to what its source is today and written from what that tells; a patch series."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import Version

from workbench.errors import UsageError
from workbench.events import note, step
from workbench.files import scratch, write_whole
from workbench.maintain.fork import Fork, read_fork
from workbench.maintain.licences import licence_of
from workbench.maintain.newest import moved_to
from workbench.maintain.proposal import propose
from workbench.maintain.recipe_text import render, smoke_test
from workbench.recipe.load import path_of
from workbench.recipe.model import PYPI, UNSET_VERSION, Edition, Git, Recipe, Sdist
from workbench.source.git import fetch_git, resolve
from workbench.source.git_history import ahead_of
from workbench.source.reading import read_source
from workbench.source.sdist import newest_sdist, pin_sdist
from workbench.source.tree import fetch
from workbench.text import counted

if TYPE_CHECKING:
    from workbench.maintain.guess import Guess
    from workbench.maintain.proposal import Proposal
    from workbench.paths import Paths
    from workbench.source.reading import Reading

_TAG_VERSION = re.compile(r"v?(\d+(?:\.\d+)*(?:(?:a|b|rc|\.post|\.dev)\d+)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPackage:
    """What a person says of a new package; `source` is a Git URL or ``pypi:NAME==VERSION``, by default of its name.

    `versions` are several that the recipe is to have, of which the newest is read; `said` is what is known of the
    package beside its source, and `undecided` what of that a recipe cannot say. `as_patches` pins upstream instead, and
    makes a patch of each commit that the source, a fork, has beyond it, or beyond upstream's tag `base`.
    """

    name: str
    source: str = ""
    upstream: str | None = None
    branch: str | None = None
    tag: str | None = None
    description: str | None = None
    as_patches: bool = False
    base: str | None = None
    versions: tuple[str, ...] = ()
    said: tuple[Guess, ...] = ()
    undecided: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """The files that adding a package writes, as a value: path and content; the recipe, and how it was told."""

    recipe: Recipe
    proposal: Proposal
    files: tuple[tuple[Path, str | bytes], ...]


def plan_addition(new: NewPackage, paths: Paths) -> Addition:
    """Resolve and pin the source, fetch and read it, and return what would be written. Nothing is written yet.

    Raises UsageError for a name that is invalid or taken, SourceError for a source that cannot be resolved or fetched.
    """
    try:
        name = canonicalize_name(new.name, validate=True)
    except InvalidName as error:
        raise UsageError(f"{new.name!r} is not a project name: letters, digits, '.', '_' and '-'") from error
    path = path_of(paths.recipes, name)
    if path.exists():
        raise UsageError(f"{name}: there is a recipe already: {path}")
    folder = paths.patches / name
    empty = () if (folder / "series").exists() else ((folder / "series", b""),)
    version: str
    source: Git | Sdist
    series: tuple[tuple[Path, bytes], ...]
    if new.as_patches:
        fork = _fork(new, paths)
        version, source, series = fork.version, fork.source, fork.files(folder)
        if folder.is_dir() and any(folder.iterdir()):
            raise UsageError(f"{folder}: there are patches already: move them away first")
    else:
        (version, source), series = _pin(new, name), empty
    about: tuple[str, ...] = ()
    with scratch(paths.cache / "reading", ".tree.") as place:
        tree = place / "tree"
        if isinstance(source, Git):
            fetch_git(source, tree, cache=paths.cache)
            about = (
                _standing(source, new.upstream, paths.cache) if new.upstream and not new.as_patches else ()
            )
        else:
            fetch(source, name=name, version=version, cache=paths.cache, into=tree)
        reading = read_source(tree, source.name or name if isinstance(source, Sdist) else name)
        proposal = propose(name, reading, licence_of(tree, reading.stated)).with_said(new.said, new.undecided)
        has_submodules = (tree / ".gitmodules").exists()
    remaining: tuple[str, ...] = ()
    if isinstance(source, Git):
        source, version, remaining = _of_git(source, name, version, reading, has_submodules=has_submodules)
    values: dict[str, Any] = {"description": "", **proposal.values()}
    values |= {key: said for key in ("description", "upstream") if (said := getattr(new, key))}
    versions = _pins(new, name, version, source)
    recipe = Recipe(name=name, version=version, source=source, versions=versions, **values)
    recipe = replace(recipe, smoke_test=smoke_test(recipe))
    proposal = replace(proposal, remaining=(*remaining, *proposal.remaining))
    text = render(recipe, proposal.guesses, remaining=proposal.remaining, about=about)
    return Addition(recipe=recipe, proposal=proposal, files=((path, text), *series))


@contextmanager
def written(addition: Addition) -> Iterator[None]:
    """Write the files for the block that registers the package; leave nothing behind where it fails. Raises OSError."""
    done: list[Path] = []
    try:
        for path, content in addition.files:
            done.append(path)
            write_whole(path, content)
        yield
    except BaseException:
        for path in done:
            path.unlink(missing_ok=True)
            if path.name == "series" and not any(path.parent.iterdir()):
                path.parent.rmdir()
        raise


def _standing(source: Git, upstream: str, cache: Path) -> tuple[str, ...]:
    """Say in a line how far a fork's commit is from upstream, where that can be told."""
    with step(f"look for the tag of {upstream} that it is based on") as at:
        found = ahead_of(source, upstream, cache)
        at.outcome = f"{found[0]}, and {counted(found[1], 'commit')} upon it" if found else "none is known"
    return (f"{counted(found[1], 'commit')} ahead of {found[0]} of {upstream}",) if found else ()


def _fork(new: NewPackage, paths: Paths) -> Fork:
    if not new.source or not new.upstream or new.source.startswith(PYPI) or new.tag:
        raise UsageError(
            "--as-patches needs --source, a fork's Git URL, and --upstream, that of what it forks; no --tag"
        )
    urls = [str(Path(url).resolve()) if Path(url).exists() else url for url in (new.source, new.upstream)]
    return read_fork(urls[0], urls[1], paths, branch=new.branch, base=new.base)


def _of_git(
    source: Git, name: str, version: str, reading: Reading, *, has_submodules: bool
) -> tuple[Git, str, tuple[str, ...]]:
    """Return a commit's source and version once it was read, and what of them a person has to look at."""
    remaining = []
    version = version or reading.stated.version or UNSET_VERSION
    if version == UNSET_VERSION:
        remaining.append("version: the source does not tell it, and until it is set nothing is built")
    stated = reading.stated.first("Name")
    if stated and canonicalize_name(stated.text) != name:
        remaining.append(f"name: {stated.where} says {stated.text!r}, and so will the wheel that is built")
    if has_submodules:
        source = replace(source, submodules=True)
    return source, version, tuple(remaining)


def _pin(new: NewPackage, name: str) -> tuple[str, Git | Sdist]:
    """Return the pinned source, and its version: empty where only the source itself may tell it."""
    if new.branch and new.tag:
        raise UsageError("give --branch or --tag, not both")
    url = new.source or f"{PYPI}{name}"
    if url.startswith(PYPI):
        if new.branch or new.tag:
            raise UsageError("--branch and --tag are for Git sources; pypi:NAME==VERSION has neither")
        return _pin_sdist(url.removeprefix(PYPI))
    if Path(url).exists():
        url = str(Path(url).resolve())  # the recipe is used from other folders than this one
    found = resolve(url, branch=new.branch, tag=new.tag)
    tagged = _TAG_VERSION.fullmatch(found.tag or "")
    version = str(Version(tagged[1])) if tagged else ""
    return version, Git(url=url, commit=found.commit, branch=found.branch, tag=found.tag)


def _pins(new: NewPackage, name: str, version: str, source: Git | Sdist) -> dict[str, Git | Sdist | Edition]:
    """Return the pins of a recipe's versions, the newest last; none for one that has only one. Raises SourceError."""
    if len(new.versions) <= 1:
        return {}
    alone = Recipe(name=name, version=version, source=source, description="")
    return {
        each: source if each == version else moved_to(alone, each).source
        for each in map(str, sorted(map(Version, new.versions)))
    }


def _pin_sdist(text: str) -> tuple[str, Sdist]:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise UsageError(f"--source {PYPI}{text}: {error}") from error
    pins = list(requirement.specifier)
    plainly = f"{PYPI}{requirement.name}==VERSION"
    if pins and (len(pins) != 1 or pins[0].operator != "==" or pins[0].version.endswith(".*")):
        raise UsageError(f"--source {PYPI}{text}: name one version: {plainly}, or none for the newest")
    if requirement.marker or requirement.extras or requirement.url:
        raise UsageError(f"--source {PYPI}{text}: neither extras nor conditions, only {plainly}")
    version = pins[0].version if pins else newest_sdist(requirement.name)
    if not pins:
        note(
            f"{requirement.name} {version} is the newest final version that the package index has an sdist of"
        )
    return str(Version(version)), Sdist(name=requirement.name, sha256=pin_sdist(requirement.name, version))
