"""The feed (Atom, RFC 4287) of what was published last."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from workbench.index.brief import people_folder
from workbench.index.output import ATOM, Page
from workbench.index.template import template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workbench.index.brief import ProjectBrief, ReleaseBrief

LENGTH = 50
"""How many entries the feed has."""


def feed(
    newest: Iterable[tuple[str, ReleaseBrief]],
    rows: Mapping[str, ProjectBrief],
    *,
    title: str,
    base: str | None,
) -> Page:
    """Draw the feed of these versions, each after its project's name; `base` is the index's URL, where it is known.

    What is published under two URLs are two feeds, and so are their entries: no reader takes one for the other.
    """
    site = base or title
    entries = [
        {
            "id": _urn(f"{site} {name} {released.version}"),
            "title": f"{name} {released.version}",
            "updated": released.time,
            "wheels": released.wheels,
            "summary": released.summary,
            "description": rows[name].description,
            "href": f"{people_folder(name)}/",
        }
        for name, released in newest
    ]
    content = template("feed.xml").render(
        id=_urn(site),
        title=title,
        updated=entries[0]["updated"] if entries else "1970-01-01T00:00:00Z",
        entries=entries,
        base=base,
    )
    return Page(path="feed.atom", content=content.encode(), type=ATOM)


def _urn(text: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, text).urn
