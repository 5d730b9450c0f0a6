"""The drawing: from a registry to the pages that changed. Pure: nothing here reads or writes a file.

The state, the last page of a drawing (``.drawn.json``), knows what was drawn: a drawing that was cut short has no new
state, and the next one draws the same pages again. A project whose text in the registry has not changed costs a hash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import orjson

from workbench.index import installers
from workbench.index.brief import SHARED, ProjectBrief, is_people_page, people_path
from workbench.index.channel import FOLDERS, Channel, channel_of
from workbench.index.output import DATA, Gone, Links, Page
from workbench.registry.file import projects
from workbench.simple import JSON

if TYPE_CHECKING:
    from workbench.index.people import People
    from workbench.settings import Settings

STATE = ".drawn.json"
_ROOTS = {"simple": "index.html", "simple-json": "index.json"}


class Known(NamedTuple):
    """What the state keeps of a project: its text's hash, and what the pages that list it need.

    `listed` says whether installers see it: an empty page would hide a project of the same name in another index.
    """

    digest: str
    listed: bool
    channels: tuple[Channel, ...]
    row: ProjectBrief | None


@dataclass(frozen=True, slots=True)
class State:
    """What was drawn, and by which program with which settings (as a hash)."""

    drawn_by: str
    projects: dict[str, Known]

    @classmethod
    def read(cls, content: bytes) -> State:
        """Return the state that was written. Raises ValueError and its like for what is none."""
        data = orjson.loads(content)
        projects = {
            name: Known(
                digest, listed, tuple(Channel(*each) for each in channels), row and ProjectBrief(*row)
            )
            for name, (digest, listed, channels, row) in data["projects"].items()
        }
        return cls(data["drawn_by"], projects)

    def write(self) -> bytes:
        """Return the state as JSON, the same for the same state."""
        return orjson.dumps(self, default=tuple, option=orjson.OPT_SORT_KEYS)


def read_state(content: bytes | None, settings: Settings) -> State | None:
    """Return the state that a drawing left; None where this program cannot go on from it."""
    if content is None:
        return None
    try:
        state = State.read(content)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return state if state.drawn_by == _drawn_by(settings) else None


def draw(
    registry: BinaryIO, settings: Settings, state: State | None = None, *, where: str = "packages.json"
) -> Iterator[Page | Gone]:
    """Yield the pages that differ from those that `state` knows, what is gone since, and the new state.

    Without a state that is every page, and whoever stores them removes the older ones that `is_drawn` tells. Nothing is
    yielded when nothing changed. `registry` is a registry document, which `where` names in errors. Projects come first
    and what is gone last, so that no link leads to a missing page.

    Raises RegistryError and IndexFault.
    """
    before = state.projects if state else {}
    now: dict[str, Known] = {}
    artist = _Artist(settings)
    for name, text in projects(registry, where=where):
        digest = hashlib.sha256(text).hexdigest()
        known = before.get(name)
        if known is None or known.digest != digest:
            try:
                known = yield from artist.project(name, text, digest)
            except (ValueError, KeyError, TypeError, AttributeError):
                installers.package(name, text)  # says what is wrong, by its key; where nothing is, we are
                raise
        now[name] = known
    if state and now == before:
        return
    yield from artist.roots(now)
    yield from (Gone(path=path) for path in _gone(before, now))
    yield Page(path=STATE, content=State(_drawn_by(settings), now).write(), type=DATA)


def is_drawn(path: str, read: Callable[[], bytes | None]) -> bool:
    """Say whether a file in the index's folder is a page of ours: its path tells, or for a page for people its text."""
    if path in SHARED or _LISTING.fullmatch(path):
        return True
    if (people := _PEOPLE.fullmatch(path)) is None:
        return False
    content = read()
    return content is not None and is_people_page(people[1], content)


_LISTING = re.compile(rf"(?:{FOLDERS}/)?simple(?:-json)?/(?:.+/)?(?:index\.html|index\.json)")
_PEOPLE = re.compile(r"([a-z0-9-]+_?)/index\.html")


