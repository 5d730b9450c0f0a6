"""``inspect``: what is in anybody's wheels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench import console
from workbench.errors import UsageError, WorkbenchError
from workbench.wheel.inspect import Inspection, inspect, library_rows, summary

if TYPE_CHECKING:
    from collections.abc import Sequence


def inspect_wheels(places: Sequence[str]) -> tuple[tuple[Inspection, ...], tuple[WorkbenchError, ...]]:
    """Look into wheels at paths and URLs; return what was found, and what stood in the way of the others.

    Raises UsageError without any.
    """
    if not places:
        raise UsageError("name wheels: their paths or their URLs")
    found, troubles = [], []
    for place in places:
        try:
            found.append(inspect(place))
        except WorkbenchError as error:
            troubles.append(error)
    return tuple(found), tuple(troubles)


def report(found: Sequence[Inspection], troubles: Sequence[WorkbenchError], *, json: bool) -> None:
    """Print what is in each wheel, and a table of its libraries. Raises where one could not be looked into."""
    if json and found:
        console.answer_json([each.as_dict() for each in found])
    for each in found if not json else ():
        console.answer_summary(each.where, summary(each))
        if each.libraries:
            console.answer("")
            console.answer_table(*library_rows(each))
    if troubles:
        raise type(troubles[0])("\n".join(map(str, troubles)))
