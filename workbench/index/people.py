"""The people's side: a front page, a page a project, a feed of what was published.

The templates see text and escape all of it: names, descriptions, reasons and URLs come from elsewhere. A
project's page is at the same time a page that pip and uv take as an index page and as ``--find-links``, so
nothing on it may look like a file to install that is not one.
"""

from __future__ import annotations

import heapq
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup, escape
from packaging.version import InvalidVersion, Version

from workbench.console import file_size
from workbench.index import installers
from workbench.index.audience import (
    ANY,
    CPU,
    Audience,
    audience_of,
    bound_words,
    by_number,
    compute_words,
    glibc_floor,
    python_choices,
    python_words,
)
from workbench.index.availability import Listed, availability
from workbench.index.brief import GENERATOR, ProjectBrief, ReleaseBrief, people_folder, people_path
from workbench.index.channel import channel_of, short_version
from workbench.index.facts import Fact, Origin, origins, own_facts, project_facts, shared_facts, stored
from workbench.index.feed import LENGTH, feed
from workbench.index.install import HERE, Install, direct, lines, simple_index
from workbench.index.output import CSS, SCRIPT, Links, Page
from workbench.index.template import asset, macro, template
from workbench.store.layout import FILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from workbench.index.channel import Channel
    from workbench.registry.model import Package, PublishedWheel
    from workbench.settings import Settings

RELEASES_KEPT = 5
"""How many of a project's releases the state keeps for the feed."""

RECENT = 8
"""How many releases the front page names as the last ones."""

ASSETS = (("style.css", CSS), ("script.js", SCRIPT))


class Offer(NamedTuple):
    """A wheel that the index offers: what the registry knows of it, its target, its anchor and its absolute URL."""

    wheel: PublishedWheel
    target: Audience
    anchor: str
    url: str


class WheelView(NamedTuple):
    """A wheel on a project's page; the template unpacks it.

    `data` is what the page's script finds and chooses it by, `anchor` what installers read, `shared` the facts that
    many wheels have in common, drawn.
    """

    id: str
    data: Markup
    anchor: Markup
    words: str
    yanked: str | None
    sha256: str
    shared: Markup
    facts: Sequence[Fact]
    direct: str
    check: str


class ReleaseView(NamedTuple):
    """A version and its wheels; `short` is the version without what `bound` says of its compute and torch in words.

    `published` is when the last of them was. `install` has its lines, unless all of them are yanked.
    """

    version: str
    short: str
    bound: Sequence[str]
    published: str
    files: Sequence[WheelView]
    origins: Sequence[Origin]
    install: Install | None


class Choice(NamedTuple):
    """Something to choose by: the axis, its name, and its values with their words."""

    key: str
    name: str
    values: Sequence[tuple[str, str]]


