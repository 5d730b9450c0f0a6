"""Find recipes and load them, with errors that name the file, the line and the key."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import re
import traceback
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from workbench.errors import RecipeError, UsageError, nearest
from workbench.paths import PROGRAM
from workbench.recipe.model import Edition, Git, Recipe, Sdist, When
from workbench.recipe.versions import asked_for, each_version, newest_of

if TYPE_CHECKING:
    from types import CodeType

    from packaging.version import Version

_UNKNOWN = re.compile(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'")
_MISSING = re.compile(r"(\w+)\.__init__\(\) missing \d+ required keyword-only arguments?: (.*)")
_CLASSES = {kind.__name__: kind for kind in (Recipe, Sdist, Git, Edition, When)}


def path_of(recipes: Path, name: str) -> Path:
    """Return where the recipe of a package is: ``recipes/torch_scatter.py`` for torch-scatter."""
    return recipes / f"{canonicalize_name(name).replace('-', '_')}.py"


def names(recipes: Path) -> tuple[str, ...]:
    """Return the normalised names of the packages that have a recipe, without loading any."""
    return tuple(
        sorted(canonicalize_name(path.stem) for path in recipes.glob("*.py") if path.stem != "__init__")
    )


def load(recipes: Path, name: str, version: str = "") -> Recipe:
    """Return the recipe of a package, at a version that it has: the newest unless one is named.

    Raises UsageError for a version that it does not have and for several at once, and what `load_versions` raises.
    """
    found = asked_for(load_versions(recipes, name), version)
    if len(found) > 1:
        raise UsageError(
            f"--version {version}: {', '.join(each.version for each in found)}: name one of them"
        )
    return found[0]


def maker_of(recipes: Path, project: str, version: Version | None = None) -> Recipe | None:
    """Return the recipe that makes the wheels of a project, its own or one of which it is a variant; None without one.

    It is the recipe at the version that a wheel's own was made of, where that is given and is still there. Raises
    RecipeError for one that does not load.
    """
    project = canonicalize_name(project)
    if path_of(recipes, project).is_file():
        return newest_of(load_versions(recipes, project), version)
    for name in names(recipes):
        # a recipe is only run where its text has the name
        if project in path_of(recipes, name).read_text(encoding="utf-8", errors="replace"):
            found = load_versions(recipes, name)
            if isinstance(found[-1].variants, dict) and project in found[-1].variants.values():
                return newest_of(found, version)
    return None


def load_versions(recipes: Path, name: str) -> tuple[Recipe, ...]:
    """Return a package's recipe at each of its versions, the oldest first. Raises RecipeError as `load_written`."""
    return each_version(load_written(recipes, name))


def load_written(recipes: Path, name: str) -> Recipe:
    """Return a package's recipe as it is written, with its conditions on the version.

    Raises RecipeError when there is none (naming the nearest), when its file has another name than it should, or
    when it does not load.
    """
    path = path_of(recipes, name)
    if not path.is_file():
        for other in recipes.glob("*.py"):
            if path_of(recipes, other.stem) == path:
                raise RecipeError(f"{other}: a recipe's file has its package's name: rename it {path.name}")
        known = names(recipes)
        raise RecipeError(
            f"{name}: no recipe in {recipes}{nearest(canonicalize_name(name), known)}; "
            f"'{PROGRAM} list' shows them, '{PROGRAM} add-package' makes one"
        )
    recipe = _load_file(path)
    if recipe.name != canonicalize_name(path.stem):
        raise RecipeError(
            f"{path}{_line_of(path, 'name')}: name: {recipe.name!r} does not belong in {path.name}; "
            f"its file is {path_of(recipes, recipe.name).name}"
        )
    return recipe


class _Uncompiled(importlib.machinery.SourceFileLoader):
    """Loads a module as its file is now: Python takes a compiled one for current within a second of its writing."""

    def get_code(self, _fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _load_file(path: Path) -> Recipe:
    name = f"recipes.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_Uncompiled(name, str(path)))
    assert spec is not None  # noqa: S101 - a .py file always has one
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except RecipeError as error:
        key = str(error).split(":", 1)[0]
        raise RecipeError(f"{path}{_line_of(path, key)}: {error}") from error
    except SyntaxError as error:
        raise RecipeError(f"{path}:{error.lineno}: {error.msg}") from error
    except Exception as error:
        raise RecipeError(f"{path}{_explained(path, error)}") from error
    recipe = getattr(module, "recipe", None)
    if not isinstance(recipe, Recipe):
        raise RecipeError(f"{path}: defines no 'recipe': write recipe = Recipe(...)")
    return recipe


def _explained(path: Path, error: Exception) -> str:
    """Return what went wrong, behind the line: ``:12: …``."""
    text = str(error)
    if isinstance(error, TypeError) and (found := _UNKNOWN.search(text)) and found[1] in _CLASSES:
        known = [field.name for field in fields(_CLASSES[found[1]])]
        word, near = found[2], nearest(found[2], known)
        return f"{_line_of(path, word)}: {word}: unknown key of {found[1]}{near}; known: {', '.join(known)}"
    frames = traceback.extract_tb(error.__traceback__)
    line = "".join([f":{frame.lineno}" for frame in frames if frame.filename == str(path)][-1:])
    if isinstance(error, TypeError) and (found := _MISSING.search(text)) and found[1] in _CLASSES:
        return f"{line}: {found[1]} lacks {found[2]}"
    return f"{line}: {type(error).__name__}: {error}"


def _line_of(path: Path, key: str) -> str:
    """Return ``:12`` for the line on which a keyword argument (the last part of a dotted key) is written."""
    last = key.rsplit(".", 1)[-1]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.keyword) and node.arg == last:
            return f":{node.lineno}"
    return ""
