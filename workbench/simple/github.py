"""Releases of a GitHub repository and the files in them, page by page (GitHub's REST API, "List releases")."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from workbench.errors import IndexFault
from workbench.text import duration

if TYPE_CHECKING:
    from workbench.http import Answer, Web

API = "https://api.github.com"
VERSION = "2022-11-28"
"""The version of the API that is asked for: the oldest that GitHub and its Enterprise Servers both answer."""

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": VERSION}
"""What every request to the API says."""

PER_PAGE = 100
"""The most releases that GitHub puts on a page."""

ASSET_HEADERS = {"Accept": "application/octet-stream"}
"""What asks the API for a file itself ("Get a release asset"); without it there are only facts about it."""

_SECOND_LIMIT = 60.0
"""Seconds to wait at a limit of which the server says nothing."""

_REMEDIES: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: ": is the token in GITHUB_TOKEN still valid?",
    HTTPStatus.NOT_FOUND: ": no such repository, or a private one, which needs a token in GITHUB_TOKEN",
}
_NEXT = re.compile(r'<([^<>]*)>[^<]*;\s*rel="?next\b')
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_ASSET = re.compile(r"/releases/assets/\d+$", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file of a release. `sha256` is None for files that are older than GitHub's digests; `size` is in bytes.

    `url` is a browser's. In a private repository it asks for a person to log in, and programs have `api_url`, with a
    token and `ASSET_HEADERS`.
    """

    filename: str
    url: str
    api_url: str
    release: str
    sha256: str | None = None
    size: int | None = None
    updated: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasesPage:
    """One page of a repository's releases, `next` being the address of the one after it, or "".

    `unchanged` says that the page is as it was when its ETag was `etag`; it has no assets then. `broken` counts the
    files whose upload did not end.
    """

    assets: tuple[Asset, ...] = ()
    next: str = ""
    etag: str = ""
    unchanged: bool = False
    broken: int = 0


class RateLimited(IndexFault):
    """GitHub answers no more requests until a time, `until`, in seconds since the epoch."""

    def __init__(self, text: str, until: float) -> None:
        super().__init__(text)
        self.until = until


def releases_url(repository: str, api: str = API) -> str:
    """Return the address of the first page of the releases of ``OWNER/NAME``. Raises ValueError for another name."""
    if not _REPOSITORY.fullmatch(repository) or repository.endswith(("/.", "/..")):
        raise ValueError(f"{repository!r:.100} is not OWNER/NAME")
    return f"{api.rstrip('/')}/repos/{repository}/releases?per_page={PER_PAGE}"


def releases_page(
    web: Web, url: str, *, etag: str = "", headers: Mapping[str, str] | None = None
) -> ReleasesPage:
    """Ask for one page of releases; with the `etag` of an earlier answer, only for a newer one.

    `headers` are those that log in. Raises NoAnswer, RateLimited, and IndexFault for an answer that is not releases.
    """
    sent = {**HEADERS, **(headers or {})}
    if etag:
        sent["If-None-Match"] = etag
    with web.ask(url, headers=sent, any_status=True) as answer:
        if answer.status == HTTPStatus.NOT_MODIFIED:
            return ReleasesPage(next=next_page(answer, url), etag=etag, unchanged=True)
        if answer.status != HTTPStatus.OK:
            raise refusal(answer, url, logged_in="Authorization" in sent)
        assets, broken = _assets(answer.body(), url)
        return ReleasesPage(
            assets=assets, next=next_page(answer, url), etag=answer.headers.get("ETag", ""), broken=broken
        )


def is_private(web: Web, url: str, headers: Mapping[str, str]) -> bool:
    """Say whether the repository is private whose releases are at a URL; `headers` log in. Raises NoAnswer."""
    sent = {**HEADERS, **headers}
    with web.ask(url.partition("/releases?")[0], headers=sent) as answer:
        try:
            said = orjson.loads(answer.body())
        except ValueError:
            said = None
    return isinstance(said, dict) and said.get("private") is True


def is_asset(url: str) -> bool:
    """Say whether a URL of the API is that of a release's file."""
    return _ASSET.search(url) is not None


