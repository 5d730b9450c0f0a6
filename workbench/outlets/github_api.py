"""GitHub's REST API as a release is made with it: documents, pages of them, and files that are uploaded.

It waits for the end of a short rate limit. An answer that is not the one asked for is a NoAnswer with its status.
"""

from __future__ import annotations

import hashlib
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import orjson

from workbench.errors import OutletError
from workbench.events import step
from workbench.http import NoAnswer, Sending, Web
from workbench.simple.github import ASSET_HEADERS, HEADERS, PER_PAGE, RateLimited, next_page, refusal
from workbench.text import duration
from workbench.url import is_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from workbench.http import Answer
    from workbench.store.protocol import Progress

LONGEST_WAIT = 900
"""Seconds that a rate limit is waited for; GitHub's own for too many writes is a minute mostly."""

_UPLOAD_SECONDS = 300
"""How long GitHub may be silent after a file of up to 2 GiB has reached it."""


class GitHubApi:
    """A client of the API at `url`, logged in by the headers `login`, which go to GitHub's own hosts alone."""

    def __init__(self, url: str, login: Mapping[str, str]) -> None:
        self.url = url.rstrip("/")
        self._headers = {**HEADERS, **login}
        self._web = Web(4)

    def call(self, method: str, url: str, document: object = None) -> Any:  # noqa: ANN401 - any document
        """Send a request, with a document, and return the answer's. Raises NoAnswer, OutletError."""
        body = None if document is None else orjson.dumps(document)
        with self._asked(method, url, lambda: body) as answer:
            return _document(answer, url)

    def pages(self, url: str) -> Iterator[Any]:
        """Yield what a list has, page after page as GitHub links them. Raises NoAnswer, OutletError."""
        following = f"{url}?per_page={PER_PAGE}"
        while following:
            with self._asked("GET", following) as answer:
                found = _document(answer, following)
                if not isinstance(found, list):
                    raise OutletError(f"{following}: the answer is not a list; try again in a while")
                yield from found
                following = next_page(answer, following)

    def delete(self, url: str) -> None:
        """Delete what is at a URL; what is gone is deleted. Raises NoAnswer."""
        try:
            self._asked("DELETE", url).close()
        except NoAnswer as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def upload(self, url: str, name: str, content: Path | bytes, moved: Progress) -> Any:  # noqa: ANN401 - any document
        """Upload a file to a release, at the URL that GitHub gives for that. Raises NoAnswer, OutletError."""
        target = f"{url.partition('{')[0]}?name={quote(name, safe='')}"
        parts = urlsplit(target)
        if not is_private(parts.scheme, parts.hostname or ""):
            raise OutletError(f"{self.url} wants files to be uploaded to {target}, without TLS: not done")
        headers = {"Content-Type": "application/octet-stream"}
        if isinstance(content, bytes):
            with self._asked("POST", target, lambda: content, headers, _UPLOAD_SECONDS) as answer:
                return _document(answer, target)
        with content.open("rb") as file:
            size = content.stat().st_size

            def whole() -> Sending:
                file.seek(0)
                return Sending(file, size, moved)

            with self._asked("POST", target, whole, headers, _UPLOAD_SECONDS) as answer:
                return _document(answer, target)

    def sha256_of(self, url: str) -> str:
        """Read a file through, by its URL in the API, and return its sha256. Raises NoAnswer."""
        digest = hashlib.sha256()
        with self._asked("GET", url, headers=ASSET_HEADERS) as answer:
            for chunk in answer.chunks():
                digest.update(chunk)
        return digest.hexdigest()

    def _asked(
        self,
        method: str,
        url: str,
        body: Callable[[], bytes | Sending | None] = lambda: None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 60,
    ) -> Answer:
        """Return an answer that is a success, whatever limit was in its way."""
        sent = {**self._headers, **(headers or {})}
        while True:
            answer = self._web.ask(
                url, method=method, headers=sent, body=body(), any_status=True, seconds=seconds
            )
            if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
                return answer
            with answer:
                error = refusal(answer, url, logged_in=True)
            if not isinstance(error, RateLimited):
                raise error
            if (wait := error.until - time.time()) > LONGEST_WAIT:
                raise OutletError(str(error)) from error
            with step(f"wait {duration(max(0, wait))} for the end of GitHub's rate limit"):
                time.sleep(max(0.0, wait))


def _document(answer: Answer, url: str) -> Any:  # noqa: ANN401 - any document
    try:
        return orjson.loads(answer.body())
    except ValueError as error:
        raise OutletError(f"{url}: the answer is not JSON, though its status is {answer.status}") from error
