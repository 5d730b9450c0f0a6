"""The people's side: a front page, a page a project, a feed of what was published.

The templates see text and escape all of it: names, descriptions, reasons and URLs come from elsewhere. A
project's page is at the same time a page that pip and uv take as an index page and as ``--find-links``, so
nothing on it may look like a file to install that is not one.
"""

from __future__ import annotations

import heapq
import os
import re
import uuid
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jinja2
from markupsafe import Markup
from packaging.version import InvalidVersion, Version

from workbench.console import file_size
from workbench.index import simple
from workbench.index.channel import channel_of
from workbench.index.install import HERE, Install, direct, lines
from workbench.index.page import ATOM, CSS, SCRIPT, Links, Page
from workbench.index.row import Row, people_folder, people_path
from workbench.index.target import ANY, Target, compute_words, glibc_floor, target_of
from workbench.index.variants import label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from workbench.registry.model import BuildFacts, Package, PublishedWheel, Unavailable
    from workbench.site import Settings

FEED_LENGTH = 50
RELEASES_KEPT = 5
"""How many of a project's releases the state keeps for the feed."""

ASSETS = (("style.css", CSS), ("script.js", SCRIPT))
_HERE = Path(__file__).parent
_ARCHIVE = re.compile(r"\.(whl|egg|zip|tar|t?gz|tgz|bz2|tbz2?|xz|txz|lz|tlz|lzma|zst)$", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


class Fact(NamedTuple):
    """One thing that is known: its name, the text, where a link leads, whether it is code."""

    name: str
    text: str
    href: str | None = None
    code: bool = False


class File(NamedTuple):
    """A wheel on a project's page.

    `anchor` is the one that installers read, `data` those that the page's script chooses by. `shared`
    are the facts that many wheels have in common, drawn.
    """

    id: str
    name: str
    anchor: Markup
    data: Markup
    target: Target
    tags: str
    yanked: str | None
    sha256: str
    shared: Markup
    facts: Sequence[Fact]
    direct: str
    check: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What wheels were built from: facts of source and pin, and the patches on top, with their facts."""

    facts: Sequence[Fact]
    patches: Sequence[Fact]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A version and its wheels; `install` has its lines, unless all of them are yanked."""

    version: str
    date: str
    files: Sequence[File]
    origins: Sequence[Origin]
    install: Install | None


class Cell(NamedTuple):
    """A cell of the matrix: the newest wheel there is (its version and its `id`), or why there is none."""

    version: str = ""
    id: str = ""
    reason: str = ""
    log: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """What there is: a row a Python, a column a platform with its compute and torch."""

    columns: Sequence[Sequence[str]]
    rows: Sequence[tuple[str, Sequence[Cell]]]


class People:
    """Draws the people's pages with the settings of one site."""

    def __init__(self, settings: Settings, public_url: str | None) -> None:
        self._links = Links(2, public_url)
        self._root = (settings.public_url or HERE).rstrip("/")
        self._direct = Links(0, self._root)
        self._shared = {
            "title": settings.index.title,
            # without a public URL, the script puts the address of the page in the place of HERE
            "here": None if settings.public_url else HERE,
            "version": {name: sha256(_asset(name)).hexdigest()[:8] for name, _ in ASSETS},
        }

    def project(self, name: str, text: bytes, offered: Sequence[simple.File]) -> tuple[Page, Row]:
        """Draw a project's page; return with it what other pages tell of the project.

        `text` is the project's text in the registry. Raises RegistryError.
        """
        package = simple.package(name, text)
        anchors = {file["filename"]: file for file in offered}
        wheels = [wheel for wheel in package.wheels if wheel.filename in anchors]
        targets = {wheel.filename: target_of(wheel) for wheel in wheels}
        groups = _by_version(wheels)
        releases = [self._release(name, version, group, targets, anchors) for version, group in groups]
        content = _template("project.html").render(
            self._shared,
            root="../",
            up="../../",
            name=name,
            package=package,
            facts=list(_project_facts(package)),
            releases=releases,
            matrix=_matrix(releases, package.unavailable),
            choices=_choices(targets.values()),
            index=f"{self._root}/index/simple/",
        )
        texts = tuple(sorted({target.text for target in targets.values()}))
        released = [
            (version, max(wheel.upload_time for wheel in group), len(group))
            for version, group in groups[:RELEASES_KEPT]
        ]
        row = Row(
            item="",
            description=package.description,
            wheels=len(wheels),
            targets=";".join(texts),
            updated=max((wheel.upload_time for wheel in wheels), default=""),
            released=released,
        )
        item = _macro("item")(
            name=name,
            href=f"{people_folder(name)}/",
            package=package,
            row=row,
            version=groups[0][0] if groups else "",
            date=row.updated[:10],
            summary=_summary(texts),
        )
        row = row._replace(item=item)
        return Page(path=people_path(name), content=content.encode()), row

    def _release(
        self,
        name: str,
        version: str,
        wheels: Sequence[PublishedWheel],
        targets: Mapping[str, Target],
        anchors: Mapping[str, simple.File],
    ) -> Release:
        channel = channel_of(wheels[0].filename)
        folder = f"{channel.folder}/" if channel else ""
        index = f"{self._root}/index/{folder}simple/"
        newest = max(wheel.upload_time for wheel in wheels)
        good = [wheel.sha256 for wheel in wheels if wheel.yanked is None]
        return Release(
            version=version,
            date=newest[:10],
            files=[
                self._file(name, wheel, targets[wheel.filename], anchors[wheel.filename]) for wheel in wheels
            ],
            origins=_origins(wheels, self._links),
            install=lines(name, version, index, good) if good else None,
        )

    def _file(self, name: str, wheel: PublishedWheel, target: Target, file: simple.File) -> File:
        plain = f"files/{name}/{wheel.filename}"
        identifier = f"w-{wheel.sha256[:12]}"
        common = wheel.build and replace(wheel.build, log=None, sbom=None)
        variant = f" · variant {found}" if (found := label(wheel.filename)) else ""
        published = wheel.upload_time[:16].replace("T", " ")
        return File(
            id=identifier,
            name=wheel.filename,
            anchor=Markup(simple.tell(file, self._links.to(wheel.url, plain=plain))[0]),  # noqa: S704 - built escaped
            data=Markup(f'id="{identifier}" {_data(target)}'),  # noqa: S704 - hex, and drawn escaped
            target=target,
            tags=f"{_tags(target)}{variant} · {file_size(wheel.size)} · {published} UTC",
            yanked=wheel.yanked,
            sha256=wheel.sha256,
            shared=_shared_facts(wheel.requires_python, glibc_floor(wheel), wheel.gpu_architectures, common),
            facts=list(_own_facts(wheel, self._links)),
            direct=direct(name, self._direct.to(wheel.url, plain=plain), wheel.sha256),
            check=f"echo '{wheel.sha256}  {wheel.filename}' | sha256sum --check",
        )

    def roots(self, rows: Mapping[str, Row]) -> Iterator[Page]:
        """Draw the front page, the feed, and what the pages share."""
        known = {targets for row in rows.values() if (targets := row.targets)}
        texts = {text for targets in known for text in targets.split(";")}
        content = _template(
            "front.html"
        ).render(
            self._shared,
            root="",
            up="../",
            projects=len(rows),
            items=Markup("\n".join(row.item for row in rows.values())),  # noqa: S704 - drawn by a template
            wheels=sum(row.wheels for row in rows.values()),
            updated=max((row.updated for row in rows.values()), default="")[:10],
            choices=_choices(map(Target.of, texts)),
            index=f"{self._root}/index/simple/",
        )
        yield Page(path="index.html", content=content.encode())
        yield Page(path="feed.atom", content=self._feed(rows), type=ATOM)
        for name, kind in ASSETS:
            yield Page(path=name, content=_asset(name), type=kind)

    def _feed(self, rows: Mapping[str, Row]) -> bytes:
        newest = heapq.nlargest(
            FEED_LENGTH,
            (
                (time, name, version, count)
                for name, row in rows.items()
                for version, time, count in row.released
            ),
        )
        entries = [
            {
                "id": _urn(f"{name} {version}"),
                "title": f"{name} {version}",
                "updated": time,
                "wheels": count,
                "description": _CONTROL.sub("", rows[name].description),
                "href": f"{people_folder(name)}/",
            }
            for time, name, version, count in newest
        ]
        title = _CONTROL.sub("", str(self._shared["title"]))
        updated = newest[0][0] if newest else "1970-01-01T00:00:00Z"
        base = None if self._root == HERE else f"{self._root}/index/"
        feed = _template("feed.xml").render(
            id=_urn(base or title), title=title, updated=updated, entries=entries, base=base
        )
        return feed.encode()


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=_compiled(),
    )


