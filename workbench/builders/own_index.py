"""The site's own index in a build: what this site publishes comes from there, and from nowhere else.

So does what the same run has made (`OF_THIS_RUN`), which stands before what is published.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from workbench.errors import SettingsError
from workbench.files import content_of, scratch, write_whole
from workbench.paths import SIMPLE
from workbench.wheel.filename import parse_wheel

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIndex:
    """An index of wheels that the same run has made: its URL, and the projects (normalised names) that it has."""

    url: str
    projects: frozenset[str]

    def serves(self, requirements: Iterable[str]) -> tuple[str, ...]:
        """Return the projects of some requirements (PEP 508) that it has."""
        return tuple(
            sorted({canonicalize_name(Requirement(each).name) for each in requirements} & self.projects)
        )


OF_THIS_RUN: ContextVar[RunIndex | None] = ContextVar("OF_THIS_RUN", default=None)
"""What this run has made for the build at hand, if anything."""


def _draw_run_index(wheels: Sequence[Path], folder: Path) -> RunIndex | None:
    """Write an index (PEP 503) of some wheels, which stay where they are, into a folder; None for no wheels."""
    pages: dict[str, list[Path]] = {}
    for wheel in wheels:
        pages.setdefault(parse_wheel(wheel.name).name, []).append(wheel)
    for project, files in pages.items():
        links = (f'<a href="{quote(str(each), safe="/")}">{html.escape(each.name)}</a><br>' for each in files)
        write_whole(folder / project / "index.html", "<!DOCTYPE html>\n" + "\n".join(links) + "\n")
    return RunIndex(url=folder.absolute().as_uri() + "/", projects=frozenset(pages)) if pages else None


@contextmanager
def given(wheels: Sequence[Path], state: Path) -> Iterator[None]:
    """Let the builds of a block have some wheels as what this run has made; the index of them lies below `state`."""
    with scratch(state, ".index.") as folder:
        before = OF_THIS_RUN.set(_draw_run_index(wheels, folder))
        try:
            yield
        finally:
            OF_THIS_RUN.reset(before)


def own_index(requirements: Iterable[str], paths: Paths, settings: Settings) -> str | None:
    """Return the URL of the site's own index where it publishes one of some requirements (PEP 508), or None.

    Raises SettingsError where builds cannot see that index.
    """
    made = of_run.projects if (of_run := OF_THIS_RUN.get()) else frozenset()
    named = {canonicalize_name(Requirement(each).name) for each in requirements}
    ours = sorted((named & projects_here(paths)) - made)
    if not ours:
        return None
    if settings.public_url:
        return f"{settings.public_url}/{SIMPLE}"
    if settings.store.s3:
        raise SettingsError(
            f"workbench.yaml: public_url: missing: the build requires {', '.join(ours)}, which this site publishes, "
            "and installs it from there"
        )
    return (paths.root / (settings.store.folder or "") / SIMPLE).absolute().as_uri() + "/"


def joined_index(index: str | None) -> list[str]:
    """Return uv's options that join an index, below that of this run: a name that one has is looked for in no other."""
    of_run = OF_THIS_RUN.get()
    joined = [f"--index={url}" for url in (of_run and of_run.url, index) if url]
    return [*joined, "--index-strategy=first-index"] if joined else []


PublishedHere = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""What the site's registry says of each wheel, by project and filename, as its JSON has it."""


def published_here(paths: Paths) -> PublishedHere:
    """Return what the site publishes. A registry that cannot be read is told of by those who change it."""
    try:
        packages = json.loads(content_of(paths.registry) or b"{}").get("packages", {}).items()
        return {
            name: {wheel["filename"]: wheel for wheel in package.get("wheels", ())}
            for name, package in packages
        }
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError):
        return {}


def projects_here(paths: Paths) -> frozenset[str]:
    """Return the projects of the site's registry."""
    return frozenset(published_here(paths))
