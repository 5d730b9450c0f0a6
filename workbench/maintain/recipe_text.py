"""A recipe as the module that loads as it, laid out as ruff would. Pure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from workbench.recipe.model import Git, Recipe, Sdist, When, source_of

if TYPE_CHECKING:
    from workbench.maintain.guess import Guess

WIDTH = 110
_INDENT = "    "


def render(
    recipe: Recipe, guesses: Sequence[Guess] = (), *, remaining: Sequence[str] = (), about: Sequence[str] = ()
) -> str:
    """Write a recipe.

    Above a field stands the evidence for it; what remains to be decided, and what there is to know `about` the source,
    stand as comments too.
    """
    evidence = {guess.field: guess.evidence for guess in guesses}
    body = [*_field("name", recipe.name, ())]
    body += _versions(recipe) if recipe.versions else _field("version", recipe.version, ())
    body += _field("description", " ".join(recipe.description.split()), evidence.get("description", ()))
    for key in ("upstream", "license"):
        body += _field(key, getattr(recipe, key), evidence.get(key, ()))
    body += _comment(about)
    body += [] if recipe.versions else _source(recipe.name, recipe.source)
    for key in (
        "python",
        "compute",
        "torch",
        "build_requires",
        "cuda_libraries",
        "environment",
        "memory_per_job",
    ):
        if key in evidence:
            body += _field(key, getattr(recipe, key), evidence[key])
    for key in ("local_version", "modules"):
        if key in evidence:
            body += _field(key, getattr(recipe, key), evidence[key])
    if remaining:
        body += _comment(["still to be decided:", *(f"- {line}" for line in remaining)])
    body += _field("smoke_test", smoke_test(recipe), ())
    names = {"Recipe", type(recipe.source).__name__} | ({"when"} if "when(" in "\n".join(body) else set())
    imported = ", ".join(sorted(names, key=lambda name: (name.islower(), name)))
    lines = "\n".join(line.rstrip() for line in body)
    return f"""\
from __future__ import annotations

from workbench.recipe import {imported}

recipe = Recipe(
{lines}
)
"""


def _versions(recipe: Recipe) -> Iterator[str]:
    yield f"{_INDENT}versions={{"
    for version, pinned in recipe.versions.items():
        if source := source_of(pinned):
            yield f"{_INDENT * 2}{_value(version)}: {pin_text(source, name=recipe.name)},"
    yield f"{_INDENT}}},"


def pin_text(source: Sdist | Git, *, name: str) -> str:
    """Return a source as the recipe of a `name` writes it, on one line: ``Sdist(sha256="...")``."""
    arguments = (f"{key}={_value(held)}" for key, held in _given(source, name).items())
    return f"{type(source).__name__}({', '.join(arguments)})"


def _given(source: Sdist | Git, name: str) -> Mapping[str, object]:
    given = {key: held for key, held in asdict(source).items() if held not in (None, False)}
    return {key: held for key, held in given.items() if (key, held) != ("name", name)}


def smoke_test(recipe: Recipe) -> str:
    """Return the least that shows that a wheel loads: its modules are imported, torch's libraries before them."""
    imports = [f"import {module}" for module in recipe.modules]
    return "\n".join(["import torch", *imports] if recipe.torch else imports)


def _field(key: str, value: object, evidence: Sequence[str]) -> Iterator[str]:
    if value in (None, False, (), {}):
        return
    yield from _comment(evidence)
    yield from _argument(key, value, _INDENT)


def _comment(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        first, more = f"{_INDENT}# ", f"{_INDENT}#   "
        yield from textwrap.wrap(
            line,
            WIDTH,
            initial_indent=first,
            subsequent_indent=more,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _argument(key: str, value: object, indent: str) -> Iterator[str]:
    written = _value(value)
    line = f"{indent}{key}={written},"
    if isinstance(value, str) and "\n" in value and "\\" not in value and '"""' not in value:
        yield f'{indent}{key}="""\\'
        yield from value.splitlines()
        yield '""",'
    elif len(line) <= WIDTH or not isinstance(value, tuple | dict):
        yield line
    else:
        parts = (
            (f"{_value(k)}: {_value(v)}" for k, v in value.items())
            if isinstance(value, dict)
            else map(_value, value)
        )
        opened, closed = "{}" if isinstance(value, dict) else "()"
        yield f"{indent}{key}={opened}"
        yield from (f"{indent}{_INDENT}{part}," for part in parts)
        yield f"{indent}{closed},"


def _value(value: object) -> str:
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case tuple():
            return f"({', '.join(map(_value, value))}{',' if len(value) == 1 else ''})"
        case dict():
            return f"{{{', '.join(f'{_value(key)}: {_value(one)}' for key, one in value.items())}}}"
        case When():
            given = {key: held for key, held in asdict(value).items() if held is not None and key != "value"}
            conditions = (f"{key}={_value(held)}" for key, held in given.items())
            return f"when({', '.join([_value(value.value), *conditions])})"
    return repr(value)


def _source(name: str, source: Git | Sdist) -> Iterator[str]:
    line = f"{_INDENT}source={pin_text(source, name=name)},"
    if len(line) <= WIDTH:
        yield line
        return
    yield f"{_INDENT}source={type(source).__name__}("
    for key, held in _given(source, name).items():
        yield from _argument(key, held, _INDENT * 2)
    yield f"{_INDENT}),"