def _compiled() -> jinja2.BytecodeCache | None:
    """Return where compiled templates are kept: as Python keeps its own, and not where that cannot be written."""
    folder = _HERE / "templates" / "__pycache__"
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    return jinja2.FileSystemBytecodeCache(str(folder)) if os.access(folder, os.W_OK) else None


@cache
def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)


@cache
def _macro(name: str) -> Callable[..., Markup]:
    macro: Callable[..., Markup] = getattr(_template("macros.html").module, name)
    return macro


@cache
def _asset(name: str) -> bytes:
    return (_HERE / "static" / name).read_bytes()


def _urn(text: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, text).urn


def web(url: str | None) -> str | None:
    """Return a URL that a page may link to: of the web, and nothing that an installer would take for a file."""
    if url is None or not re.match(r"https?://[^/]", url) or re.search(r"[\s\x00-\x1f]", url):
        return None
    return None if _ARCHIVE.search(re.split(r"[?#]", url)[0]) else url


def _stored(url: str | None, links: Links) -> str | None:
    """Return a link to a file of the store, or of the web, or None for what must not be linked."""
    if url is None or re.match(r"[\w+.-]+:", url):
        return web(url)
    return None if _ARCHIVE.search(url) else links.to(url)


@lru_cache(maxsize=4096)
def _version(text: str) -> tuple[bool, Version | str]:
    try:
        return True, Version(text)
    except InvalidVersion:
        return False, text


