"""Pages of sources reduced to what is kept: their wheels, by package. What is not taken is counted and named."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from workbench.consume.cache import KeptFile
from workbench.errors import WorkbenchError
from workbench.simple import LIBRARIES, LIBRARIES_VERSION
from workbench.text import counted
from workbench.url import has_secret, without_login

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.simple.github import ReleasesPage
    from workbench.simple.listing import Link, Listing

_LONGEST_FILENAME = 255
_LONGEST_LIBRARIES = 64 << 10
_LONGEST_TEXT = 400
"""Characters that are kept of a reason for a yank, or of Requires-Python."""

_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!~%@=-]*", re.ASCII)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_RELEASE = re.compile(r"(?:\d{1,2}\.\d{1,2})?", re.ASCII)
_COMPUTE = re.compile(r"(?:cu\d{2,3})?", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)", re.ASCII)


class Reduced:
    """The wheels of a page, by the normalised names of their packages, and why others were left out."""

    def __init__(self) -> None:
        self.projects: dict[str, list[KeptFile]] = {}
        self._left_out: Counter[str] = Counter()

    @property
    def left_out(self) -> tuple[str, ...]:
        """What was left out, as sentences."""
        return tuple(f"{counted(count, 'file')} left out: {why}" for why, count in self._left_out.items())

    def add(self, row: KeptFile, *, local: bool = False) -> None:
        """Take a file that is a wheel's by its name; what stands behind ``.whl`` is for others to judge."""
        name = row.filename.lower()
        if ".whl" not in name or name.endswith(".metadata"):
            return
        if len(row.filename) > _LONGEST_FILENAME or not _FILENAME.fullmatch(row.filename):
            self._left_out["the name is not a filename"] += 1
        elif not _leads_somewhere(row.url, local=local):
            self._left_out["the link is not an http or https URL"] += 1
        elif has_secret(row.url):
            self._left_out["the link has a token in it"] += 1
        else:
            name = canonicalize_name(row.filename.partition("-")[0])
            self.projects.setdefault(name, []).append(row)

    def skip(self, why: str, count: int) -> None:
        """Count files that are not taken."""
        if count:
            self._left_out[why] += count

    def digest(self, said: object) -> str | None:
        """Return a sha256 in lower case; None, and counted, for what is not one."""
        if isinstance(said, str) and _SHA256.fullmatch(said):
            return said.lower()
        if said is not None:
            self._left_out["its sha256 is not one"] += 1
        return None


def reduce_listing(listing: Listing, page: str) -> Reduced:
    """Return the wheels of a page that lies at a URL."""
    reduced = Reduced()
    for link in listing.files:
        filename = link.name if listing.document is not None else link.filename
        said = link.hashes.get("sha256")
        sha256 = reduced.digest(said)
        if said is None or sha256:  # a hash that is none would be an integrity nobody checks
            row = KeptFile(filename, without_login(link.url or ""), sha256, *_facts(link))
            reduced.add(row, local=page.startswith("file:"))
    return reduced


def _facts(
    link: Link,
) -> tuple[int | None, str | None, str | None, str | None, str | None, str | None]:
    entry: Mapping[str, Any] = link.attributes
    size, updated, python = entry.get("size"), entry.get("upload-time"), entry.get("requires-python")
    metadata = None if link.metadata is None else link.metadata.get("sha256", "")
    return (
        size if type(size) is int and size >= 0 else None,
        updated if isinstance(updated, str) and _TIME.fullmatch(updated) else None,
        python[:_LONGEST_TEXT] if isinstance(python, str) and python else None,
        metadata if not metadata or _SHA256.fullmatch(metadata) else "",
        None if link.yanked is None else link.yanked[:_LONGEST_TEXT],
        _libraries(entry),
    )


def _libraries(entry: Mapping[str, Any]) -> str | None:
    """Return what a site of the workbench tells of a wheel's libraries, as JSON (docs/index.md).

    None is for what is not in the form that is known here: the wheel itself can be read.
    """
    told = entry.get(f"_{LIBRARIES}", entry.get(LIBRARIES))
    if told is None:
        return None
    import orjson

    from workbench.plan.gpu import Architecture
    from workbench.strict import parse
    from workbench.wheel.library_facts import LibraryFacts

    try:
        plain = orjson.loads(told) if isinstance(told, str) else told
        if not isinstance(plain, dict) or plain.get("version") != LIBRARIES_VERSION:
            return None
        facts = parse(LibraryFacts, {key: value for key, value in plain.items() if key != "version"})
        for name in (name for file in facts.gpu_code for name in file.architectures):
            Architecture.parse(name)
        if not (_RELEASE.fullmatch(facts.toolkit) and _COMPUTE.fullmatch(facts.compute)):
            return None
        text = orjson.dumps(facts).decode()
    except (ValueError, WorkbenchError):  # Mismatch and UsageError
        return None
    return text if len(text) <= _LONGEST_LIBRARIES else None


def reduce_releases(page: ReleasesPage, *, private: bool) -> Reduced:
    """Return the wheels of a page of releases; of a `private` repository each by its address in the API."""
    reduced = Reduced()
    reduced.skip("the upload to GitHub did not end", page.broken)
    for asset in page.assets:
        updated = asset.updated if _TIME.fullmatch(asset.updated or "") else None
        url = without_login(asset.api_url if private else asset.url)
        reduced.add(KeptFile(asset.filename, url, asset.sha256, asset.size, updated))
    return reduced


def _leads_somewhere(url: str, *, local: bool) -> bool:
    try:
        parts = urlsplit(url)
        there = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
    return (there or (local and parts.scheme == "file")) and url.isprintable() and " " not in url
