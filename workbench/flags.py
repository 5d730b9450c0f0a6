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
from typing import Any, NamedTuple

from workbench.paths import PROGRAM


class Flag(NamedTuple):
    """A flag: the name of its field, the type of its value (bool, int or str), its default, what it is for."""

    name: str
    kind: type
    default: Any
    explained: str

    @property
    def typed(self) -> str:
        """The flag as people type it: ``--dry-run``. A name that is Python's own word has ``_`` at its end."""
        return _typed(self.name)


def flag(explained: str, *, default: Any = "") -> Any:  # noqa: ANN401 - a field, which a type checker takes for its value
    """Declare a flag as a field of a group."""
    return dataclasses.field(default=default, metadata={"explained": explained})


def flags_of(group: type) -> tuple[Flag, ...]:
    """Return the flags of a group, a dataclass whose fields `flag` declares."""
    return tuple(
        Flag(each.name, type(each.default), each.default, each.metadata["explained"])
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
