"""Pages of a simple index read back: anybody's, as HTML or as JSON, into one shape. No judgement here.

What is wrong on a page stays as it stands there, in `Link.attributes` and `Listing.document`; the other fields have
the types that they say, and are empty where the page has something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import orjson

from workbench.simple import JSON
from workbench.simple.markup import tags

if TYPE_CHECKING:
    from workbench.simple.fetch import Fetched

_ARCHIVES = (".whl", ".tar.gz", ".zip", ".egg", ".tar.bz2", ".tar.xz", ".tgz")
_LONGEST_URL = 8192
MOST_LINKS = 1_000_000
LEAST_BYTES = 16
"""What a link of a long page takes at least; a page of less is made to cost its reader dear."""


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

    @property
    def yanked(self) -> str | None:
        """The reason why the file is yanked, which may be empty; None where it is not (PEP 592)."""
        said = self.attributes.get("yanked", False)
        return said if isinstance(said, str) else "" if said else None


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

    @property
    def files(self) -> tuple[Link, ...]:
        """The files: in HTML the links that end as archives do, or have a sha256. A root has none."""
        if self.document is not None:
            return self.links if "files" in self.document else ()
        links = self.links
        return tuple(each for each in links if each.filename.endswith(_ARCHIVES) or "sha256" in each.hashes)

    @property
    def is_root(self) -> bool:
        """Whether it lists projects."""
        return not self.files if self.document is None else "files" not in self.document


def read(page: Fetched, *, most: int = MOST_LINKS) -> Listing:
    """Read a page of up to `most` links. Raises ValueError for what no installer reads."""
    if is_json(page):
        return read_json(page.body, page.url, most=most)
    return read_html(page.body.decode(page.charset or "utf-8"), page.url, most=most)


def is_json(page: Fetched) -> bool:
    """Say whether a page is JSON, by what its server or else its beginning says."""
    return page.type == JSON or page.body[:64].lstrip()[:1] == b"{"


def read_html(text: str, url: str, *, most: int = MOST_LINKS) -> Listing:
    """Read a page that lies at `url`. Raises ValueError for one that no index has."""
    doctype, base, metas = False, None, {}
    anchors: list[tuple[dict[str, str], list[str]]] = []
    opened, at = False, 0
    for start, end, tag, attributes in tags(text):
        if opened:
            anchors[-1][1].append(unescape(text[at:start]))
            opened = tag != "/a"
        at = end
        if tag == "a" and "href" in attributes:
            anchors.append((attributes, []))
            _check_count(len(anchors), len(text), most)
            opened = True
        elif tag == "base" and base is None:
            base = attributes.get("href")
        elif tag == "meta" and "name" in attributes:
            metas[attributes["name"]] = attributes.get("content", "")
        elif tag == "!doctype":
            doctype = doctype or attributes.keys() == {"html"}
    if opened:
        anchors[-1][1].append(unescape(text[at:]))
    below = url if base is None else _joined(url, base)
    return Listing(
        links=tuple(_html_link("".join(words), attributes, below) for attributes, words in anchors),
        metas=metas,
        base=base,
        doctype=doctype,
    )


def _check_count(links: int, size: int, most: int) -> None:
    """Raise ValueError for a page that is made to cost its reader dear."""
    if links > min(most, 1000 + size // LEAST_BYTES):
        raise ValueError(f"{links} links and more in {size} characters")


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


def read_json(text: bytes, url: str, *, most: int = MOST_LINKS) -> Listing:
    """Read a page that lies at `url`. Raises ValueError for what is not JSON, or not a page."""
    document = orjson.loads(text)
    if not isinstance(document, dict) or not isinstance(document.get("meta"), dict):
        raise ValueError("no JSON page: meta is missing")  # noqa: TRY004 - it is the data that is wrong
    entries = document.get("files", document.get("projects"))
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("no JSON page: it has neither a list of files nor of projects")
    _check_count(len(entries), len(text), most)
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
    pairs = value.items() if isinstance(value, dict) else ()
    return {key: text for key, text in pairs if isinstance(text, str)}


def _split(base: str | None, href: str) -> tuple[str | None, str]:
    """Return the URL that a link leads to, and its fragment; None for what makes no URL."""
    url = None if base is None else _joined(base, href)
    if url is None:
        return None, ""
    bare, fragment = urldefrag(url)
    return bare, fragment


def _joined(base: str, href: str) -> str | None:
    if len(base) > _LONGEST_URL or len(href) > _LONGEST_URL:
        return None
    try:
        url = urljoin(base, href)
        urlsplit(url)
    except ValueError:
        return None
    return url
