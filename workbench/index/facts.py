"""What a page tells of a project and of its wheels, as names and texts: where it came from, and how it was made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from workbench.index.page_target import python_words

if TYPE_CHECKING:
    from workbench.evidence.facts import BuildFacts
    from workbench.index.output import Links
    from workbench.index.page_target import PageTarget
    from workbench.registry.model import Package, PublishedWheel

_ARCHIVE = re.compile(r"\.(?:whl|egg|zip|tar|t?gz|bz2|tbz2?|t?xz|t?lz|lzma|zst)[/ ]*(?:\?|$)", re.IGNORECASE)
_FORGE = re.compile(r"https://(?P<host>(?:github|gitlab)\.com|codeberg\.org)(?P<path>/[\w./-]+?)(?:\.git)?/?")
_SDIST = "pypi:"
"""Before the name of a project whose source is its sdist, where a recipe's source is written in a word."""


class Fact(NamedTuple):
    """One thing that is known: its name, the text, where a link leads, whether it is code."""

    name: str
    text: str
    href: str | None = None
    code: bool = False


class Origin(NamedTuple):
    """What wheels were built from: facts of source and pin, and of the patches on top.

    `wheels` says which of a version's wheels those are, where not all are of one origin.
    """

    facts: Sequence[Fact]
    patches: Sequence[Fact]
    wheels: str = ""


@lru_cache(maxsize=4096)
def web(url: str | None) -> str | None:
    """Return a URL that a page may link to: http(s), and nothing that an installer would take for a file."""
    if url is None or not re.match(r"https?://[^/]", url) or re.search(r"[\s\x00-\x1f]", url):
        return None
    try:
        urlsplit(url)
    except ValueError:  # pip would end there
        return None
    page, _, fragment = url.partition("#")
    # pip takes a project and a version from "#egg=", and uv refuses a page with a hash that it does not know
    return None if _is_archive(page) or "=" in unquote(fragment) else url


def _is_archive(url: str) -> bool:
    """Say whether pip (by the unquoted path) or uv (by what is before any question mark) takes a URL for a file."""
    return _ARCHIVE.search(unquote(url)) is not None


def stored(url: str | None, links: Links) -> str | None:
    """Return a link to a file of the store, or of the web, or None for what must not be linked."""
    if url is None or re.match(r"[\w+.-]+:", url):
        return web(url)
    return None if _is_archive(url) else links.to(url)


def project_facts(package: Package) -> Iterator[Fact]:
    """Yield what is known of a project whatever is published of it."""
    if package.license:
        yield Fact("Licence", package.license)
    if package.upstream:
        yield Fact("Upstream", package.upstream, web(package.upstream))
    if package.source_repo.startswith(_SDIST):
        project = package.source_repo.removeprefix(_SDIST)
        yield Fact("Source", f"the sdist of {project}, from the package index")
    else:
        branch = f" ({package.source_branch})" if package.source_branch else ""
        yield Fact("Source", package.source_repo + branch, web(package.source_repo))


def own_facts(wheel: PublishedWheel, links: Links) -> Iterator[Fact]:
    """Yield what is known of one wheel alone."""
    if (build := wheel.build) and build.log:
        yield Fact("Build log", build.log.rpartition("/")[2], stored(build.log, links))
    if build and build.sbom:
        yield Fact("Bill of materials", "CycloneDX", stored(build.sbom, links))
    if build and build.statement:
        yield Fact("How it was made", "statement (in-toto, SLSA)", stored(build.statement, links))
    if build and build.verdict:
        outcome = "the same bytes" if build.reproduced else "other bytes"
        yield Fact("Built again", f"{outcome}, {build.reproduced_on}", stored(build.verdict, links))
    if wheel.provenance:
        yield Fact("Attestations", "PEP 740", web(wheel.provenance))
    if wheel.build_key:
        yield Fact("Build key", wheel.build_key, code=True)


def origins(wheels: Iterable[PublishedWheel], targets: Iterable[PageTarget], links: Links) -> list[Origin]:
    """Return what wheels, each with its target, were built from: most often that is one and the same."""
    builds: dict[object, tuple[BuildFacts, list[PageTarget]]] = {}
    for wheel, target in zip(wheels, targets, strict=True):
        if build := wheel.build:
            key = (build.source, build.pin, build.ref, build.patches)
            builds.setdefault(key, (build, []))[1].append(target)
    told_apart = len(builds) > 1
    found = []
    for build, built in builds.values():
        patches = [Fact(each.name, each.description, stored(each.url, links)) for each in build.patches]
        found.append(Origin(list(_source(build)), patches, _whose(built) if told_apart else ""))
    return found


def _source(build: BuildFacts) -> Iterator[Fact]:
    git = "://" in build.source or build.source.startswith("git@")
    yield Fact("Source", build.source, web(build.source))
    if build.ref:
        yield Fact("Branch or tag", build.ref)
    if build.pin:
        yield Fact("Commit" if git else "sha256", build.pin, _commit(build) if git else None, code=True)


def _commit(build: BuildFacts) -> str | None:
    """Return where a forge shows the commit."""
    forge = _FORGE.fullmatch(build.source)
    if forge is None or not re.fullmatch("[0-9a-f]{40,64}", build.pin):
        return None
    within = "/-/commit/" if forge["host"] == "gitlab.com" else "/commit/"
    return f"https://{forge['host']}{forge['path']}{within}{build.pin}"


def _whose(built: Sequence[PageTarget]) -> str:
    """Say which wheels they are: ``Linux aarch64: Python 3.12; Linux x86_64: Python 3.10 to 3.12``."""
    pythons: dict[str, list[str]] = {}
    for target in built:
        pythons.setdefault(" · ".join(target.place), []).append(target.python)
    return "; ".join(f"{place}: {', '.join(python_words(each))}" for place, each in sorted(pythons.items()))
