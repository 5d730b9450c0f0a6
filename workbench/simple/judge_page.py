"""What is wrong with a page of a simple index: its root, or a project's. Pure: the page has been fetched.

Installers ask for ``NAME/`` below the root and never read the root itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from packaging.utils import InvalidName, canonicalize_name

from workbench.simple import HTML_TYPES, JSON
from workbench.simple.finding import error, finding, warning
from workbench.simple.judge_file import as_version, judge_file, parsed
from workbench.simple.listing import Link, Listing, is_json, read_html, read_json

if TYPE_CHECKING:
    from workbench.simple.fetch import Fetched
    from workbench.simple.finding import IndexFinding, Remark

_STATUSES = ("active", "archived", "quarantined", "deprecated")
_UV_HASHES = ("md5", "sha256", "sha384", "sha512", "blake2b")


def read(page: Fetched) -> tuple[list[IndexFinding], Listing | None]:
    """Read a page and judge what any page must be; None for one that cannot be read: the last finding says why."""
    remarks = list(_judge_type(page))
    listing = None
    try:
        if is_json(page):
            listing = read_json(page.body, page.url)
        else:
            text, damage = _text(page)
            remarks += damage
            listing = read_html(text, page.url)
        remarks += _judge_version(listing)
    except ValueError as problem:
        remarks.append(("error", f"cannot be read, not even by installers: {problem}"))
    return [finding(severity, page.url, what) for severity, what in remarks], listing


def _judge_type(page: Fetched) -> Iterator[Remark]:
    looks_json = page.body[:64].lstrip()[:1] == b"{"
    if page.type in HTML_TYPES and looks_json:
        yield "error", f"JSON as {page.type}: installers read it as HTML and find nothing"
    elif page.type not in (None, JSON, *HTML_TYPES):
        what = "JSON" if looks_json else "a page"
        yield "error", f"{what} as {page.type or 'no type'}: installers take only HTML and {JSON}"


def _text(page: Fetched) -> tuple[str, list[Remark]]:
    charset = page.charset or "utf-8"
    try:
        return page.body.decode(charset), []
    except (UnicodeDecodeError, LookupError):
        fault = f"is not {charset}, which Content-Type says or leaves out: pip stops here"
        return page.body.decode("utf-8", "replace"), [("error", fault)]


def _judge_version(listing: Listing) -> Iterator[Remark]:
    version = listing.version
    if not listing.doctype:
        yield "warning", "no <!DOCTYPE html> at the beginning: pip 22.0 stops here"
    if version is None:
        if listing.document is not None:
            yield "warning", "meta.api-version is missing (PEP 691)"
    elif not isinstance(version, str):
        yield "warning", f"API version {version!r} is not a string (PEP 691)"
    elif not re.fullmatch(r"\d+\.\d+", version, re.ASCII):
        yield "warning", f"API version {version!r} is not MAJOR.MINOR (PEP 629)"
    elif version.split(".")[0] != "1":
        yield "warning", f"API version {version}: installers must refuse any major version but 1 (PEP 629)"


def projects(listing: Listing, url: str) -> dict[str, Link]:
    """Return the projects that a root lists, by their normalised names."""
    found: dict[str, Link] = {}
    for link in _entries(listing, url):
        if name := _project(link):
            found.setdefault(name, link)
    return found


def judge_root(listing: Listing, url: str) -> Iterator[IndexFinding]:
    """Judge what a root lists; where a link of it leads is for `astray` to say, when the project was asked for."""
    seen: dict[str, str] = {}
    for link in _entries(listing, url):
        name = _project(link)
        if name is None:
            what = f"{link.name!r}, a link to {link.href}, is not a project: installers never see it"
            yield warning(url, what)
        elif name in seen:
            same = f"{link.name} and {seen[name]} are the same project"
            yield warning(url, f"{same}: only {name}/ is asked for (PEP 503)")
        else:
            seen[name] = link.name


def astray(name: str, link: Link, *roots: str) -> str | None:
    """Return what is wrong with where a root's link for a project leads; `roots` are the root's own addresses."""
    asked = [urljoin(root, f"{name}/") for root in roots]
    if link.url in asked or "name" in link.attributes:  # JSON's entries lead nowhere
        return None
    if f"{link.url}/" in asked:
        return f"its link {link.href} lacks the slash at the end (PEP 503)"
    return f"its link {link.href} does not lead to {name}/, which installers ask for (PEP 503)"


def _entries(listing: Listing, url: str) -> list[Link]:
    """Return the links of a root, without those that lead to the page itself or to a folder above it."""
    here = url.partition("?")[0]
    return [link for link in listing.links if not (link.url and here.startswith(link.url.partition("?")[0]))]


def _project(link: Link) -> str | None:
    """Return the project of a root's link, by its normalised name; None for a link to something else.

    The lists that web servers make of a folder have a slash after the name.
    """
    try:
        name = canonicalize_name(link.name.removesuffix("/"), validate=True)
    except InvalidName:
        return None
    last = link.filename  # none after a slash; otherwise a page or, lacking its slash, the project
    return name if not last or last.endswith(".html") or canonicalize_name(last) == name else None


def judge_project(listing: Listing, url: str, name: str | None) -> Iterator[IndexFinding]:
    """Judge the page at which installers look for a project; with no name, one of files of any project."""
    document, files = listing.document, listing.files
    remarks = _judge_html(listing) if document is None else _judge_document(document, listing, name)
    yield from (finding(severity, url, what) for severity, what in remarks)
    if not files:
        yield warning(url, "lists no file")
    seen: dict[str, Link] = {}
    for link in files:
        if seen.setdefault(link.filename, link).hashes != link.hashes:
            what = "is listed twice with different hashes: pip and uv choose differently"
            yield error(url, f"{link.filename} {what}")
        yield from judge_file(link, url, name, is_json=document is not None)


def _judge_html(listing: Listing) -> Iterator[Remark]:
    if listing.base is not None and not re.match(r"[a-z]+://", listing.base):
        yield "error", f"<base href={listing.base!r}> is not absolute: pip or uv stops at the page"
    for link in listing.links:
        if link.url is None:
            yield "error", f"the link {link.href} is not a URL: pip stops at the page"
        only = re.fullmatch(r"([^=&]*)=[^=&]*", link.fragment)
        if only and only[1] not in _UV_HASHES:
            yield "error", f"the link {link.href} has a hash by {only[1]}: uv refuses the page"
    status = listing.metas.get("pypi:project-status")
    if status is not None:
        yield from _judge_status(status, listing)


def _judge_status(status: str, listing: Listing) -> Iterator[Remark]:
    if status not in _STATUSES:
        yield "warning", f"project-status {status!r} is not one of {', '.join(_STATUSES)} (PEP 792)"
    elif status == "quarantined" and listing.files:
        yield "error", "is quarantined but offers files: pip and uv take them (PEP 792)"


def _judge_document(document: dict[str, Any], listing: Listing, name: str | None) -> Iterator[Remark]:
    if name and document.get("name") != name:
        yield "warning", f"name is {document.get('name')!r}, not the normalised {name!r} (PEP 691)"
    status = document.get("project-status", {})
    said: dict[str, Any] = status if isinstance(status, dict) else {"status": None}
    if isinstance(said.get("status", ""), str) and isinstance(said.get("reason"), str | None):
        yield from _judge_status(said.get("status", "active"), listing)
    else:
        yield "error", f"project-status is {status!r:.60}, not what PEP 792 defines: uv refuses the page"
    minor = re.fullmatch(r"1\.(\d{1,9})", str(listing.version), re.ASCII)
    if minor and int(minor[1]) >= 1:
        yield from _judge_additions(document, listing)


def _judge_additions(document: dict[str, Any], listing: Listing) -> Iterator[Remark]:
    """Judge what API version 1.1 added (PEP 700)."""
    versions = document.get("versions")
    if isinstance(versions, list):
        known = {text: as_version(text) for text in map(str, versions)}
        for text, version in known.items():
            if version is None:
                yield "warning", f"versions has {text!r}, which is not a version (PEP 440)"
        there = {found[1] for link in listing.links if (found := parsed(link.filename))}
        if left := there - set(known.values()):
            missing = ", ".join(map(str, sorted(left)))
            yield "warning", f"versions lacks {missing}, but there are files of it (PEP 700)"
    else:
        yield "warning", "versions is missing (PEP 700)"
    for link in listing.links:
        if "size" not in link.attributes:
            yield "warning", f"{link.name}: size is missing (PEP 700)"
