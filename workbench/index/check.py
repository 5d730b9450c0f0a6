"""``check-index``: any simple index, ours or another's, against the standards and against what installers accept.

Every finding says what it means for whoever installs. An error makes pip or uv fail, or take what they should not;
a warning is against a standard, or costs something.
"""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import Request, urlopen

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidName,
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from workbench.errors import IndexFault
from workbench.index.listing import Link, Listing, read_html, read_json
from workbench.index.page import JSON

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TIMEOUT = 30
STREAMS = 8
HTML_TYPES = ("text/html", "application/vnd.pypi.simple.v1+html")
ACCEPT = f"{JSON};q=0.9, application/vnd.pypi.simple.v1+html, text/html;q=0.8"
STATUSES = ("active", "archived", "quarantined", "deprecated")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_WHOLE = re.compile(r"[0-9a-f]{64}")
_SUFFIXES = (".whl", ".tar.gz", ".zip", ".egg", ".tar.bz2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing wrong with an index: how bad it is, the page or file, and what."""

    severity: Literal["error", "warning"]
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a URL gives: where it came from in the end, its type ("" where a folder cannot say), size and body."""

    url: str
    type: str
    size: int | None
    body: bytes


def check_index(where: str, *, hashes: bool = False) -> tuple[Finding, ...]:
    """Check the index whose root (its ``simple/``) is at a URL or in a folder.

    Every project's page is read, every file asked for (HEAD), every metadata file fetched and hashed; `hashes`
    fetches and hashes the files as well. Raises IndexFault where there is no index at all.
    """
    root = where if re.match(r"https?://", where) else Path(where).resolve().as_uri()
    root = root if root.endswith("/") else f"{root}/"
    try:
        answer = _get(root)
    except OSError as error:
        raise IndexFault(f"{where}: no index here: {error}") from error
    findings, listing = _read(answer)
    if listing is None:
        return tuple(findings)
    if listing.document is not None and "files" in listing.document:
        raise IndexFault(f"{where}: a project's page, not an index: give the address of the folder above it")
    findings += _check_root(listing, answer.url)
    projects = {canonicalize_name(link.name): link.url for link in listing.links}
    with ThreadPoolExecutor(STREAMS) as pool:
        for found in pool.map(lambda one: _check_project(*one, hashes=hashes), projects.items()):
            findings += found
    return tuple(findings)


def _read(answer: _Answer) -> tuple[list[Finding], Listing | None]:
    """Read a page by its type, or where there is none by its look."""
    kind = answer.type
    looks_json = answer.body.lstrip()[:1] == b"{"
    if kind == JSON or (looks_json and kind not in HTML_TYPES):
        findings = (
            [] if kind in (JSON, "") else [_error(answer.url, f"JSON as {kind}: installers take only {JSON}")]
        )
        try:
            listing = read_json(answer.body, answer.url)
        except ValueError as error:
            return [_error(answer.url, str(error))], None
        return findings + list(_check_version(listing, answer.url)), listing
    if kind and kind not in HTML_TYPES:
        return [_error(answer.url, f"a page as {kind}: installers take only HTML and {JSON}")], None
    listing = read_html(answer.body.decode("utf-8", "replace"), answer.url)
    findings = list(_check_version(listing, answer.url))
    if not listing.doctype:
        findings.append(_warning(answer.url, "no <!DOCTYPE html> at the beginning: old pips refuse the page"))
    return findings, listing


def _check_version(listing: Listing, url: str) -> Iterator[Finding]:
    version = listing.version
    if version is None:
        if listing.document is not None:
            yield _error(url, "meta.api-version is missing (PEP 691)")
    elif not re.fullmatch(r"\d+\.\d+", str(version)):
        yield _error(url, f"API version {version!r} is no MAJOR.MINOR (PEP 629)")
    elif str(version).split(".")[0] != "1":
        yield _error(url, f"API version {version}: installers refuse another major than 1 (PEP 629)")


def _check_root(listing: Listing, url: str) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for link in listing.links:
        try:
            name = canonicalize_name(link.name, validate=True)
        except InvalidName:
            yield _error(url, f"{link.name!r} is no project's name: installers cannot ask for it")
            continue
        path = urlsplit(link.url).path
        if listing.document is None and not path.endswith("/"):
            yield _warning(
                url,
                f"{link.name}: its link {link.href} lacks the slash at the end (PEP 503): a redirect each time",
            )
        if listing.document is None and path.rstrip("/").rpartition("/")[2] != name:
            yield _error(
                url,
                f"{link.name}: its link {link.href} does not lead to {name}/, which installers ask for (PEP 503)",
            )
        if name in seen:
            yield _error(url, f"{link.name} and {seen[name]} are the same project (PEP 503)")
        seen[name] = link.name


def _check_project(name: str, linked: str, *, hashes: bool) -> list[Finding]:
    url = urljoin(linked.rstrip("/"), f"./{name}/")  # as installers make it, whatever the root's link is
    try:
        answer = _get(url)
    except OSError as error:
        return [_error(url, f"listed, but not to be had: {error}")]
    findings, listing = _read(answer)
    if listing is None:
        return findings
    if answer.url != url and urlsplit(answer.url).path != urlsplit(url).path:
        findings.append(_warning(url, f"redirects to {answer.url}"))
    if listing.document is not None:
        findings += _check_document(name, listing, url)
    files = [
        link for link in listing.links if listing.document is not None or link.filename.endswith(_SUFFIXES)
    ]
    findings += _check_duplicates(files, url)
    for link in files:
        findings += _check_file(name, link, url, is_json=listing.document is not None)
        findings += _check_content(link, url, hashes=hashes)
    return findings


def _check_duplicates(files: Iterable[Link], url: str) -> Iterator[Finding]:
    seen: dict[str, dict[str, str]] = {}
    for link in files:
        if seen.setdefault(link.filename, link.hashes) != link.hashes:
            yield _error(
                url, f"{link.filename} is listed twice with different hashes: chance decides which is taken"
            )


def _check_document(name: str, listing: Listing, url: str) -> Iterator[Finding]:
    document = listing.document or {}
    if document.get("name") != name:
        yield _error(url, f"name is {document.get('name')!r}, not the normalised {name!r} (PEP 691)")
    status = document.get("project-status")
    if status is not None and (not isinstance(status, dict) or status.get("status") not in STATUSES):
        yield _warning(url, f"project-status {status!r} is none of {', '.join(STATUSES)} (PEP 792)")
    if _at_least(listing.version, 1):
        versions = document.get("versions")
        there = {found[1] for link in listing.links if (found := _parsed(link.name))}
        if not isinstance(versions, list):
            yield _error(url, "versions is missing (PEP 700)")
        elif left := there - {_version(version) for version in versions}:
            yield _error(
                url, f"versions lacks {', '.join(map(str, sorted(left)))}, of which there are files (PEP 700)"
            )
        for link in listing.links:
            yield from _check_additions(link, url)


def _check_additions(link: Link, url: str) -> Iterator[Finding]:
    size, time = link.attributes.get("size"), link.attributes.get("upload-time")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        yield _error(url, f"{link.name}: size {size!r} is no number of bytes (PEP 700)")
    if time is not None and not _TIME.fullmatch(str(time)):
        yield _error(url, f"{link.name}: upload-time {time!r} is not as 2026-11-21T10:00:00Z (PEP 700)")


def _check_file(name: str, link: Link, url: str, *, is_json: bool) -> Iterator[Finding]:
    if link.name != link.filename:
        yield _error(
            url, f"{link.name}: its URL ends in {link.filename}, and installers differ in which they believe"
        )
    parsed = _parsed(link.filename)
    if parsed is None and not link.filename.endswith("-variants.json"):  # PEP 825, a draft
        yield _warning(
            url, f"{link.filename} is no valid name of a wheel or an sdist: installers pass over it"
        )
    elif parsed and parsed[0] != name:
        yield _error(url, f"{link.filename} is of the project {parsed[0]}: installers pass over it")
    if "+" in urlsplit(link.url).path:
        yield _warning(
            url, f"{link.filename}: + stands unquoted in its URL; S3 reads it as a space: write %2B"
        )
    yield from _check_hashes(link, url)
    yield from _check_attributes(link, url, prefix="" if is_json else "data-")


def _check_attributes(link: Link, url: str, *, prefix: str) -> Iterator[Finding]:
    attributes = link.attributes
    if python := attributes.get(f"{prefix}requires-python"):
        try:
            SpecifierSet(python)
        except InvalidSpecifier:
            yield _error(url, f"{link.filename}: requires-python {python!r} is no specifier (PEP 440)")
    yanked = attributes.get("yanked")
    if yanked is not None and not isinstance(yanked, bool | str):
        yield _error(
            url, f"{link.filename}: yanked is {yanked!r}, neither true, false nor a reason (PEP 592)"
        )
    promises = {attributes.get("data-core-metadata"), attributes.get("data-dist-info-metadata")} - {None}
    if len(promises) > 1:
        yield _error(url, f"{link.filename}: data-core-metadata and data-dist-info-metadata differ (PEP 714)")
    provenance = attributes.get(f"{prefix}provenance")
    if provenance and not str(provenance).startswith("https://"):
        yield _error(url, f"{link.filename}: provenance {provenance!r} is no absolute https URL (PEP 740)")


def _check_hashes(link: Link, url: str) -> Iterator[Finding]:
    digest = link.hashes.get("sha256")
    if digest is None and link.hashes:
        yield _warning(
            url, f"{link.filename}: hashed by {', '.join(link.hashes)}, and not by sha256 (PEP 503)"
        )
    elif digest is None:
        yield _error(url, f"{link.filename}: no hash: nothing tells a changed or broken file")
    elif not isinstance(digest, str) or not _WHOLE.fullmatch(digest):
        yield _error(url, f"{link.filename}: sha256 is not 64 lower-case hex digits")
    for algorithm, promised in (link.metadata or {}).items():
        if algorithm != "sha256" or not _WHOLE.fullmatch(str(promised)):
            yield _error(url, f"{link.filename}: core-metadata {algorithm}={promised} is no sha256 (PEP 658)")


def _check_content(link: Link, url: str, *, hashes: bool) -> Iterator[Finding]:
    """Ask for a file and its metadata file."""
    # a page of the web must not make anyone read local files, nor a page of https go by http
    schemes = {"http": ("http", "https"), "https": ("https",), "file": ("file",)}[urlsplit(url).scheme]
    if urlsplit(link.url).scheme not in schemes:
        yield _error(url, f"{link.filename}: its URL {link.url} is not of {' or '.join(schemes)}")
        return
    try:
        answer = _get(link.url, body=hashes)
    except OSError as error:
        yield _error(link.url, f"dead link: {error}")
        return
    said = link.attributes.get("size", link.attributes.get("data-size"))
    if said is not None and answer.size is not None and str(said) != str(answer.size):
        yield _error(link.url, f"{answer.size} bytes, and the page says {said}")
    if hashes and (digest := link.hashes.get("sha256")) and hashlib.sha256(answer.body).hexdigest() != digest:
        yield _error(link.url, "does not have the sha256 that the page says: it will be refused")
    if link.metadata is None:
        if link.filename.endswith(".whl"):
            yield _warning(link.url, "no metadata file (PEP 658): resolvers must fetch the wheel to read it")
        return
    try:
        metadata = _get(f"{link.url}.metadata").body
    except OSError as error:
        yield _error(f"{link.url}.metadata", f"promised on the page, but not to be had: {error}")
        return
    promised = link.metadata.get("sha256")
    if promised and hashlib.sha256(metadata).hexdigest() != promised:
        yield _error(
            f"{link.url}.metadata", "does not have the sha256 that the page says: pip and uv stop here"
        )


def _parsed(filename: str) -> tuple[str, Version] | None:
    """Return the project and the version that a filename says, or None where it says none."""
    try:
        if filename.endswith(".whl"):
            return parse_wheel_filename(filename)[:2]
        return parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None


def _version(text: object) -> Version | None:
    try:
        return Version(str(text))
    except InvalidVersion:
        return None


def _at_least(version: str | None, minor: int) -> bool:
    return bool(re.fullmatch(r"1\.\d+", str(version))) and int(str(version)[2:]) >= minor


def _get(url: str, *, body: bool = True) -> _Answer:
    """Fetch a URL of http(s) or of a file; a folder's index document for a folder. Raises OSError."""
    if url.startswith("file:"):
        path = Path(unquote(urlsplit(url).path))
        if path.is_dir():
            path = next(
                (path / name for name in ("index.html", "index.json") if (path / name).is_file()), path
            )
        return _Answer(url, "", path.stat().st_size, path.read_bytes() if body else b"")
    request = Request(url, headers={"Accept": ACCEPT}, method="GET" if body else "HEAD")  # noqa: S310 - http(s): see the callers
    try:
        with urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310 - likewise
            length = response.headers.get("Content-Length")
            return _Answer(
                response.url,
                response.headers.get_content_type(),
                int(length) if length else None,
                response.read(),
            )
    except HTTPError as error:
        raise OSError(f"{error.code} {error.reason}") from error
    except URLError as error:
        raise OSError(str(error.reason)) from error


def _error(where: str, what: str) -> Finding:
    return Finding(severity="error", where=where, what=what)


def _warning(where: str, what: str) -> Finding:
    return Finding(severity="warning", where=where, what=what)
