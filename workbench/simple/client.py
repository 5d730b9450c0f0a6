"""What an index lists for one project, asked for as installers ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from workbench.errors import IndexFault
from workbench.http import NoAnswer
from workbench.simple import HTML_TYPES, JSON
from workbench.simple.listing import MOST_LINKS, read

if TYPE_CHECKING:
    from workbench.simple.fetch import Fetched, Fetcher
    from workbench.simple.listing import Link, Listing


def project_files(
    fetcher: Fetcher, root: str, project: str, *, headers: Mapping[str, str] | None = None
) -> Sequence[Link] | None:
    """Return the files that the index at `root` lists for a project; None where it has no such project.

    `headers` are those that log in.

    Raises OSError where it does not answer, IndexFault for what is not a page of an index.
    """
    url = f"{root.rstrip('/')}/{canonicalize_name(project)}/"
    try:
        page = fetcher.get(url, headers=headers)
    except FileNotFoundError:
        return None
    except NoAnswer as problem:
        if problem.status == HTTPStatus.NOT_FOUND:
            return None
        raise
    return read_as_installers(page, url).files


def read_as_installers(page: Fetched, url: str, *, most: int = MOST_LINKS) -> Listing:
    """Read a page of up to `most` links. Raises IndexFault for what installers do not take for a page of an index."""
    if page.type not in (None, JSON, *HTML_TYPES):
        raise IndexFault(f"{url}: not a page of a package index: its type is {page.type or 'missing'}")
    try:
        listing = read(page, most=most)
    except (ValueError, LookupError) as problem:  # LookupError: an encoding that does not exist
        raise IndexFault(f"{url}: not a page of a package index: {problem}") from problem
    if str(listing.version or "1.0").partition(".")[0] != "1":
        raise IndexFault(f"{url}: API version {listing.version}, which this program does not know")
    return listing