class People:
    """Draws the people's pages with the settings of one site."""

    def __init__(self, settings: Settings, public_url: str | None) -> None:
        self._links = Links(2, public_url)
        self._root = (settings.public_url or HERE).rstrip("/")
        self._direct = Links(0, self._root)
        self._shared = {
            "title": installers.printable(settings.index.title),
            "generator": GENERATOR,
            # without a public URL, the script puts the address of the page in the place of HERE
            "here": None if settings.public_url else HERE,
            "version": {name: sha256(asset(name)).hexdigest()[:8] for name, _ in ASSETS},
        }

    def project(
        self, name: str, text: bytes, offered: Sequence[installers.FileEntry]
    ) -> tuple[Page, ProjectBrief]:
        """Draw a project's page; return with it what other pages tell of the project.

        `text` is the project's text in the registry. Raises RegistryError.
        """
        package = installers.package(name, text)
        groups = _by_version(self._offers(name, package, offered))
        # versions and not texts: 1.0+cu130 is a local version of 1.0.0 too
        with_local = {_version(version.partition("+")[0]) for version, _ in groups if "+" in version}
        releases = [
            self._release(name, version, group, alone=_version(version) not in with_local)
            for version, group in groups
        ]
        newest = next((release for release in releases if release.install), None)
        targets = {offer.target for _, group in groups for offer in group}
        listed = [
            Listed(offer.target, release.short, file.id, offer.wheel.yanked is not None)
            for release, (_, group) in zip(releases, groups, strict=True)
            for file, offer in zip(release.files, group, strict=True)
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
            choices=_choices(targets),
        )
        row = _row(name, package, groups, newest)
        return Page(path=people_path(name), content=content.encode()), row

    def _offers(
        self, name: str, package: Package, offered: Sequence[installers.FileEntry]
    ) -> Iterator[Offer]:
        folder = f"{FILES}{name}/"
        told = map(installers.tell, offered, self._links.to_files(folder, offered))
        urls = self._direct.to_files(folder, offered)
        wheels = {wheel.filename: wheel for wheel in package.wheels}
        for file, (anchor, _), url in zip(offered, told, urls, strict=True):
            wheel = wheels[file["filename"]]
            yield Offer(wheel, audience_of(wheel), anchor, url)

    def _release(self, name: str, version: str, offers: Sequence[Offer], *, alone: bool) -> ReleaseView:
        first = offers[0].wheel
        variant = first.build.variant if first.build else None
        bound = {offer.target[2:] for offer in offers}
        alike = len(bound) == 1  # then the release says it, and no wheel again
        told = [Audience(*offer.target[:2]) if alike else offer.target for offer in offers]
        hashes = [offer.wheel.sha256 for offer in offers if offer.wheel.yanked is None]
        channel = channel_of(first.filename, variant)
        return ReleaseView(
            version=version,
            short=short_version(version, variant),
            bound=bound_words(*bound.pop()) if alike else [],
            published=max(offer.wheel.upload_time for offer in offers),
            files=[self._file(name, *pair) for pair in zip(offers, told, strict=True)],
            origins=origins([offer.wheel for offer in offers], told, self._links),
            install=lines(name, _normal(version), self._root, channel, hashes, alone=alone)
            if hashes
            else None,
        )

    def _file(self, name: str, offer: Offer, told: Audience) -> WheelView:
        wheel, target, anchor, url = offer
        filename, digest, build = wheel.filename, wheel.sha256, wheel.build
        published = wheel.upload_time[:16].replace("T", " ")
        identifier = filename.removesuffix(".whl")  # with it, a link to it would look like one to a file
        return WheelView(
            id=identifier,
            data=Markup(f'id="{identifier}" data-t="{_text(target)}"'),  # noqa: S704 - built escaped
            anchor=Markup(anchor),  # noqa: S704 - and this
            words=f"{_words(told)} · {file_size(wheel.size)} · {published} UTC",
            yanked=wheel.yanked,
            sha256=digest,
            shared=_shared(
                wheel.requires_python,
                glibc_floor(wheel),
                wheel.gpu_architectures,
                build and build.torch,
                build and build.builder,
            ),
            facts=list(own_facts(wheel, self._links)),
            direct=direct(name, url, digest),
            check=f"echo '{digest}  {filename}' | sha256sum --check",
        )

    def roots(self, rows: Mapping[str, ProjectBrief], channels: Iterable[Channel]) -> Iterator[Page]:
        """Draw the front page, the feed, and what the pages share."""
        newest = heapq.nlargest(
            LENGTH, ((each[0], name, each) for name, row in rows.items() for each in row.released)
        )
        released = [(name, ReleaseBrief(*each)) for _, name, each in newest]
        known = {targets for row in rows.values() if (targets := row.targets)}
        texts = {text for targets in known for text in targets.split(";")}
        recent = [
            (people_folder(name), name, short_version(each.version), each.time[:10])
            for name, each in released
        ]
        content = template(
            "front.html"
        ).render(
            self._shared,
            root="",
            up="../",
            projects=len(rows),
            items=Markup("\n".join(row.item for row in rows.values())),  # noqa: S704 - drawn by a template
            wheels=sum(row.wheels for row in rows.values()),
            recent=list(dict.fromkeys(recent))[:RECENT],  # of the channels of a version one will do
            choices=_choices(map(Audience.of, texts)),
            index=simple_index(self._root, None),
            channels=[
                (" · ".join(bound_words(*channel)), simple_index(self._root, channel))
                for channel in sorted(channels, key=lambda channel: tuple(map(by_number, channel)))
            ],
        )
        yield Page(path="index.html", content=content.encode())
        base = None if self._root == HERE else f"{self._root}/index/"
        yield feed(released, rows, title=str(self._shared["title"]), base=base)
        for name, kind in ASSETS:
            yield Page(path=name, content=asset(name), type=kind)


