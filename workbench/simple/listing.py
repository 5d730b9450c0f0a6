"""Pages of a simple index read back: anybody's, as HTML or as JSON, into one shape. No judgement here.

What is wrong on a page stays as it stands there, in `Link.attributes` and `Listing.document`; the other fields have
the types that they say, and are empty where the page has something else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A file or a project that a page lists.

    `name` is the text of the anchor (or JSON's name), `href` as it stands on the page, `url` absolute and without
    the `fragment`; None where `href` makes no URL. `hashes` and `metadata` are algorithm to digest; `metadata` is None
    where no metadata file is promised and empty where one is promised without a hash. `attributes` are the entry in
    JSON, and in HTML the anchor's own without their ``data-``, so that both have the same keys.
    """

    name: str
    href: str
    url: str | None
    fragment: str
    hashes: Mapping[str, str]
    attributes: Mapping[str, Any]
    metadata: Mapping[str, str] | None = None

    @property
    def filename(self) -> str:
        """The last part of the URL's path: what installers go by in HTML."""
        return unquote(urlsplit(self.url or "").path.rpartition("/")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A page and its links: `document` is the whole of it as JSON; the rest is what HTML has in its place.

    `metas` are the contents of its ``<meta>`` by name, `base` is the first ``<base href>`` as it stands.
    """

    links: tuple[Link, ...]
    document: dict[str, Any] | None = None
    metas: Mapping[str, str] = field(default_factory=dict)
    base: str | None = None
    doctype: bool = True

    @property
    def version(self) -> object:
        """The version of the API that the page says it follows; None where it says nothing (PEP 629, 691)."""
        if self.document is not None:
            return self.document["meta"].get("api-version")
        return self.metas.get("pypi:repository-version")


def read_html(text: str, url: str) -> Listing:
    """Read a page that lies at `url`. Raises ValueError for what Python's parser, which pip uses, stops at."""
    page = _Page()
    try:
        page.feed(text)
        page.close()
    except AssertionError as error:  # that is how the parser says it
        raise ValueError(str(error)) from error
    base = url if page.base is None else _joined(url, page.base)
    return Listing(
        links=tuple(_html_link(text, attributes, base) for text, attributes in page.anchors),
        metas=page.metas,
        base=page.base,
        doctype=page.doctype,
    )


def _html_link(text: str, attributes: Mapping[str, str], base: str | None) -> Link:
    href = attributes["href"]
    url, fragment = _split(base, href)
    data = {key.removeprefix("data-"): value for key, value in attributes.items() if key.startswith("data-")}
    promised = data.get("core-metadata", data.get("dist-info-metadata", "false"))
    return Link(
        name=text.strip(),
        href=href,
        url=url,
        fragment=fragment,
        hashes=_pairs(fragment.split("&")),
        attributes=data,
        metadata=None if promised == "false" else _pairs([promised]),
    )


def _pairs(texts: Iterable[str]) -> dict[str, str]:
    """Return the digests of ``sha256=…`` by algorithm."""
    return {algorithm: digest for algorithm, _, digest in (text.partition("=") for text in texts) if digest}


def read_json(text: bytes, url: str) -> Listing:
    """Read a page that lies at `url`. Raises ValueError for what is not JSON, or not a page."""
    document = orjson.loads(text)
    if not isinstance(document, dict) or not isinstance(document.get("meta"), dict):
        raise ValueError("no JSON page: meta is missing")  # noqa: TRY004 - it is the data that is wrong
    entries = document.get("files", document.get("projects"))
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("no JSON page: it has neither a list of files nor of projects")
    return Listing(links=tuple(_json_link(entry, url) for entry in entries), document=document)


def _json_link(entry: dict[str, Any], base: str) -> Link:
    name = entry.get("filename", entry.get("name"))
    href = entry.get("url", f"{name}/" if "filename" not in entry else None)
    url, fragment = _split(base, href) if isinstance(href, str) else (None, "")
    promised = entry.get("core-metadata")
    if promised is None:
        promised = entry.get("dist-info-metadata")
    return Link(
        name=name if isinstance(name, str) else "",
        href=href if isinstance(href, str) else "",
        url=url,
        fragment=fragment,
        hashes=_texts(entry.get("hashes")),
        attributes=entry,
        metadata=_texts(promised) if promised or isinstance(promised, dict) else None,
    )


def _texts(value: object) -> dict[str, str]:
    return (
        {key: text for key, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}
    )


def _split(base: str | None, href: str) -> tuple[str | None, str]:
    """Return the URL that a link leads to, and its fragment; None for what makes no URL."""
    url = None if base is None else _joined(base, href)
    if url is None:
        return None, ""
    bare, fragment = urldefrag(url)
    return bare, fragment


def _joined(base: str, href: str) -> str | None:
    try:
        url = urljoin(base, href)
        urlsplit(url)
    except ValueError:
        return None
    return url


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.doctype = False
        self.base: str | None = None
        self.metas: dict[str, str] = {}
        self.anchors: list[tuple[str, dict[str, str]]] = []
        self._open: dict[str, str] | None = None
        self._text = ""

    def handle_decl(self, decl: str) -> None:
        self.doctype = self.doctype or decl.lower() == "doctype html"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {key: value or "" for key, value in attrs}
        if tag == "meta" and "name" in attributes:
            self.metas[attributes["name"]] = attributes.get("content", "")
        elif tag == "base" and self.base is None:
            self.base = attributes.get("href")
        elif tag == "a" and "href" in attributes:
            self._close()
            self._open = attributes

    def handle_data(self, data: str) -> None:
        self._text += data if self._open is not None else ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._close()

    def close(self) -> None:
        """Take the end of the page, and with it an anchor that was left open."""
        super().close()
        self._close()

    def _close(self) -> None:
        if self._open is not None:
            self.anchors.append((self._text, self._open))
        self._open, self._text = None, ""