def _by_version(wheels: Iterable[PublishedWheel]) -> list[tuple[str, list[PublishedWheel]]]:
    """Return wheels grouped by version, the newest version first."""
    groups: dict[str, list[PublishedWheel]] = {}
    for wheel in wheels:
        groups.setdefault(wheel.filename.split("-", 2)[1], []).append(wheel)
    return sorted(groups.items(), key=lambda group: _version(group[0]), reverse=True)


def _words(target: Target) -> Iterator[str]:
    """Say for whom a wheel is."""
    yield "any Python" if target.python == ANY else f"Python {target.python}"
    yield "any platform" if target.platform == ANY else target.platform
    if target.compute:
        yield compute_words(target.compute)
    if target.torch:
        yield f"torch {target.torch}"


@lru_cache(maxsize=1024)
def _tags(target: Target) -> str:
    return " · ".join(_words(target))


@lru_cache(maxsize=1024)
def _data(target: Target) -> Markup:
    values = Markup('data-python="{}" data-platform="{}" data-compute="{}" data-torch="{}"')
    return values.format(target.python, target.platform, target.compute, target.torch)


def _project_facts(package: Package) -> Iterator[Fact]:
    if package.license:
        yield Fact("Licence", package.license)
    if package.upstream:
        yield Fact("Upstream", package.upstream, web(package.upstream))
    source = package.source_repo + (f" ({package.source_branch})" if package.source_branch else "")
    yield Fact("Source", source, web(package.source_repo))


@lru_cache(maxsize=1024)
def _shared_facts(
    requires_python: str | None, glibc: str | None, gpus: tuple[str, ...], build: BuildFacts | None
) -> Markup:
    """Draw what many wheels have in common; kept, because a thousand of them have the same."""
    facts = []
    if requires_python:
        facts.append(Fact("Requires Python", requires_python))
    if glibc:
        facts.append(Fact("glibc", f"{glibc} or newer"))
    if gpus:
        facts.append(Fact("GPU code for", ", ".join(gpus)))
    if build and build.torch:
        facts.append(Fact("Built against torch", build.torch))
    if build:
        facts.append(Fact("Builder", build.builder))
    return _macro("facts")(facts)


