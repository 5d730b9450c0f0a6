"""The releases of a project as its page shows them: each version with its wheels and the lines that install it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup, escape
from packaging.version import InvalidVersion, Version

from workbench.index import installers
from workbench.index.channel import channel_of, short_version
from workbench.index.facts import Fact, Origin, origins, own_facts
from workbench.index.install import Install, direct, lines
from workbench.index.output import Links
from workbench.index.page_target import PageTarget, bound_words, glibc_floor, python_words, target_of
from workbench.index.template import macro
from workbench.store.layout import FILES
from workbench.text import file_size

if TYPE_CHECKING:
    from workbench.registry.model import Package, PublishedWheel


class Offer(NamedTuple):
    """A wheel that the index offers: what the registry knows of it, its target, its anchor and its absolute URL."""

    wheel: PublishedWheel
    target: PageTarget
    anchor: str
    url: str


class WheelView(NamedTuple):
    """A wheel on a project's page; the template unpacks it, and takes `data`, `anchor` and `sha256` for markup.

    `data` is what the page's script finds and chooses it by, `anchor` what installers read, `shared` the facts that
    many wheels have in common, drawn.
    """

    id: str
    data: str
    anchor: str
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


class Releases:
    """Makes the releases of projects, with links as `links` has them, below the store's root at the URL `root`."""

    def __init__(self, links: Links, root: str) -> None:
        self._links = links
        self._root = root
        self._direct = Links(0, root)

    def of(
        self, name: str, package: Package, offered: Sequence[installers.FileEntry]
    ) -> list[tuple[ReleaseView, list[Offer]]]:
        """Return a project's releases, the newest first, each with what it offers."""
        groups = _by_version(self._offers(name, package, offered))
        # versions and not texts: 1.0+cu130 is a local version of 1.0.0 too
        with_local = {_version(version.partition("+")[0]) for version, _ in groups if "+" in version}
        return [
            (self._release(name, version, group, alone=_version(version) not in with_local), group)
            for version, group in groups
        ]

    def _offers(
        self, name: str, package: Package, offered: Sequence[installers.FileEntry]
    ) -> Iterator[Offer]:
        folder = f"{FILES}{name}/"
        anchors, _ = installers.tell(offered, self._links.to_files(folder, offered))
        urls = self._direct.to_files(folder, offered)
        wheels = {wheel.filename: wheel for wheel in package.wheels}
        for file, anchor, url in zip(offered, anchors, urls, strict=True):
            wheel = wheels[file["filename"]]
            yield Offer(wheel, target_of(wheel), anchor, url)

    def _release(self, name: str, version: str, offers: Sequence[Offer], *, alone: bool) -> ReleaseView:
        first = offers[0].wheel
        variant = first.build.variant if first.build else None
        bound = {offer.target[2:] for offer in offers}
        alike = len(bound) == 1  # then the release says it, and no wheel again
        told = [PageTarget(*offer.target[:2]) if alike else offer.target for offer in offers]
        hashes = [offer.wheel.sha256 for offer in offers if offer.wheel.yanked is None]
        channel = channel_of(first.filename, variant)
        install = lines(name, _normal(version), self._root, channel, hashes, alone=alone) if hashes else None
        return ReleaseView(
            version=version,
            short=short_version(version, variant),
            bound=bound_words(*bound.pop()) if alike else [],
            published=max(offer.wheel.upload_time for offer in offers),
            files=[self._file(name, *pair) for pair in zip(offers, told, strict=True)],
            origins=origins([offer.wheel for offer in offers], told, self._links),
            install=install,
        )

    def _file(self, name: str, offer: Offer, told: PageTarget) -> WheelView:
        wheel, target, anchor, url = offer
        filename, digest, build = wheel.filename, wheel.sha256, wheel.build
        published = wheel.upload_time[:16].replace("T", " ")
        identifier = filename.removesuffix(".whl")  # with it, a link to it would look like one to a file
        return WheelView(
            id=identifier,
            data=f'id="{identifier}" data-t="{_text(target)}"',
            anchor=anchor,
            words=f"{_words(told)} · {file_size(wheel.size)} · {published} UTC",
            yanked=wheel.yanked,
            sha256=digest,
            shared=_shared(
                wheel.requires_python,
                glibc_floor(wheel),
                wheel.gpu_architectures,
                build and build.torch,
                build and (build.builder, build.isolation),
            ),
            facts=list(own_facts(wheel, self._links)),
            direct=direct(name, url, digest),
            check=f"echo '{digest}  {filename}' | sha256sum --check",
        )


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
def _text(target: PageTarget) -> Markup:
    return escape(target.text)


@lru_cache(maxsize=1024)
def _words(target: PageTarget) -> str:
    return " · ".join([*python_words([target.python]), *target.place])


@lru_cache(maxsize=1024)
def _shared(
    requires_python: str | None,
    glibc: str | None,
    gpus: tuple[str, ...],
    torch: str | None,
    how: tuple[str, str | None] | None,
) -> Markup:
    """Draw what many wheels have in common; kept, because a thousand of them have the same."""
    known = {
        "Requires Python": requires_python,
        "glibc": glibc and f"{glibc} or newer",
        "GPU code for": ", ".join(gpus),
        "Built against torch": torch,
        "Builder": how and how[0],
        "Isolation": how and how[1],
    }
    return macro("facts")([Fact(name, text) for name, text in known.items() if text])
