"""Flags, each declared once: as a parameter of a verb, or as a field of a group of flags that verbs share.

    Json = Annotated[bool, "answer in JSON on stdout"]

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Axes:
        python: str = flag("3.12, or a list: 3.10,3.12")

A value that holds flags can print itself back as the command line that asks for it.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from workbench.paths import PROGRAM


class Meaning(NamedTuple):
    """What a flag is for, and what else people call it: a second name, other words for its values."""

    explained: str
    also: str = ""
    words: Mapping[str, str] = MappingProxyType({})

    def value(self, text: str) -> str:
        """Return a value, or a list of them, in this project's own words."""
        if not self.words:
            return text
        return ",".join(self.words.get(part.strip(), part) for part in text.split(","))


class Flag(NamedTuple):
    """A flag: the name of its field, the type of its value (bool, int or str), its default, what it means."""

    name: str
    kind: type
    default: Any
    meaning: Meaning

    @property
    def explained(self) -> str:
        """What it is for, and its default where that is a value."""
        valued = self.kind is not bool and self.default
        return f"{self.meaning.explained} (default: {self.default})" if valued else self.meaning.explained

    @property
    def typed(self) -> str:
        """The flag as people type it: ``--dry-run``. A name that is Python's own word has ``_`` at its end."""
        return _typed(self.name)

    @property
    def typings(self) -> tuple[str, ...]:
        """All that people may type for it."""
        return tuple(map(_typed, filter(None, (self.name, self.meaning.also))))


def flag(
    explained: str,
    *,
    default: Any = "",  # noqa: ANN401 - a field, which a type checker takes for its value
    also: str = "",
    words: Mapping[str, str] = MappingProxyType({}),
) -> Any:  # noqa: ANN401 - likewise
    """Declare a flag as a field of a group; `also` and `words` are as `Meaning` has them."""
    return dataclasses.field(default=default, metadata={"meaning": Meaning(explained, also, words)})


def flags_of(group: type) -> tuple[Flag, ...]:
    """Return the flags of a group, a dataclass whose fields `flag` declares."""
    return tuple(
        Flag(each.name, type(each.default), each.default, each.metadata["meaning"])
        for each in dataclasses.fields(group)
    )


def command_line(verb: str, request: Any) -> str:  # noqa: ANN401 - any dataclass
    """Return the line that asks a verb for what a request holds, ready to be pasted: ``invoke build x --python 3.10``.

    A field without a default is a word of the line, another one the flag of its name where it differs from its
    default; a field that holds a group stands for its flags.
    """
    words: list[str] = []
    given: list[str] = []
    _collect(request, words, given)
    return shlex.join([PROGRAM, verb, *words, *given])


def _collect(value: Any, words: list[str], given: list[str]) -> None:  # noqa: ANN401 - any dataclass
    for field in dataclasses.fields(value):
        held = getattr(value, field.name)
        if dataclasses.is_dataclass(held):
            _collect(held, words, given)
        elif field.default is dataclasses.MISSING:
            words.append(str(held))
        elif held != field.default:
            given += [_typed(field.name)] if held is True else [_typed(field.name), str(held)]


def _typed(name: str) -> str:
    return f"--{name.rstrip('_').replace('_', '-')}"
