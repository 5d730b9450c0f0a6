"""``inspect``: what is in anybody's wheels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench import console
from workbench.binary.inspect import Inspection, inspect, library_rows, summary
from workbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


def inspect_wheels(places: Sequence[str]) -> tuple[Inspection, ...]:
    """Look into wheels at paths and URLs. Raises UsageError, SourceError."""
    if not places:
        raise UsageError("name wheels: their paths or their URLs")
    return tuple(inspect(place) for place in places)


def report(found: Sequence[Inspection], *, json: bool) -> None:
    """Print what is in each wheel, and a table of its libraries."""
    if json:
        console.answer_json([each.as_dict() for each in found])
        return
    for each in found:
        console.answer_summary(each.where, summary(each))
        if each.libraries:
            console.answer("")
            console.answer_table(*library_rows(each))
