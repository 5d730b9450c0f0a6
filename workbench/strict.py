"""Data files into values: strictly, with errors that carry the path to the key.

A mapping becomes a frozen dataclass. An unknown key is an error that names the nearest known one, or all where
none is near; so is a missing key and a value of another type. The types that a field may have are those that JSON and
YAML can say: ``str``, ``int``, ``float``, ``bool``, ``X | None``, ``tuple[X, ...]``, ``dict[str, X]``, ``Literal`` and
other dataclasses.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from workbench.errors import WorkbenchError, nearest

T = TypeVar("T")


class Mismatch(WorkbenchError):
    """The data does not have the shape. The message starts with the path to the key."""


def parse(cls: type[T], data: object, *, path: str = "") -> T:
    """Return `data`, a mapping out of JSON or YAML, as an instance of the dataclass `cls`.

    Raises Mismatch, whose text starts with `path` and the dotted keys below it.
    """
    return typing.cast("T", _reader(typing.cast("Any", cls))(data, path))


@functools.cache
def _reader(kind: Any) -> Callable[[object, str], object]:  # noqa: ANN401 - any type expression
    """Return the function that reads one type; made once a type, so that 100,000 entries pay for it once."""
    if dataclasses.is_dataclass(kind):
        return _dataclass_reader(typing.cast("type", kind))
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        (inner,) = (a for a in arguments if a is not types.NoneType)
        read = _reader(inner)
        return lambda value, path: None if value is None else read(value, path)
    if origin is tuple:
        read = _reader(arguments[0])
        return lambda value, path: tuple(
            read(item, f"{path}[{i}]") for i, item in enumerate(_expect(list, value, path))
        )
    if origin is dict:
        read = _reader(arguments[1])
        return lambda value, path: {
            str(key): read(item, _join(path, str(key))) for key, item in _expect(dict, value, path).items()
        }
    if origin is typing.Literal:
        return functools.partial(_one_of, arguments)
    return functools.partial(_expect, kind)


def _dataclass_reader(cls: type) -> Callable[[object, str], object]:
    hints = typing.get_type_hints(cls)
    fields = dataclasses.fields(cls)
    readers = {field.name: _reader(hints[field.name]) for field in fields}
    plain = {name: _plain(hint) for name, hint in hints.items()}
    missing = dataclasses.MISSING
    required = [each.name for each in fields if each.default is missing and each.default_factory is missing]

    def read(value: object, path: str) -> object:
        data = _expect(dict, value, path)
        values = {}
        for key, item in data.items():
            if type(item) is plain.get(key):  # most of a registry: no path is made for what cannot fail
                values[key] = item
                continue
            if key not in readers:
                known = nearest(str(key), readers) or (f"; known: {', '.join(readers)}" if readers else "")
                raise Mismatch(f"{_join(path, str(key))}: unknown key{known}")
            values[key] = readers[key](item, f"{path}.{key}" if path else key)
        for key in required:
            if key not in values:
                raise Mismatch(f"{_join(path, key)}: missing")
        return cls(**values)

    return read


def _plain(hint: Any) -> type | None:  # noqa: ANN401 - any type expression
    """Return the one type that a field's plain values have: ``str`` for ``str`` and for ``str | None``."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    kinds = [kind for kind in (typing.get_args(hint) if union else (hint,)) if kind is not types.NoneType]
    return kinds[0] if kinds in ([str], [int], [bool]) else None


def _expect(kind: type[T], value: object, path: str) -> T:
    # bool is an int to Python, and never what a person means by one
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    nested = isinstance(value, (dict, list)) and value  # as deep as it may be
    got = _NAMES[type(value)] if nested else f"{value!r:.60}"
    # what people mean by 3.10, and YAML reads as a number
    remedy = ": write it in quotes" if kind is str and isinstance(value, (bool, int, float)) else ""
    raise Mismatch(f"{path or 'the document'}: expected {_NAMES[kind]}, got {got}{remedy}")


def _one_of(choices: tuple[str, ...], value: object, path: str) -> object:
    if value in choices:
        return value
    told = [each for each in choices if each]  # an empty one is for a key that is left out
    there = f"none of {', '.join(told)}" if len(told) > 1 else f"not {told[0]}"
    raise Mismatch(f"{path}: {value!r:.60} is {there}{nearest(str(value), told)}")


def _join(path: str, key: str) -> str:
    return f"{path}.{key:.80}" if path else f"{key:.80}"


_NAMES = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
}
