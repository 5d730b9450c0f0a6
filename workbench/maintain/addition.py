"""A new package: its recipe, pinned to what its source is today, and an empty patch series."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import Version

from workbench.errors import SourceError, UsageError
from workbench.events import step
from workbench.files import write_whole
from workbench.recipe.load import path_of
from workbench.recipe.model import PYPI, UNSET_VERSION, Git, Recipe, Sdist
from workbench.source.git import read_top, resolve
from workbench.source.sdist import pin_sdist
from workbench.source.version import TELLING, static_version

if TYPE_CHECKING:
    from workbench.paths import Paths

_TAG_VERSION = re.compile(r"v?(\d+(?:\.\d+)*(?:(?:a|b|rc|\.post|\.dev)\d+)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPackage:
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


def plan_addition(new: NewPackage, paths: Paths) -> Addition:
    """Resolve and pin the source and return what would be written. Nothing is written yet.

    Raises UsageError for a name that is invalid or taken, SourceError for a source that cannot be resolved.
    """
    try:
        name = canonicalize_name(new.name, validate=True)
    except InvalidName as error:
        raise UsageError(f"{new.name!r} is not a project name: letters, digits, '.', '_' and '-'") from error
    if not new.source:
        raise UsageError("add-package needs --source: a Git URL, or pypi:NAME==VERSION")
    path = path_of(paths.recipes, name)
    if path.exists():
        raise UsageError(f"{name}: there is a recipe already: {path}")
    version, source = _pin(new)
    about, upstream = new.description or "", new.upstream
    recipe = Recipe(name=name, version=version, description=about, upstream=upstream, source=source)
    series = paths.patches / name / "series"
    empty = () if series.exists() else ((series, ""),)
    return Addition(recipe=recipe, files=((path, render(recipe)), *empty))


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


def _pin(new: NewPackage) -> tuple[str, Git | Sdist]:
    if new.branch and new.tag:
        raise UsageError("give --branch or --tag, not both")
    if new.source.startswith(PYPI):
        if new.branch or new.tag:
            raise UsageError("--branch and --tag are for Git sources; pypi:NAME==VERSION has neither")
        return _pin_sdist(new.source.removeprefix(PYPI))
    url = new.source
    if Path(url).exists():
        url = str(Path(url).resolve())  # the recipe is used from other folders than this one
    found = resolve(url, branch=new.branch, tag=new.tag)
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
    return str(Version(version)), Sdist(name=requirement.name, sha256=pin_sdist(requirement.name, version))


def render(recipe: Recipe) -> str:
    """Write a recipe as the module that loads as it."""
    kind = type(recipe.source).__name__
    source = asdict(recipe.source)
    if source.get("name") == recipe.name:
        del source["name"]
    facts = {name: getattr(recipe, name) for name in ("name", "version", "description", "upstream")}
    return f"""\
from __future__ import annotations

from workbench.recipe import {", ".join(sorted([kind, "Recipe"]))}

recipe = Recipe(
{_arguments(facts, "    ")}
    source={kind}(
{_arguments(source, "        ")}
    ),
    smoke_test="import {recipe.modules[0]}",
)
"""


def _arguments(values: Mapping[str, object], indent: str) -> str:
    """Write a call's arguments as the formatter would, strings in double quotes; what is not set is left out."""
    written = {
        name: json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
        for name, value in values.items()
        if value not in (None, False)
    }
    return "\n".join(f"{indent}{name}={value}," for name, value in written.items())