def _row(
    name: str, package: Package, groups: Sequence[tuple[str, Sequence[Offer]]], newest: ReleaseView | None
) -> ProjectBrief:
    good = {offer.target for _, group in groups for offer in group if offer.wheel.yanked is None}
    released = [
        ReleaseBrief(
            time=max(offer.wheel.upload_time for offer in group),
            version=version,
            wheels=len(group),
            summary=_summary(frozenset(offer.target for offer in group)),
        )
        for version, group in groups
    ]
    row = ProjectBrief(
        item="",
        description=package.description,
        wheels=sum(each.wheels for each in released),
        targets=";".join(sorted(target.text for target in good)),
        released=heapq.nlargest(RELEASES_KEPT, released),
    )
    item = macro("item")(
        name=name,
        href=f"{people_folder(name)}/",
        package=package,
        row=row,
        version=newest.short if newest else "",
        date=row.released[0].time[:10] if released else "",
        summary=_summary(frozenset(good)) or ("all of it is yanked" if released else "nothing is published"),
    )
    return row._replace(item=item)


_Order = tuple[bool, Version | str]
"""What versions are sorted by; those that are none come last."""


@lru_cache(maxsize=4096)
def _version(text: str) -> _Order:
    try:
        return True, Version(text)
    except InvalidVersion:
        return False, text


@lru_cache(maxsize=4096)
def _normal(version: str) -> str:
    """Return a version as installers write it, for ``===`` compares texts."""
    return str(_version(version)[1])


def _by_version(offers: Iterable[Offer]) -> list[tuple[str, list[Offer]]]:
    """Return wheels grouped by version, the newest first, and of one version the usual build before its variants."""
    groups: dict[str, list[Offer]] = {}
    for offer in offers:
        groups.setdefault(offer.wheel.filename.split("-", 2)[1], []).append(offer)

    def age(group: tuple[str, list[Offer]]) -> tuple[_Order, bool, _Order]:
        version, (first, *_) = group
        return (_version(version.partition("+")[0]), not first.target.variant, _version(version))

    return sorted(groups.items(), key=age, reverse=True)


@lru_cache(maxsize=1024)
def _text(target: Audience) -> Markup:
    return escape(target.text)


@lru_cache(maxsize=1024)
def _words(target: Audience) -> str:
    return " · ".join([*python_words([target.python]), *target.place])


@lru_cache(maxsize=1024)
def _shared(
    requires_python: str | None,
    glibc: str | None,
    gpus: tuple[str, ...],
    torch: str | None,
    builder: str | None,
) -> Markup:
    """Draw what many wheels have in common; kept, because a thousand of them have the same."""
    facts = shared_facts(requires_python, glibc, gpus, torch, builder)
    return macro("facts")(list(facts))


def _choices(targets: Iterable[Audience]) -> list[Choice]:
    """Return what can be chosen, where there is a choice."""
    found = set(targets)
    values = {
        "python": python_choices(t.python for t in found),
        "compute": sorted({t.compute for t in found if t.compute}, key=by_number),
        "torch": sorted({t.torch for t in found if t.torch}, key=by_number),
        "platform": sorted({t.platform for t in found if t.platform != ANY}),
    }
    names = {"python": "Python", "compute": "Compute", "torch": "torch", "platform": "Platform"}
    return [
        Choice(
            key, names[key], [(value, compute_words(value) if key == "compute" else value) for value in each]
        )
        for key, each in values.items()
        if len(each) > 1
    ]


@lru_cache(maxsize=4096)
def _summary(targets: frozenset[Audience]) -> str:
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
