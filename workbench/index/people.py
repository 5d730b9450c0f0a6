"""The people's side: a front page, a page a project, a feed of what was published.

The templates see text and escape all of it: names, descriptions, reasons and URLs come from elsewhere. A
project's page is at the same time a page that pip and uv take as an index page and as ``--find-links``, so
nothing on it may look like a file to install that is not one.
"""

from __future__ import annotations

import heapq
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from workbench.index import installers
from workbench.index.availability import ListedWheel, availability
from workbench.index.brief import GENERATOR, ProjectBrief, ReleaseBrief, people_folder, people_path
from workbench.index.channel import short_version
from workbench.index.facts import project_facts, stored
from workbench.index.install import HERE, simple_index
from workbench.index.output import ATOM, CSS, SCRIPT, Links, Page
from workbench.index.page_target import (
    ANY,
    CPU,
    PageTarget,
    bound_words,
    by_number,
    compute_words,
    python_choices,
    python_words,
)
from workbench.index.releases import Releases
from workbench.index.template import asset, macro, template

if TYPE_CHECKING:
    from workbench.index.channel import Channel
    from workbench.index.releases import Offer, ReleaseView
    from workbench.registry.model import Package
    from workbench.settings import Settings

_FEED_LENGTH = 50
"""How many entries the feed has."""

_RELEASES_KEPT = 5
"""How many of a project's releases the state keeps for the feed."""

_RECENT = 8
"""How many releases the front page names as the last ones."""

_ASSETS = (("style.css", CSS), ("script.js", SCRIPT))


class Choice(NamedTuple):
    """Something to choose by: the axis, its name, and its values with their words."""

    key: str
    name: str
    values: Sequence[tuple[str, str]]


class People:
    """Draws the people's pages with the settings of one site."""

    def __init__(self, settings: Settings, public_url: str | None) -> None:
        self._links = Links(2, public_url)
        self._root = settings.public_url or HERE
        self._releases = Releases(self._links, self._root)
        self._shared = {
            "title": installers.printable(settings.index.title),
            "generator": GENERATOR,
            # without a public URL, the script replaces HERE with the address of the page
            "here": None if settings.public_url else HERE,
            "version": {name: sha256(asset(name)).hexdigest()[:8] for name, _ in _ASSETS},
        }

    def project(self, name: str, text: bytes, project: installers.Project) -> tuple[Page, ProjectBrief]:
        """Draw a project's page from its `text` in the registry; return with it what other pages tell of the project.

        Raises RegistryError.
        """
        package = installers.package(name, text, project.entry)
        found = self._releases.of(name, package, project.files)
        releases = [release for release, _ in found]
        newest = next((release for release in releases if release.install), None)
        listed = [
            ListedWheel(offer.target, release.short, file.id, offer.wheel.yanked is not None)
            for release, offers in found
            for file, offer in zip(release.files, offers, strict=True)
        ]
        content = template("project.html").render(
            self._shared,
            root="../",
            up="../../",
            name=name,
            package=package,
            facts=list(project_facts(package)),
            newest=newest,
            releases=releases,
            opened=(newest or releases[0]).version if releases else None,
            matrix=availability(listed, package.unavailable, lambda url: stored(url, self._links)),
            choices=_choices(each.target for each in listed),
        )
        row = _brief(name, package, found, newest)
        return Page(path=people_path(name), content=content.encode()), row

    def roots(self, rows: Mapping[str, ProjectBrief], channels: Iterable[Channel]) -> Iterator[Page]:
        """Draw the front page, the feed, and what the pages share."""
        dated = ((each[0], name, each) for name, row in rows.items() for each in row.released)
        newest = heapq.nlargest(_FEED_LENGTH, dated)
        released = [(name, ReleaseBrief(*each)) for _, name, each in newest]
        known = {targets for row in rows.values() if (targets := row.targets)}
        texts = {text for targets in known for text in targets.split(";")}
        recent = [
            (people_folder(name), name, short_version(each.version), each.time[:10])
            for name, each in released
        ]
        items = Markup("\n".join(row.item for row in rows.values()))  # noqa: S704 - drawn by a template
        content = template("front.html").render(
            self._shared,
            root="",
            up="../",
            projects=len(rows),
            items=items,
            wheels=sum(row.wheels for row in rows.values()),
            recent=list(dict.fromkeys(recent))[:_RECENT],  # of the channels of a version one will do
            choices=_choices(map(PageTarget.of, texts)),
            index=simple_index(self._root, None),
            channels=[
                (" · ".join(bound_words(*channel)), simple_index(self._root, channel))
                for channel in sorted(channels, key=lambda channel: tuple(map(by_number, channel)))
            ],
        )
        yield Page(path="index.html", content=content.encode())
        base = None if self._root == HERE else f"{self._root}/index/"
        yield _feed(released, rows, title=str(self._shared["title"]), base=base)
        for name, kind in _ASSETS:
            yield Page(path=name, content=asset(name), type=kind)


