"""Why a build failed, as far as its log tells: the entries of ``troubles.toml``, and what they make of a log. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from string import Formatter
from typing import Literal

from workbench.first_error import WIDE, FirstError, first_error
from workbench.strict import parse

_CATALOGUE = Path(__file__).with_suffix(".toml")

Where = Literal["build", "cross", "container", "import", "result"]
"""What is looked through for the signs of a trouble: see the catalogue's head."""

Fault = Literal["package", "toolchain", "container", "machine"]

Known = Mapping[str, str | Callable[[Mapping[str, str]], str | None]]
"""What fills the texts beside a pattern's own groups: words, or what makes them of the groups; None: not known."""


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """An entry of the catalogue, whose head says what its keys are."""

    name: str
    at: Where = "build"
    signs: tuple[str, ...]
    meaning: str
    remedy: str
    error: Fault = "package"
    weak: bool = False
    passing: bool = False

    @cached_property
    def patterns(self) -> tuple[re.Pattern[str], ...]:
        """The signs, compiled."""
        return tuple(map(re.compile, self.signs))

    @cached_property
    def words(self) -> frozenset[str]:
        """The names in the texts."""
        named = [name for text in (self.meaning, self.remedy) for _, name, _, _ in Formatter().parse(text)]
        return frozenset(filter(None, named))


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a build failed: `evidence` is what the log says, and `file` and `line` where in the source, if it says that.

    Without a `name` nothing in the catalogue is like it, and `meaning` and `remedy` are empty. `passing`: it may go
    well another time.
    """

    evidence: tuple[str, ...]
    file: str = ""
    line: int | None = None
    name: str = ""
    meaning: str = ""
    remedy: str = ""
    fault: Fault = "package"
    passing: bool = False

    @property
    def text(self) -> str:
        """What a person reads, below what failed."""
        place = f"{self.file}:{self.line}"
        told = bool(self.line) and not any(self.file in line for line in self.evidence)
        lines = [*([f"  {place}"] if told else []), *(f"  {line}" for line in self.evidence)]
        return "\n".join([*lines, *([f"What to do: {self.remedy}"] if self.remedy else [])])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Catalogue:
    trouble: tuple[Trouble, ...]
    distributions: dict[str, str]


@cache
def _read() -> _Catalogue:
    return parse(_Catalogue, tomllib.loads(_CATALOGUE.read_text(encoding="utf-8")), path=_CATALOGUE.name)


def catalogue() -> tuple[Trouble, ...]:
    """Return the entries, in their order."""
    return _read().trouble


def distribution_of(module: str) -> str:
    """Return the project that brings a Python module, as the package index calls it."""
    return _read().distributions.get(module) or module.replace("_", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    trouble: Trouble
    line: str
    words: Mapping[str, str]


def diagnose(said: Sequence[str], *, at: Collection[Where], known: Known) -> Explanation | None:
    """Return what the lines of a log tell of a failure; None where they tell nothing.

    The first real error is looked at before all else.
    """
    error = first_error(said)
    here = [trouble for trouble in catalogue() if trouble.at in at]
    held = (error and _held(error.lines, here, known)) or _held(
        said, [trouble for trouble in here if not trouble.weak], known
    )
    if held is None:
        return Explanation(evidence=_tidy(error.lines), file=error.file, line=error.line) if error else None
    shown = error if error and held.line in error.lines else FirstError(lines=(held.line,))
    return Explanation(
        evidence=_tidy(shown.lines),
        file=shown.file,
        line=shown.line,
        name=held.trouble.name,
        meaning=held.trouble.meaning.format_map(held.words),
        remedy=held.trouble.remedy.format_map(held.words),
        fault=held.trouble.error,
        passing=held.trouble.passing,
    )


def with_meaning(said: str) -> str:
    """Return what a smoke test printed, and below it what that means, where the catalogue knows it."""
    why = diagnose(said.splitlines(), at={"import"}, known={"recipe": "the recipe"})
    return f"{said}\n{why.meaning}\nWhat to do: {why.remedy}" if why and why.name else said


def _held(lines: Iterable[str], troubles: Sequence[Trouble], known: Known) -> _Held | None:
    """Return the earliest of some troubles that holds for one of some lines."""
    left, best = troubles, None
    for line in lines:
        for rank, trouble in enumerate(left):
            words = _words(trouble, line[:WIDE], known)
            if words is not None:
                # what stands earlier in the catalogue tells more
                best, left = _Held(trouble=trouble, line=line, words=words), left[:rank]
                break
    return best


def _words(trouble: Trouble, line: str, known: Known) -> dict[str, str] | None:
    """Return what fills a trouble's texts where it holds for a line, or None."""
    for pattern in trouble.patterns:
        if found := pattern.search(line):
            words = {key: value for key, value in found.groupdict().items() if value is not None}
            for name in trouble.words - words.keys():
                value = known.get(name)
                value = value(words) if callable(value) else value
                if not value:
                    break
                words[name] = value
            else:
                return words
    return None


def _tidy(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line.rstrip()[:_SHOWN] for line in lines)


_SHOWN = 300
"""Characters of a line that are shown."""