def _own_facts(wheel: PublishedWheel, links: Links) -> Iterator[Fact]:
    if (build := wheel.build) and build.log:
        yield Fact("Build log", build.log.rpartition("/")[2], _stored(build.log, links))
    if build and build.sbom:
        yield Fact("SBOM", build.sbom.rpartition("/")[2], _stored(build.sbom, links))
    if wheel.provenance:
        yield Fact("Provenance", "attestations", web(wheel.provenance))
    if wheel.build_key:
        yield Fact("Build key", wheel.build_key, code=True)


def _origins(wheels: Iterable[PublishedWheel], links: Links) -> list[Origin]:
    """Return what wheels were built from, each once: most often that is one and the same."""
    builds = {(w.build.source, w.build.pin, w.build.patches): w.build for w in wheels if w.build}
    return [
        Origin(
            facts=[
                Fact("Source", build.source, web(build.source)),
                Fact("Pinned to", build.pin, code=True),
            ],
            patches=[
                Fact(patch.name, patch.description, _stored(patch.url, links)) for patch in build.patches
            ],
        )
        for build in builds.values()
    ]


def _matrix(releases: Iterable[Release], unavailable: Sequence[Unavailable]) -> Matrix | None:
    """Cross the Pythons that there are with the platforms; None where a table would say nothing."""
    newest: dict[Target, Cell] = {}
    for release in releases:
        for file in release.files:
            if file.yanked is None:
                newest.setdefault(file.target, Cell(version=release.version, id=file.id))
    known = {target.python: target for target in newest}
    asked = {
        each.python: Target(each.python, "", "", "")
        for each in unavailable
        if each.python and each.python not in known
    }
    pythons = sorted({**known, **asked}.values(), key=lambda target: target.python_key)
    columns = sorted({(target.platform, target.compute, target.torch) for target in newest})
    if not newest:
        return None

    def cell(python: str, column: tuple[str, str, str]) -> Cell:
        target = Target(python, *column)
        return newest.get(target) or _why_not(target, unavailable)

    return Matrix(
        columns=[list(_words(Target("", *column)))[1:] for column in columns],
        rows=[(target.python, [cell(target.python, column) for column in columns]) for target in pythons],
    )


def _why_not(target: Target, unavailable: Iterable[Unavailable]) -> Cell:
    for each in unavailable:
        asked = (each.python, each.arch, each.compute, each.torch)
        there = (target.python, target.arch, target.compute, target.torch)
        if all(key is None or key == value for key, value in zip(asked, there, strict=True)):
            return Cell(reason=each.reason, log=web(each.log))
    return Cell(reason="not built")


def _choices(targets: Iterable[Target]) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return what can be chosen: a key, its words, and the values with theirs. Nothing where there is no choice."""
    found = set(targets)
    pythons = sorted(found, key=lambda target: target.python_key)
    axes = [
        ("python", "Python", list(dict.fromkeys(t.python for t in pythons if t.python != ANY))),
        ("compute", "Compute", sorted({t.compute for t in found if t.compute})),
        ("torch", "torch", sorted({t.torch for t in found if t.torch}, key=_version)),
        ("platform", "Platform", sorted({t.platform for t in found if t.platform != ANY})),
    ]
    return [
        (key, words, [(value, compute_words(value) if key == "compute" else value) for value in values])
        for key, words, values in axes
        if len(values) > 1
    ]


@lru_cache(maxsize=4096)
def _summary(texts: tuple[str, ...]) -> str:
    """Say in a line what there is for a project."""
    if not texts:
        return "nothing published yet"
    targets = [Target.of(text) for text in texts]
    pythons = [t.python for t in sorted(targets, key=lambda target: target.python_key)]
    first, last = pythons[0], pythons[-1]
    span = f"Python {first}" if first == last else f"Python {first} to {last}"
    words = ["any Python" if last == ANY else span]
    words += sorted({t.platform for t in targets if t.platform != ANY})
    words += [compute_words(c) for c in sorted({t.compute for t in targets} - {"", "cpu"})]
    words += [f"torch {torch}" for torch in sorted({t.torch for t in targets} - {""}, key=_version)]
    return " · ".join(words)
