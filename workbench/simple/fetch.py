"""What a URL of an index gives: over http(s), or out of a folder of this machine. Nothing of it is judged here.

Whatever goes wrong, a server that talks nonsense included, is an OSError that says why in a few words (`why`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from workbench.http import AS_IT_LIES, CHUNK, PAGE_BYTES, NoAnswer, Web
from workbench.simple import JSON

_ACCEPT = f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
"""JSON first, as pip and uv ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a URL gives.

    `url` is where it came from in the end. `type` is the media type without parameters: empty where a server names
    none, None for a file, which cannot say. `charset` is what the type says of it. `etag` and `modified` are what a
    server takes back as ``If-None-Match`` and ``If-Modified-Since``; `unchanged` says that it had nothing newer.
    """

    url: str
    type: str | None = None
    charset: str | None = None
    etag: str = ""
    modified: str = ""
    unchanged: bool = False
    body: bytes = b""


class Fetcher:
    """Fetches as pip does, over up to `streams` kept connections, pages of up to `limit` bytes."""

    def __init__(self, streams: int = 1, *, limit: int = PAGE_BYTES) -> None:
        self._limit = limit
        self._web = Web(streams, headers={"Accept": _ACCEPT})

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Fetched:
        """Fetch a page, with more headers to send to its server. Raises OSError."""
        if _is_local(url):
            path = _path(url)
            if path.stat().st_size > self._limit:
                raise NoAnswer(f"more than {self._limit:,} bytes, the most that is read of it", lasting=True)
            return Fetched(url=url, body=path.read_bytes())
        with self._web.ask(url, headers=headers) as answer:
            return Fetched(
                url=answer.url,
                type=answer.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
                charset=answer.charset,
                etag=answer.headers.get("ETag", ""),
                modified=answer.headers.get("Last-Modified", ""),
                unchanged=answer.status == HTTPStatus.NOT_MODIFIED,
                body=answer.body(self._limit),
            )

    def size(self, url: str, *, headers: Mapping[str, str] | None = None) -> int | None:
        """Return a file's size in bytes; None where the server does not say. Raises OSError."""
        sent = {**AS_IT_LIES, **(headers or {})}
        if _is_local(url):
            return _path(url).stat().st_size
        try:
            with self._web.ask(url, method="HEAD", headers=sent) as answer:
                return answer.length
        except NoAnswer as refused:
            if refused.status is None:
                raise
            with self._web.ask(url, headers=sent) as answer:  # some hosts have no HEAD; no body is read
                return answer.length

    def digests(self, url: str, algorithms: Iterable[str]) -> dict[str, str]:
        """Read a file through, and return its digests in hexadecimal by algorithm. Raises OSError."""
        made = {algorithm: hashlib.new(algorithm) for algorithm in algorithms}
        with self.opened(url) as (chunks, _):
            for chunk in chunks:
                for digest in made.values():
                    digest.update(chunk)
        return {algorithm: digest.hexdigest() for algorithm, digest in made.items()}

    def read_through(
        self,
        url: str,
        doing: str,
        *,
        into: IO[bytes] | None = None,
        size: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[str, int]:
        """Return a file's sha256 and how many bytes came; `into` gets them too. Raises OSError.

        `doing` is what is told meanwhile, and `size` what is expected where the server does not say.
        """
        from workbench.events import step

        digest, count = hashlib.sha256(), 0
        with (
            self.opened(url, headers=headers) as (chunks, length),
            step(doing, total=length or size or 0) as advance,
        ):
            for chunk in chunks:
                digest.update(chunk)
                count += len(chunk)
                if into:
                    into.write(chunk)
                advance(len(chunk))
        return digest.hexdigest(), count

    @contextmanager
    def opened(
        self, url: str, *, headers: Mapping[str, str] | None = None
    ) -> Iterator[tuple[Iterator[bytes], int | None]]:
        """Open a file, and yield its bytes as they come and how many they are, if that is known. Raises OSError."""
        if _is_local(url):
            path = _path(url)
            with path.open("rb") as file:
                yield iter(partial(file.read, CHUNK), b""), path.stat().st_size
            return
        with self._web.ask(url, headers={**AS_IT_LIES, **(headers or {})}) as answer:
            yield answer.chunks(), answer.length


def why(problem: OSError) -> str:
    """Return what an error of a Fetcher says, without a path or a number."""
    return problem.strerror or str(problem)


def _is_local(url: str) -> bool:
    return url.startswith("file:")


def _path(url: str) -> Path:
    """Return the file of a file URL; of a folder, its index document. Raises OSError."""
    path = Path(unquote(urlsplit(url).path))
    try:
        if not path.is_dir():
            path.stat()
            return path
        documents = [path / name for name in ("index.html", "index.json") if (path / name).is_file()]
    except ValueError as error:  # a NUL in it
        raise NoAnswer(str(error)) from error
    if not documents:
        raise NoAnswer("neither index.html nor index.json is in it")
    return documents[0]
