"""How a recipe's fields are checked: it is written by hand, and is not run through mypy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from packaging.utils import canonicalize_name, is_normalized_name

from workbench.errors import RecipeError, nearest
from workbench.url import has_secret

Kinds = tuple[type | tuple[type, ...], type | tuple[type, ...], str]
"""What a field may hold: its type, the type of its parts, and what to tell a person."""


def check_types(
    value: Any,  # noqa: ANN401 - any dataclass
    kinds_of: Mapping[str, Kinds],
    prefix: str,
    only: str = "",
) -> None:
    """Raise RecipeError where a value's fields, or the one that is named, are not of their types (by annotation)."""
    for each in fields(value):
        if only and each.name != only:
            continue
        item = getattr(value, each.name)
        kinds, part_kinds, expected = kinds_of[str(each.type)]
        parts = tuple(parts_of(item))
        if not isinstance(item, kinds) or not all(isinstance(part, part_kinds) for part in parts):
            raise RecipeError(f"{prefix}{each.name}: expected {expected}, got {item!r:.80}")
        if any(isinstance(part, str) and has_secret(part) for part in (item, *parts)):
            raise RecipeError(
                f"{prefix}{each.name}: a login or a secret in a URL would be published with the recipe: leave it out, "
                "and let git ask a credential helper"
            )


def parts_of(item: object) -> Iterator[object]:
    """Yield what a tuple or a dict holds, and what tuples in a dict hold."""
    if isinstance(item, tuple):
        yield from item
    elif isinstance(item, dict):
        yield from item
        for held in item.values():
            yield from held if isinstance(held, tuple) else (held,)


def parse_with(key: str, kind: Callable[[str], object], text: str, invalid: type[ValueError]) -> None:
    """Raise RecipeError where a text is not what `kind` reads."""
    try:
        kind(text)
    except invalid as error:
        raise RecipeError(f"{key}: {error}") from error


def require_normalised(key: str, name: str) -> None:
    """Raise RecipeError for a project's name that is not normalised (PEP 503)."""
    if not is_normalized_name(name):
        raise RecipeError(f"{key}: {name!r} is not normalised: write {canonicalize_name(name)!r}")


def require_known(key: str, word: str | None, known: tuple[str, ...]) -> None:
    """Raise RecipeError for a word that is none of those known."""
    if word is not None and word not in known:
        there_are = f"there are {', '.join(known)}" if known else "the recipe has no variants"
        raise RecipeError(f"{key}: unknown value {word!r}{nearest(word, known)}: {there_are}")
