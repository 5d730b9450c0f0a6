"""What is drawn: pages, where each lies, and how a text becomes part of one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from workbench.errors import IndexFault

if TYPE_CHECKING:
    from workbench.index.installers import FileEntry

HTML = "text/html; charset=utf-8"
DATA = "application/json"
ATOM = "application/atom+xml; charset=utf-8"
CSS = "text/css; charset=utf-8"
SCRIPT = "text/javascript; charset=utf-8"


class Page(NamedTuple):
    """One drawn file; a tuple, for there are thousands.

    `path` is relative to the index's folder; `type` is what a server must answer with.

    A page at ``…/index.html`` or ``…/index.json`` answers for its folder, with the slash at the end. A
    store that serves no index documents (S3's REST endpoint) holds it under the folder's key as well.
    """

    path: str
    content: bytes
    type: str = HTML


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A file that was drawn before and is not part of the index any more."""

    path: str


class Links:
    """URLs of published files, as the pages at one depth below the store's root write them.

    `public_url` is given when pages link absolutely. A URL that is absolute in the registry stays as it is.
    """

    def __init__(self, depth: int, public_url: str | None) -> None:
        self._base = f"{quote(public_url, safe=_URL)}/" if public_url else "../" * depth

    def to_files(self, folder: str, files: Iterable[FileEntry]) -> list[str]:
        """Return the quoted URLs of files; one that lies in `folder` under its own name is quoted in no time."""
        base = self._base
        return [
            base + url.replace("+", "%2B")
            if (url := file["url"]) == folder + file["filename"]
            else self.to(url)
            for file in files
        ]

    def to(self, url: str) -> str:
        """Return the quoted URL: ``+`` becomes ``%2B``, which S3 would take for a space."""
        if _ABSOLUTE.match(url):
            return quote(url, safe=_URL)
        if ":" in url.partition("/")[0] or url.startswith("/") or ".." in url.split("/"):
            raise IndexFault(f"{url}: neither an http(s) URL nor a path below the store's root")
        return self._base + quote(url, safe="/~")


_URL = ":/?&=%~@[]"
_ABSOLUTE = re.compile(r"https?://[^/]", re.ASCII)
