"""Source distributions from the package index, by hash, through a cache that all sites of a user share.

A file is hashed once, when it arrives, and renamed into ``sources/<sha256>/<filename>`` only if the hash is
the recipe's: what lies there needs no second look, and two processes may fetch the same file at once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from workbench.environment import package_index
from workbench.errors import IndexFault, SourceError
from workbench.events import note
from workbench.files import scratch
from workbench.http import NoAnswer
from workbench.simple.client import project_files
from workbench.simple.fetch import Fetcher
from workbench.text import shown

if TYPE_CHECKING:
    from workbench.simple.listing import Link

_NEAR_VERSIONS = 5

SUFFIXES = (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".zip")
"""Of several sdists of one version the first of these is taken; the public index accepts only .tar.gz today."""


def fetch_sdist(name: str, version: str, sha256: str, cache: Path) -> Path:
    """Return the sdist of a version, out of the cache or fetched from the package index into it.

    `sha256` is hex. Raises SourceError when the index has no such sdist, or does not answer; the cache is as it was.
    """
    if kept := cached_sdist(sha256, cache):
        return kept
    folder = cache / "sources" / sha256
    with _index() as (index, fetcher):
        sdist = _find(index, fetcher, name, version)
        promised = sdist.hashes.get("sha256", sha256).lower()
        _check_hash(sdist.filename, promised, sha256)
        with scratch(folder.parent, ".arriving-") as arriving:
            file = arriving / sdist.filename
            found = _download(fetcher, sdist, file)
            if found != sha256 and "sha256" in sdist.hashes:
                why = "its sha256 is not the one that the index gives"
                raise NoAnswer(f"{sdist.filename} arrived damaged: {why}")
            _check_hash(sdist.filename, found, sha256)
            folder.mkdir(exist_ok=True)
            return file.replace(folder / sdist.filename)


def cached_sdist(sha256: str, cache: Path) -> Path | None:
    """Return the sdist of a hash (hex) that the cache has, or None."""
    return next((cache / "sources" / sha256).glob("[!.]*"), None)


def pin_sdist(name: str, version: str) -> str:
    """Return the sha256 (hex) of a version's sdist, as the package index says it. Raises SourceError."""
    with _index() as (index, fetcher):
        sdist = _find(index, fetcher, name, version)
    if "sha256" not in sdist.hashes:
        raise SourceError(
            f"{sdist.filename}: the index gives no sha256 of it: download it, look at it, and write the "
            f"recipe with the sum that 'sha256sum' prints"
        )
    return sdist.hashes["sha256"].lower()


def newest_sdist(name: str) -> str:
    """Return the newest final version that the package index has an sdist of, yanked ones apart. Raises SourceError."""
    with _index() as (index, fetcher):
        files = _files(index, fetcher, name)
    there = [release for release, file in _sdists(files, name).items() if file.yanked is None]
    final = [release for release in there if not release.is_prerelease]
    if not there:
        raise SourceError(_no_such_version(name, None, (), files))
    if not final:
        raise SourceError(
            f"{name}: the package index has sdists of pre-releases alone: name one: {name}=={max(there)}"
        )
    return str(max(final))


def newest_wheel(name: str) -> Version:
    """Return the newest final version that the package index has a wheel of, yanked ones apart. Raises SourceError."""
    with _index() as (index, fetcher):
        files = _files(index, fetcher, name)
    found: list[Version] = []
    for file in files:
        with suppress(InvalidWheelFilename):
            found += [parse_wheel_filename(file.filename)[1]] if file.yanked is None else []
    if final := [version for version in found if not version.is_prerelease]:
        return max(final)
    raise SourceError(f"{name}: the package index has no wheel of a final version")


@contextmanager
def _index() -> Iterator[tuple[str, Fetcher]]:
    """Yield the URL of the package index and a client for it; what goes wrong becomes one SourceError."""
    url = package_index()
    try:
        yield url, Fetcher()
    except (NoAnswer, IndexFault) as problem:
        raise SourceError(
            f"the package index {url}: {problem}; try again, or name another index in UV_DEFAULT_INDEX"
        ) from problem


def _files(index: str, fetcher: Fetcher, name: str) -> Sequence[Link]:
    files = project_files(fetcher, index, name)
    if files is None:
        raise SourceError(f"{name}: the package index {index} has no such project: is its name right?")
    return files


def _sdists(files: Sequence[Link], name: str) -> dict[Version, Link]:
    """Return the sdists of a project's files by version."""
    sdists: dict[Version, Link] = {}
    for suffix in SUFFIXES:
        for file in files:
            stem = file.filename.removesuffix(suffix)
            if stem != file.filename and (release := _version(stem, name)):
                sdists.setdefault(release, file)
    return sdists


def _find(index: str, fetcher: Fetcher, name: str, version: str) -> Link:
    files = _files(index, fetcher, name)
    sdists, wanted = _sdists(files, name), Version(version)
    sdist = sdists.get(wanted)
    if sdist is None:
        raise SourceError(_no_such_version(name, wanted, sorted(sdists), files))
    if sdist.yanked is not None:
        reason = f": {shown(sdist.yanked)}" if sdist.yanked else ""
        note(f"{sdist.filename} is yanked from the package index{reason}")
    return sdist


def _version(stem: str, name: str) -> Version | None:
    """Return the version of a project's sdist, however it spells name and version; None for another file."""
    spelled = "[-_.]+".join(map(re.escape, canonicalize_name(name).split("-")))
    found = re.fullmatch(rf"{spelled}-(.{{1,100}})", stem, re.IGNORECASE)
    try:
        return Version(found[1]) if found else None
    except InvalidVersion:
        return None


def _no_such_version(
    name: str, wanted: Version | None, sdists: Sequence[Version], files: Sequence[Link]
) -> str:
    if wanted is None or not sdists:
        wheels = any(file.filename.endswith(".whl") for file in files)
        there = "only wheels" if wheels else "nothing that is one"
        return f"{name}: the package index has no sdist of any version, {there}: use its Git repository"
    if local := [each for each in sdists if each.local and each.public == wanted.public]:
        versions = ", ".join(map(str, local))
        return f"{name}: the package index has no sdist of version {wanted} itself, but of {versions}: name that one"
    below = sum(version < wanted for version in sdists)
    start = max(0, min(below - _NEAR_VERSIONS // 2, len(sdists) - _NEAR_VERSIONS))
    near = ", ".join(str(version) for version in sdists[start : start + _NEAR_VERSIONS])
    wheels = any(str(wanted) in file.filename.split("-")[1:2] for file in files)
    what = "only wheels, no sdist," if wheels else "nothing"
    return f"{name}: the package index has {what} of version {wanted}; the nearest sdists: {near}"


def _download(fetcher: Fetcher, sdist: Link, path: Path) -> str:
    """Download a file, flush it to the disk, and return its sha256."""
    if sdist.url is None:
        raise NoAnswer(f"{sdist.href} is not a URL")
    try:
        with path.open("xb") as file:
            sha256, _ = fetcher.read_through(sdist.url, f"fetch {sdist.filename}", into=file)
            file.flush()
            os.fsync(file.fileno())
    except NoAnswer as problem:
        raise NoAnswer(f"{sdist.url}: {problem}") from problem
    return sha256


def _check_hash(filename: str, found: str, expected: str) -> None:
    if found != expected:
        raise SourceError(
            f"{filename}: its sha256 is\n  {found}, and the recipe says\n  {expected}.\n"
            f"If the recipe's is a typo, correct source.sha256; if it was right once, somebody put another "
            f"file in its place: do not build it before you know why"
        )