def _feed(
    newest: Iterable[tuple[str, ReleaseBrief]],
    rows: Mapping[str, ProjectBrief],
    *,
    title: str,
    base: str | None,
) -> Page:
    """Draw the feed (Atom, RFC 4287) of these versions, each after its project's name; `base` is the index's URL.

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
    updated = entries[0]["updated"] if entries else "1970-01-01T00:00:00Z"
    content = template("feed.xml").render(
        id=_urn(site), title=title, updated=updated, entries=entries, base=base
    )
    return Page(path="feed.atom", content=content.encode(), type=ATOM)


def _urn(text: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, text).urn


def _brief(
    name: str, package: Package, found: Sequence[tuple[ReleaseView, list[Offer]]], newest: ReleaseView | None
) -> ProjectBrief:
    good = {offer.target for _, offers in found for offer in offers if offer.wheel.yanked is None}
    released = []
    for release, offers in found:
        summary = _summary(frozenset(offer.target for offer in offers))
        released.append(ReleaseBrief(release.published, release.version, len(offers), summary))
    row = ProjectBrief(
        item="",
        description=package.description,
        wheels=sum(each.wheels for each in released),
        targets=";".join(sorted(target.text for target in good)),
        released=heapq.nlargest(_RELEASES_KEPT, released),
    )
    item = macro("item")(
        name=name,
        href=f"{people_folder(name)}/",
        package=package,
        row=row,
        version=newest.short if newest else "",
        date=row.released[0].time[:10] if released else "",
        summary=_summary(frozenset(good))
        or ("every wheel is yanked" if released else "nothing is published"),
    )
    return row._replace(item=item)


def _choices(targets: Iterable[PageTarget]) -> list[Choice]:
    """Return what can be chosen, where there is a choice."""
    found = set(targets)
    computes = sorted({t.compute for t in found if t.compute}, key=by_number)
    torches = sorted({t.torch for t in found if t.torch}, key=by_number)
    platforms = sorted({t.platform for t in found if t.platform != ANY})
    choices = (
        Choice("python", "Python", [(each, each) for each in python_choices(t.python for t in found)]),
        Choice("compute", "Compute", [(each, compute_words(each)) for each in computes]),
        Choice("torch", "torch", [(each, each) for each in torches]),
        Choice("platform", "Platform", [(each, each) for each in platforms]),
    )
    return [choice for choice in choices if len(choice.values) > 1]


@lru_cache(maxsize=4096)
def _summary(targets: frozenset[PageTarget]) -> str:
    """Say in a line for whom there is something: ``Python 3.12 · Linux aarch64, x86_64 · CUDA 12.6, 13.0``."""
    words = sorted({target.platform for target in targets} - {ANY})
    words += [compute_words(each) for each in sorted({t.compute for t in targets} - {"", CPU}, key=by_number)]
    words += [f"torch {each}" for each in sorted({t.torch for t in targets} - {""}, key=by_number)]
    groups: dict[str, list[str]] = {}
    for word in words:
        kind, _, which = word.partition(" ")
        groups.setdefault(kind, []).append(which)
    pythons = python_words(target.python for target in targets)
    return " · ".join([*pythons, *(f"{kind} {', '.join(group)}".strip() for kind, group in groups.items())])
