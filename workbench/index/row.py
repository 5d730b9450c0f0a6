"""What the front page and the feed tell of a project: kept in the state, to be drawn from it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Row(NamedTuple):
    """What the front page and the feed tell of a project.

    `item` is its entry on the front page, drawn: of 5,000 projects one is new, the others are kept. `wheels` counts
    them, `targets` are their texts of `Target`, joined by ``;``, `updated` is when the last of them was published,
    and `released` has its newest versions: each with the time of its last wheel, and how many wheels it has.
    """

    item: str
    description: str
    wheels: int
    targets: str
    updated: str
    released: Sequence[tuple[str, str, int]]


def people_path(name: str) -> str:
    """Return where a project's page for people lies."""
    return f"{people_folder(name)}/index.html"


def people_folder(name: str) -> str:
    """Return the folder of a project's page: its name, unless installers have that; ``_`` is in no name."""
    return f"{name}_" if name in ("simple", "simple-json") else name
