"""Source distributions from the package index, by hash, through a cache that all sites of a user share.

A file is hashed once, when it arrives, and renamed into ``sources/<sha256>/<filename>`` only if the hash is
the recipe's: what lies there needs no second look, and two processes may fetch the same file at once.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
from packaging.version import InvalidVersion, Version

from workbench import console
from workbench.environment import package_index
from workbench.errors import SourceError
from workbench.url import mask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from pypi_simple import DistributionPackage, PyPISimple

TIMEOUT = 60
"""Seconds without a byte from the index after which it counts as dead."""

NEAR_VERSIONS = 5


def fetch_sdist(name: str, version: str, sha256: str, cache: Path) -> Path:
    """Return the sdist of a version, out of the cache or fetched from the package index into it.

    `sha256` is hex. Raises SourceError when the index does not answer, has no such sdist, or has one of
    another hash; the cache then is as it was.
    """
    folder = cache / "sources" / sha256
    if kept := next(folder.glob("[!.]*"), None):
        return kept
    with _index() as index:
        package = _find(index, name, version)
        _check_hash(package, package.digests.get("sha256", sha256), sha256)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".arriving-") as arriving:
            file = Path(arriving) / package.filename
            _download(index, package, file)
            _check_hash(package, _sha256_on_disk(file), sha256)
            folder.mkdir(exist_ok=True)
            return file.replace(folder / package.filename)


def pin_sdist(name: str, version: str) -> tuple[str, str]:
    """Return the filename and the sha256 (hex) of a version's sdist, as the package index says them.

    Raises SourceError when the index does not answer, has no such sdist, or tells no sha256 of it.
    """
    with _index() as index:
        package = _find(index, name, version)
    if "sha256" not in package.digests:
        raise SourceError(
            f"{package.filename}: the index tells no sha256 of it: download it, look at it, and write the "
            f"recipe with the sum that 'sha256sum' prints"
        )
    return package.filename, package.digests["sha256"]


@contextmanager
def _index() -> Iterator[PyPISimple]:
    """Open a client of the package index; what goes wrong with the network becomes one SourceError."""
    import requests
    from pypi_simple import PyPISimple
    from pypi_simple.errors import (
        DigestMismatchError,
        UnsupportedContentTypeError,
        UnsupportedRepoVersionError,
    )
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    url = package_index()
    retries = Retry(total=2, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504), raise_on_status=False)
    with PyPISimple(url) as client:
        for scheme in ("https://", "http://"):
            client.s.mount(scheme, HTTPAdapter(max_retries=retries))
        try:
            yield client
        except requests.HTTPError as error:
            why = mask(str(error))
        except (
            requests.Timeout,
            requests.ConnectionError,
            requests.exceptions.ChunkedEncodingError,
        ) as error:
            why = _network_reason(error)
        except requests.RequestException as error:
            why = mask(str(error))
        except DigestMismatchError as error:
            why = f"{mask(str(error))}: the download is damaged"
        except (UnsupportedContentTypeError, UnsupportedRepoVersionError) as error:
            why = f"{mask(str(error))}: it is no package index that this version reads"
        else:
            return
    raise SourceError(
        f"the package index {mask(url)}: {why}; try again, or name another index in UV_DEFAULT_INDEX"
    )


def _network_reason(error: BaseException) -> str:
    """Return the system's own words, which lie at the bottom of a chain of wrappers."""
    reason = "the connection broke off before the end"
    link: BaseException | None = error
    while link is not None:
        if "timed out" in str(link):
            return f"no answer for {TIMEOUT} s"
        # requests' own errors are OSErrors too, without a system's words
        if isinstance(link, OSError) and link.strerror:
            reason = link.strerror
        link = link.__cause__ or link.__context__
    return reason


def _find(index: PyPISimple, name: str, version: str) -> DistributionPackage:
    from pypi_simple.errors import NoSuchProjectError

    try:
        page = index.get_project_page(name, timeout=TIMEOUT)
    except NoSuchProjectError as error:
        raise SourceError(
            f"{name}: the package index {mask(index.endpoint)} has no such project: is its name right?"
        ) from error
    sdists: dict[Version, DistributionPackage] = {}
    for package in page.packages:
        try:
            project, release = parse_sdist_filename(package.filename)
        except (InvalidSdistFilename, InvalidVersion):
            continue
        # of the two kinds of archive, the index of today takes only .tar.gz
        if project == canonicalize_name(name) and not package.filename.endswith(".zip"):
            sdists[release] = package
        elif project == canonicalize_name(name):
            sdists.setdefault(release, package)
    wanted = Version(version)
    if wanted not in sdists:
        raise SourceError(_no_such_version(name, wanted, sorted(sdists), {p.version for p in page.packages}))
    package = sdists[wanted]
    if package.is_yanked:
        reason = f": {package.yanked_reason}" if package.yanked_reason else ""
        console.note(f"{package.filename} is yanked from the package index{reason}")
    return package


def _no_such_version(name: str, wanted: Version, sdists: list[Version], published: set[str | None]) -> str:
    if not sdists:
        return f"{name}: the package index has no sdist of any version, only wheels: use its Git repository"
    below = sum(version < wanted for version in sdists)
    start = max(0, min(below - NEAR_VERSIONS // 2, len(sdists) - NEAR_VERSIONS))
    near = ", ".join(str(version) for version in sdists[start : start + NEAR_VERSIONS])
    what = "only wheels, no sdist," if str(wanted) in published else "nothing"
    return f"{name}: the package index has {what} of version {wanted}; the nearest sdists: {near}"


def _download(index: PyPISimple, package: DistributionPackage, path: Path) -> None:
    def bar(length: int | None) -> _Bar:
        return _Bar(console.progress(f"fetch {package.filename}", length or package.size or 0))

    # our own hash is checked in any case; the index's tells a damaged download from another file
    verify = "sha256" in package.digests
    index.download_package(package, path, verify=verify, progress=bar, timeout=TIMEOUT)


class _Bar:
    """The console's progress, as pypi-simple wants it."""

    def __init__(self, progress: AbstractContextManager[Callable[[int], None]]) -> None:
        self._progress = progress

    def __enter__(self) -> Self:
        self.update = self._progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._progress.__exit__(kind, error, trace)


def _sha256_on_disk(path: Path) -> str:
    """Flush a file to the disk and return its sha256."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_hash(package: DistributionPackage, found: str, expected: str) -> None:
    if found != expected:
        raise SourceError(
            f"{package.filename}: its sha256 is\n  {found}, and the recipe says\n  {expected}.\n"
            f"If the recipe's is a slip, correct source.sha256; if it was right once, somebody put another "
            f"file in its place: do not build it before you know why"
        )
