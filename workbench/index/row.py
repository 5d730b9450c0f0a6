"""What the front page and the feed tell of a project: kept in the state, to be drawn from it alone."""

from __future__ import annotations

from typing import NamedTuple


class Released(NamedTuple):
    """A version of a project, when the last of its wheels was published, and how many they are."""

    version: str
    time: str
    wheels: int


class Row(NamedTuple):
    """What the front page and the feed tell of a project.

    `item` is its entry on the front page, drawn: of 5,000 projects one is new, the others are kept. `targets` are
    texts of `Target`, in order.
    """

    item: str
    description: str
    wheels: int
    targets: tuple[str, ...]
    released: tuple[Released, ...]

    @property
    def updated(self) -> str:
        """When the last wheel was published."""
        return max((release.time for release in self.released), default="")


def people_path(name: str) -> str:
    """Return where a project's page for people lies."""
    return f"{people_folder(name)}/index.html"


def people_folder(name: str) -> str:
    """Return the folder of a project's page: its name, unless installers have that; ``_`` is in no name."""
    return f"{name}_" if name in ("simple", "simple-json") else name