def next_page(answer: Answer, url: str) -> str:
    """Return the address of the next page, which GitHub says and nobody builds. Raises IndexFault."""
    found = _NEXT.search(answer.headers.get("Link", ""))
    if found is None:
        return ""
    if _origin(found[1]) not in (_origin(url), _origin(answer.url)):
        raise IndexFault(f"{url}: its next page is said to be on another server, {found[1]:.200}")
    return found[1]


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc


def refusal(answer: Answer, url: str, *, logged_in: bool) -> Exception:
    """Return the error for an answer that is not a success."""
    from workbench.http import NoAnswer  # what only needs an address does not wait for it

    said = _message(answer)
    limited = answer.status in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS) and (
        "retry-after" in answer.headers
        or answer.headers.get("x-ratelimit-remaining") == "0"
        or "rate limit" in said.lower()
        or answer.status == HTTPStatus.TOO_MANY_REQUESTS
    )
    if limited:
        now = time.time()
        wait = _wait(answer, now)
        until = now + wait
        at = time.strftime("%H:%M:%S", time.localtime(until))
        token = (
            ""
            if logged_in
            else ": a token in GITHUB_TOKEN has 5000 requests an hour, where without one there are 60"
        )
        return RateLimited(
            f"{url}: GitHub's rate limit is reached; try again at {at}, in {duration(wait)}{token}", until
        )
    token = _REMEDIES.get(answer.status, "")
    return NoAnswer(f"{answer.status}{f' {said}' if said else ''}{token}", answer.status)


def _message(answer: Answer) -> str:
    """Return what an error of GitHub's says, on one line."""
    try:
        document = orjson.loads(answer.body(1 << 16))
    except (OSError, ValueError):
        return ""
    said = document.get("message") if isinstance(document, dict) else None
    return " ".join(said.split())[:200] if isinstance(said, str) else ""


def _wait(answer: Answer, now: float) -> float:
    """Return the seconds from `now` until GitHub answers again.

    They are ``retry-after``, else those until ``x-ratelimit-reset``, else a minute.
    """
    after, reset = answer.headers.get("retry-after", ""), answer.headers.get("x-ratelimit-reset", "")
    if re.fullmatch("[0-9]{1,6}", after):
        return float(after)
    if answer.headers.get("x-ratelimit-remaining") == "0" and re.fullmatch("[0-9]{1,11}", reset):
        return max(1.0, float(reset) - now)
    return _SECOND_LIMIT


def _assets(body: bytes, url: str) -> tuple[tuple[Asset, ...], int]:
    """Return the files of a page, and how many were not uploaded to their end. Raises IndexFault."""
    try:
        releases = orjson.loads(body)
    except ValueError:
        releases = None
    if not isinstance(releases, list) or not all(
        isinstance(release, dict) and isinstance(release.get("assets"), list) for release in releases
    ):
        raise IndexFault(
            f"{url}: the answer is not a list of releases, though its status is 200; try again in a while"
        )
    found, broken = [], 0
    for release in releases:
        if release.get("draft"):
            continue
        for each in release["assets"]:
            if not isinstance(each, dict) or each.get("state") != "uploaded":
                broken += 1
            elif asset := _asset(each, str(release.get("tag_name", ""))):
                found.append(asset)
    return tuple(found), broken


def digest_of(entry: Mapping[str, Any]) -> str | None:
    """Return the sha256 (hex) that GitHub tells of a file; None for files that are older than that."""
    digest = entry.get("digest")
    match = _DIGEST.fullmatch(digest) if isinstance(digest, str) else None
    return match[1] if match else None


def _asset(entry: dict[str, Any], release: str) -> Asset | None:
    name, url = entry.get("name"), entry.get("browser_download_url")
    api_url = entry.get("url")
    size, updated = entry.get("size"), entry.get("updated_at")
    if not isinstance(name, str) or not isinstance(url, str):
        return None
    return Asset(
        filename=name,
        url=url,
        api_url=api_url if isinstance(api_url, str) else "",
        release=release,
        sha256=digest_of(entry),
        size=size if type(size) is int else None,
        updated=updated if isinstance(updated, str) else None,
    )
