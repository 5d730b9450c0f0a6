"""What the front page and the feed tell of a project: kept in the state, to be drawn from it alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

SHARED = ("index.html", "feed.atom", "style.css", "script.js")
"""What lies beside the projects' folders, if there are pages for people."""


GENERATOR = "wheel-workbench"
"""What pages for people say that they were made by (``<meta name="generator">``)."""


class ReleaseBrief(NamedTuple):
    """A version of a project: when the last of its wheels was published, how many it has, and for whom, in words."""

    time: str
    version: str
    wheels: int
    summary: str


class ProjectBrief(NamedTuple):
    """What the front page and the feed tell of a project.

    `item` is its entry on the front page, drawn, `wheels` how many it has, `targets` the texts of their targets joined
    by ``;``, and `released` the versions published last, the newest first.
    """

    item: str
    description: str
    wheels: int
    targets: str
    released: Sequence[ReleaseBrief]


def people_path(name: str) -> str:
    """Return where a project's page for people lies."""
    return f"{people_folder(name)}/index.html"


def people_folder(name: str) -> str:
    """Return the folder of a project's page: its name, unless installers have that; ``_`` is in no name."""
    return f"{name}_" if name in ("simple", "simple-json") else name


def is_people_page(folder: str, content: bytes) -> bool:
    """Say whether a page in the folder of this name is a project's page for people."""
    # no front page has this title, not of another index either
    title = f"<title>{folder.removesuffix('_')} · ".encode()
    return f'<meta name="generator" content="{GENERATOR}">'.encode() in content and title in content
