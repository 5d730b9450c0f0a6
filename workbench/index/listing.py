"""Pages of a simple index read back: anybody's, as HTML or as JSON, into one shape. No judgement here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A file or a project that a page lists.

    `name` is the text of the anchor (or JSON's name), `href` as it stands on the page, `url` absolute and without
    the fragment. `hashes` and `metadata` are algorithm to digest; `metadata` is None where no metadata file is
    promised and empty where one is promised without a hash.
    """

    name: str
    href: str
    url: str
    hashes: dict[str, Any]
    attributes: dict[str, Any]
    metadata: dict[str, str] | None = None

    @property
    def filename(self) -> str:
        """The last part of the URL's path: what installers go by in HTML."""
        return unquote(urlsplit(self.url).path.rpartition("/")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A page: the version of the API that it says it follows, its links, and for JSON the document itself."""

    version: str | None
    links: tuple[Link, ...]
    document: dict[str, Any] | None = None
    doctype: bool = True


def read_html(text: str, url: str) -> Listing:
    """Read a page that lies at `url`."""
    page = _Page()
    page.feed(text)
    page.close()
    base = urljoin(url, page.base)
    links = tuple(_html_link(text, attributes, base) for text, attributes in page.anchors)
    return Listing(version=page.version, links=links, doctype=page.doctype)


def _html_link(text: str, attributes: dict[str, str], base: str) -> Link:
    url, fragment = urldefrag(urljoin(base, attributes["href"]))
    algorithm, _, digest = fragment.partition("=")
    promised = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata"))
    metadata = None
    if promised is not None and promised != "false":
        kind, _, value = promised.partition("=")
        metadata = {kind: value} if value else {}
    return Link(
        name=text.strip(),
        href=attributes["href"],
        url=url,
        hashes={algorithm: digest} if digest else {},
        attributes={key: value for key, value in attributes.items() if key != "href"},
        metadata=metadata,
    )


def read_json(text: bytes, url: str) -> Listing:
    """Read a page that lies at `url`. Raises ValueError for what is not JSON, or not a page."""
    document = json.loads(text)
    if not isinstance(document, dict) or not isinstance(document.get("meta"), dict):
        raise ValueError("no JSON page: meta is missing")  # noqa: TRY004 - it is the data that is wrong
    entries = document.get("files", document.get("projects"))
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("no JSON page: it has neither a list of files nor of projects")
    links = tuple(_json_link(entry, url) for entry in entries)
    return Listing(version=document["meta"].get("api-version"), links=links, document=document)


def _json_link(entry: dict[str, Any], base: str) -> Link:
    name = str(entry.get("filename", entry.get("name", "")))
    href = str(entry.get("url", f"{name}/"))
    promised = entry.get("core-metadata", entry.get("dist-info-metadata", False))
    return Link(
        name=name,
        href=href,
        url=urldefrag(urljoin(base, href))[0],
        hashes=entry["hashes"] if isinstance(entry.get("hashes"), dict) else {},
        attributes=entry,
        metadata=promised if isinstance(promised, dict) else {} if promised else None,
    )


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.version: str | None = None
        self.doctype = False
        self.base = ""
        self.anchors: list[tuple[str, dict[str, str]]] = []
        self._open: dict[str, str] | None = None
        self._text = ""

    def handle_decl(self, decl: str) -> None:
        self.doctype = self.doctype or decl.lower() == "doctype html"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {key: value or "" for key, value in attrs}
        if tag == "meta" and attributes.get("name") == "pypi:repository-version":
            self.version = attributes.get("content", "")
        elif tag == "base":
            self.base = self.base or attributes.get("href", "")
        elif tag == "a" and "href" in attributes:
            self._close()
            self._open = attributes

    def handle_data(self, data: str) -> None:
        self._text += data if self._open is not None else ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._close()

    def _close(self) -> None:
        if self._open is not None:
            self.anchors.append((self._text, self._open))
        self._open, self._text = None, ""
