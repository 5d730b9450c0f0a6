"""A recipe proposed from what a source tells: fields with the evidence for them, and what is to be decided. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from workbench.maintain.extension import guess_extension
from workbench.maintain.guess import Guess
from workbench.recipe.model import Recipe
from workbench.source.stated import homepage

if TYPE_CHECKING:
    from workbench.source.quote import Quote
    from workbench.source.reading import Reading

OLDEST_PYTHON, NEWEST_PYTHON = 10, 30
"""The minor releases of Python 3 that are looked at: the oldest that a new recipe builds for, and one far ahead."""
_LONG_SUMMARY = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The fields of a recipe that its source tells, and what a person has to decide, in words."""

    guesses: tuple[Guess, ...]
    remaining: tuple[str, ...]

    def values(self) -> dict[str, object]:
        """Return the fields with their values, as a recipe takes them."""
        return {guess.field: guess.value for guess in self.guesses}

    def with_said(self, said: Sequence[Guess], undecided: Sequence[str]) -> Proposal:
        """Return it with what somebody says of the package; build requirements and variables are added to its own."""
        own = {guess.field: guess for guess in self.guesses}
        for guess in said:
            own[guess.field] = _added(own[guess.field], guess) if guess.field in own else guess
        order = [field.name for field in fields(Recipe)]
        guesses = tuple(sorted(own.values(), key=lambda each: order.index(each.field)))
        return replace(self, guesses=guesses, remaining=(*undecided, *self.remaining))

    def as_dict(self) -> dict[str, object]:
        """Return it in plain form."""
        told = {each.field: {"value": each.plain(), "evidence": list(each.evidence)} for each in self.guesses}
        return {"fields": told, "remaining": list(self.remaining)}


def _added(own: Guess, said: Guess) -> Guess:
    """Return what a source tells of a field with what somebody says of it, which counts where only one can."""
    evidence = (*own.evidence, *said.evidence)
    if isinstance(own.value, dict) and isinstance(said.value, dict):
        return Guess(own.field, {**own.value, **said.value}, evidence)
    if own.field == "build_requires" and isinstance(own.value, tuple) and isinstance(said.value, tuple):
        return Guess(own.field, tuple(dict.fromkeys((*own.value, *said.value))), evidence)
    return said


def propose(name: str, reading: Reading, licence: Quote | None) -> Proposal:
    """Return the recipe that a source tells. `name` is the recipe's; its version and its source are told elsewhere."""
    guesses, remaining = guess_extension(name, reading)
    guesses = [*_described(reading, licence), *guesses]
    order = [field.name for field in fields(Recipe)]
    missing = [*_missing(reading, licence), *_unnamed(name, reading), *remaining]
    return Proposal(
        guesses=tuple(sorted(guesses, key=lambda each: order.index(each.field))),
        remaining=(
            *missing,
            "smoke_test: use the package, and compare with an answer that is known by other means",
        ),
    )


def _described(reading: Reading, licence: Quote | None) -> Iterator[Guess]:
    stated = reading.stated
    if summary := stated.first("Summary"):
        yield Guess("description", _one_line(summary.text))
    if url := homepage(stated):
        yield Guess("upstream", url.text.removesuffix(".git"))
    if licence:
        yield Guess("license", licence.text, (licence.where,))
    told = stated.first("Requires-Python")
    pythons = python_range(told.text) if told else f">=3.{OLDEST_PYTHON}"
    if pythons:
        yield Guess(
            "python",
            pythons,
            (f"upstream: {told.text} ({told.where})",) if told else ("upstream says nothing",),
        )


def _one_line(text: str) -> str:
    """Return a summary as one line; of one that goes on and on the first sentence."""
    line = " ".join(text.split())
    return line if len(line) <= _LONG_SUMMARY else line.partition(". ")[0]


def _missing(reading: Reading, licence: Quote | None) -> Iterator[str]:
    stated = reading.stated
    if not stated.first("Summary"):
        yield "description: one line that says what it is"
    if not homepage(stated):
        yield "upstream: the URL of the project"
    if not licence:
        said = next((f": {told.where} says {told.text!r}" for told in stated.all("License")), "")
        yield f"license: an SPDX expression{said}"


def _unnamed(name: str, reading: Reading) -> Iterator[str]:
    """Yield that the import name is only taken from the project's, where nothing in the source has that name."""
    module = name.replace("-", "_")
    named = {each.text for each in (*reading.imports, *reading.scripts.modules, *reading.native.modules)}
    if not reading.imports and module not in named:
        yield f"modules: the source does not tell what is imported; {module} is only the project's name"


def python_range(text: str) -> str | None:
    """Return the Pythons of a Requires-Python that a recipe builds for (``>=3.10,<3.14``), or None."""
    try:
        wanted = SpecifierSet(text)
    except InvalidSpecifier:
        return f">=3.{OLDEST_PYTHON}"
    # the newest of a release, for a floor such as 3.10.4
    fits = [wanted.contains(f"3.{minor}.99") for minor in range(OLDEST_PYTHON, NEWEST_PYTHON)]
    if True not in fits:
        return None
    first = fits.index(True)
    rest = fits[first:]
    below = f",<3.{OLDEST_PYTHON + first + rest.index(False)}" if False in rest else ""
    return f">=3.{OLDEST_PYTHON + first}{below}"
