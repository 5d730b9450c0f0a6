"""``add-package``: a recipe, an empty series and an index page for a package that is new here."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import Version

from workbench.console import answer, step
from workbench.errors import SourceError, UsageError
from workbench.files import write_whole
from workbench.index.brief import people_path
from workbench.publish.projects import PYPI, declare, package_facts
from workbench.recipe.load import path_of
from workbench.recipe.model import UNSET_VERSION, Git, Recipe, Sdist
from workbench.source.git import read_top, resolve
from workbench.source.sdist import pin_sdist
from workbench.source.version import TELLING, static_version
from workbench.store.layout import INDEX, REGISTRY
from workbench.store.opening import open_store
from workbench.url import has_secret

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.settings import Settings

_TAG_VERSION = re.compile(r"v?(\d+(?:\.\d+)*(?:(?:a|b|rc|\.post|\.dev)\d+)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person says of a new package; `source` is a Git URL or ``pypi:NAME==VERSION``."""

    name: str
    source: str
    upstream: str | None = None
    branch: str | None = None
    tag: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """The files that adding a package writes, as a value: path and content; and the recipe itself."""

    recipe: Recipe
    files: tuple[tuple[Path, str], ...]


def plan_addition(request: Request, paths: Paths) -> Addition:
    """Resolve and pin the source and return what would be written. Nothing is written yet.

    Raises UsageError for a name that is invalid or taken, SourceError for a source that cannot be resolved.
    """
    try:
        name = canonicalize_name(request.name, validate=True)
    except InvalidName as error:
        raise UsageError(
            f"{request.name!r} is not a project name: letters, digits, '.', '_' and '-'"
        ) from error
    if not request.source:
        raise UsageError("add-package needs --source: a Git URL, or pypi:NAME==VERSION")
    path = path_of(paths.recipes, name)
    if path.exists():
        raise UsageError(f"{name}: there is a recipe already: {path}")
    version, source = _pin(request)
    recipe = Recipe(
        name=name,
        version=version,
        description=request.description or "",
        upstream=request.upstream,
        source=source,
    )
    series = paths.patches / name / "series"
    files = [(path, render(recipe))]
    if not series.exists():
        files.append((series, ""))
    return Addition(recipe=recipe, files=tuple(files))


def add(addition: Addition, paths: Paths, settings: Settings) -> None:
    """Write the files, register the package and draw its page; on any failure, leave nothing behind.

    Raises RegistryError, StoreError and OSError.
    """
    written: list[Path] = []
    try:
        for path, content in addition.files:
            written.append(path)
            write_whole(path, content)
        declare(
            paths, settings, open_store(paths, settings), addition.recipe.name, package_facts(addition.recipe)
        )
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        patches = paths.patches / addition.recipe.name
        if patches.is_dir() and not any(patches.iterdir()):
            patches.rmdir()
        raise


def report(addition: Addition, paths: Paths, settings: Settings, *, dry_run: bool) -> None:
    """Print what was written, or would be, and what to do next."""
    recipe = addition.recipe
    path = addition.files[0][0]
    for written, _ in addition.files:
        answer(f"{'would write' if dry_run else 'wrote'} {written.relative_to(paths.root)}")
    page = f", {INDEX}{people_path(recipe.name)}" if settings.index.people else ""
    registered = "would register it" if dry_run else "registered it"
    answer(f"{registered} in {open_store(paths, settings).place}: {REGISTRY}{page}")
    if dry_run:
        answer(f"\n{addition.files[0][1]}")
        return
    version = (
        f"set its version in {path.relative_to(paths.root)}: the source does not tell it"
        if recipe.version == UNSET_VERSION
        else f"look over {path.relative_to(paths.root)}: licence, Pythons, a smoke test that uses the package"
    )
    answer(
        f"\nNext:\n  1. {version}\n"
        f"  2. put changes into patches/{recipe.name}/, a line each in series (docs/patches.md)\n"
        f"  3. invoke build {recipe.name}, then invoke release {recipe.name}"
    )


def _pin(request: Request) -> tuple[str, Git | Sdist]:
    if request.branch and request.tag:
        raise UsageError("give --branch or --tag, not both")
    if request.source.startswith(PYPI):
        if request.branch or request.tag:
            raise UsageError("--branch and --tag are for Git sources; pypi:NAME==VERSION has neither")
        return _pin_sdist(request.source.removeprefix(PYPI))
    return _pin_git(request)


def _pin_git(request: Request) -> tuple[str, Git]:
    url = request.source
    if has_secret(url):
        raise UsageError(
            f"--source {url}: a login in a URL would be published with the recipe: leave it out, and let git "
            "ask a credential helper"
        )
    if Path(url).exists():
        url = str(Path(url).resolve())  # the recipe is used from other folders than this one
    found = resolve(url, branch=request.branch, tag=request.tag)
    files: dict[str, str] = {}
    with step(f"look into {found.commit[:12]}") as at:
        try:
            files = read_top(url, found, (*TELLING, ".gitmodules"))
        except SourceError as error:
            at.fail(f"its version and its submodules stay unknown: {error}")
    tagged = _TAG_VERSION.fullmatch(found.tag or "")
    version = str(Version(tagged[1])) if tagged else static_version(files) or UNSET_VERSION
    return version, Git(
        url=url, commit=found.commit, branch=found.branch, tag=found.tag, submodules=".gitmodules" in files
    )


def _pin_sdist(text: str) -> tuple[str, Sdist]:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise UsageError(f"--source {PYPI}{text}: {error}") from error
    pins = list(requirement.specifier)
    plainly = f"{PYPI}{requirement.name}==VERSION"
    if len(pins) != 1 or pins[0].operator != "==" or pins[0].version.endswith(".*"):
        raise UsageError(f"--source {PYPI}{text}: name one version: {plainly}")
    if requirement.marker or requirement.extras or requirement.url:
        raise UsageError(f"--source {PYPI}{text}: neither extras nor conditions, only {plainly}")
    version = pins[0].version
    _, sha256 = pin_sdist(requirement.name, version)
    return str(Version(version)), Sdist(name=requirement.name, sha256=sha256)


def render(recipe: Recipe) -> str:
    """Write a recipe as the module that loads as it."""
    kind = type(recipe.source).__name__
    source = {key: value for key, value in _fields(recipe.source).items() if value not in (None, False)}
    if source.get("name") == recipe.name:
        del source["name"]
    facts = {
        "name": recipe.name,
        "version": recipe.version,
        "description": recipe.description,
        "upstream": recipe.upstream,
    }
    lines = [f"    {key}={_quoted(value)}," for key, value in facts.items() if value is not None]
    pinned = [f"        {key}={_quoted(value)}," for key, value in source.items()]
    return "\n".join(
        [
            "from __future__ import annotations",
            "",
            f"from workbench.recipe import {', '.join(sorted([kind, 'Recipe']))}",
            "",
            "recipe = Recipe(",
            *lines,
            f"    source={kind}(",
            *pinned,
            "    ),",
            f'    smoke_test="import {recipe.modules[0]}",',
            ")",
            "",
        ]
    )


def _fields(source: Git | Sdist) -> dict[str, object]:
    return {name: getattr(source, name) for name in source.__dataclass_fields__}


def _quoted(value: object) -> str:
    """Write a string as the formatter would: in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
