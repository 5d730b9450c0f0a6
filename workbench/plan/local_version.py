"""The local version (PEP 440) of a wheel that is bound to a CUDA, a torch or a variant, by template. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from workbench.recipe.model import Git, Sdist
from workbench.text import minor

if TYPE_CHECKING:
    from workbench.plan.target import Target
    from workbench.recipe.model import Source

FIELDS = ("compute", "cuda", "torch", "torch_full", "variant", "commit", "hash")
_SHORT = 7
_FULL = 2
"""The digits of a short hash, and the dots of a release of torch that is told in full: 2.7.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template such as ``cu{cuda}torch{torch}``; a ``+`` before it is not of it. `fields` are those that it names."""

    text: str
    fields: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Return a template. Raises ValueError for one that is not valid, or makes no valid local version."""
        text = text.removeprefix("+")
        names = set()
        for _, name, form, conversion in Formatter().parse(text):
            if name is None:
                continue
            if name not in FIELDS or form or conversion:
                shown = name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
                may = ", ".join(f"{{{field}}}" for field in FIELDS)
                raise ValueError(f"{text!r} asks for {{{shown}}}; it may use {may}")
            names.add(name)
        example = text.format_map(dict.fromkeys(FIELDS, "1"))
        try:
            Version(f"1+{example}" if example else "1")
        except InvalidVersion as error:
            raise ValueError(
                f"{text!r} makes no local version (PEP 440: letters and digits, in parts divided by dots)"
            ) from error
        return cls(text=text, fields=frozenset(names))

    def lacks(self, facts: dict[str, str]) -> tuple[str, ...]:
        """Return the fields that it names and that are not known."""
        return tuple(field for field in FIELDS if field in self.fields - facts.keys())

    def filled(self, facts: dict[str, str]) -> str:
        """Return the local version. A variant that is named and not built leaves nothing, nor an empty part."""
        return ".".join(filter(None, re.split(r"[-_.]", self.text.format_map(facts))))


def facts_of(target: Target, source: Source) -> dict[str, str]:
    """Return by field what a template may say of a target; `variant` is known, and empty, for the usual build."""
    torch = (target.torch or "").partition("+")[0]
    commit = source.commit if isinstance(source, Git) else ""
    facts = {
        "compute": target.compute,
        "cuda": (target.cuda or "").replace(".", ""),
        "torch": minor(torch),
        "torch_full": torch if torch.count(".") == _FULL else "",
        "commit": commit[:_SHORT],
        "hash": (source.sha256 if isinstance(source, Sdist) else commit)[:_SHORT],
    }
    return {field: fact for field, fact in facts.items() if fact} | {"variant": target.variant or ""}