class _Artist:
    """Draws pages with the settings of one site."""

    def __init__(self, settings: Settings) -> None:
        public_url = settings.public_url if settings.index.urls == "absolute" else None
        # a page index/simple/<name>/ lies three folders below the store's root
        self._links = [Links(depth, public_url) for depth in (3, 4, 5)]
        self._settings = settings
        self._public_url = public_url

    @cached_property
    def _people(self) -> People | None:
        """Who draws the pages for people, if they are wanted."""
        if not self._settings.index.people:
            return None
        from workbench.index.people import People  # Jinja costs more than drawing a project

        return People(self._settings, self._public_url)

    def project(self, name: str, text: bytes, digest: str) -> Generator[Page, None, Known]:
        """Draw the pages of a project; return what is known of it. A text of another shape raises any error."""
        project = installers.read(name, text)
        by_channel = _by_channel(project)
        if project.listed:
            yield from self._listing("", self._links[0], name, project, project.files)
            for channel, files in by_channel.items():
                links = self._links[channel.depth]
                yield from self._listing(f"{channel.folder}/", links, name, project, files)
        row = None
        if people := self._people:
            page, row = people.project(name, text, project)
            yield page
        return Known(digest, project.listed, tuple(sorted(by_channel)), row)

    @staticmethod
    def _listing(
        root: str, links: Links, name: str, project: installers.Project, files: Sequence[installers.FileEntry]
    ) -> Iterator[Page]:
        html, json = installers.project_pages(name, project, files, links)
        yield Page(path=f"{root}simple/{name}/index.html", content=html)
        yield Page(path=f"{root}simple-json/{name}/index.json", content=json, type=JSON)

    def roots(self, projects: dict[str, Known]) -> Iterator[Page]:
        for root, names in _roots(projects).items():
            yield Page(f"{root}simple/index.html", installers.projects_html(names))
            yield Page(f"{root}simple-json/index.json", installers.projects_json(names), JSON)
        if self._people:
            yield from self._people.roots(
                {name: row for name in sorted(projects) if (row := projects[name].row)},
                {channel for known in projects.values() for channel in known.channels},
            )


def _by_channel(project: installers.Project) -> dict[Channel, list[installers.FileEntry]]:
    """Return the offered files that are bound to a channel, by channel."""
    found: dict[Channel, list[installers.FileEntry]] = {}
    for file in [file for file in project.files if "+" in file["filename"]]:
        build = file.get("build") or {}
        if channel := channel_of(file["filename"], build.get("variant")):
            found.setdefault(channel, []).append(file)
    return found


def _roots(projects: dict[str, Known]) -> dict[str, list[str]]:
    """Return the names of the projects by the folder of the root that lists them."""
    roots: dict[str, list[str]] = {"": sorted(name for name, known in projects.items() if known.listed)}
    for name in roots[""]:
        for channel in projects[name].channels:
            roots.setdefault(f"{channel.folder}/", []).append(name)
    return roots


def _gone(before: dict[str, Known], now: dict[str, Known]) -> list[str]:
    """Return the paths that were drawn and are not any more."""
    changed = [name for name, known in before.items() if now.get(name) is not known]
    old = {path for name in changed for path in _pages(name, before[name])}
    new = {path for name in changed if name in now for path in _pages(name, now[name])}
    left = _roots(before).keys() - _roots(now).keys()
    return sorted((old - new) | {f"{root}{kind}/{page}" for root in left for kind, page in _ROOTS.items()})


def _pages(name: str, known: Known) -> Iterator[str]:
    """Yield the paths of a project's pages."""
    roots = ["", *(f"{channel.folder}/" for channel in known.channels)]
    for root in roots if known.listed else []:
        yield from (f"{root}{kind}/{name}/{page}" for kind, page in _ROOTS.items())
    if known.row:
        yield people_path(name)


def _drawn_by(settings: Settings) -> str:
    return hashlib.sha256(f"{_program()} {settings.public_url} {settings.index}".encode()).hexdigest()


@cache
def _program() -> str:
    """Return a hash of what decides how pages look: the files of this folder."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.suffix in (".py", ".html", ".css", ".js", ".xml"):
            digest.update(path.read_bytes())
    return digest.hexdigest()
