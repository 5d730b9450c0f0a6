"""What a URL of an index gives: over http(s), or out of a folder of this machine. Nothing of it is judged here.

Whatever goes wrong, a server that talks nonsense included, is an OSError that says why in a few words.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from workbench import __version__
from workbench.simple.media import JSON

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

TIMEOUT = 30
"""Seconds without an answer after which a server is given up."""

ACCEPT = f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
"""JSON first, as pip and uv ask."""

AS_IT_LIES = {"Accept-Encoding": "identity"}
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a URL gives.

    `url` is where it came from in the end. `type` is the media type without parameters: empty where a server names
    none, None for a file, which cannot say. `charset` is what the type says of it. `size` is in bytes, None where a
    server does not say.
    """

    url: str
    type: str | None
    charset: str | None
    size: int | None
    body: bytes = b""


class Fetcher:
    """Fetches as pip does, with the environment's proxies and ``~/.netrc``, over up to `streams` kept connections."""

    def __init__(self, streams: int) -> None:
        patient = Retry(total=2, backoff_factor=0.25, status_forcelist=(500, 502, 503), raise_on_status=False)
        patient.respect_retry_after_header = False  # a server must not decide how long anybody waits
        self._session = requests.Session()
        self._session.headers.update({"Accept": ACCEPT, "User-Agent": f"wheel-workbench/{__version__}"})
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=streams, max_retries=patient))

    def get(self, url: str) -> Answer:
        """Fetch a page. Raises OSError."""
        if _is_local(url):
            path = _path(url)
            return Answer(url=url, type=None, charset=None, size=path.stat().st_size, body=path.read_bytes())
        with self._asked("GET", url) as response:
            return _answer(response, response.content)

    def head(self, url: str) -> Answer:
        """Ask for a file without fetching it. Raises OSError."""
        if _is_local(url):
            return Answer(url=url, type=None, charset=None, size=_path(url).stat().st_size)
        try:
            with self._asked("HEAD", url, AS_IT_LIES) as response:
                return _answer(response)
        except OSError:  # some hosts have no HEAD; the body of a GET need not be read
            with self._asked("GET", url, AS_IT_LIES) as response:
                return _answer(response)

    def digests(self, url: str, algorithms: Iterable[str]) -> dict[str, str]:
        """Read a file through, and return its digests in hexadecimal by algorithm. Raises OSError."""
        made = {algorithm: hashlib.new(algorithm) for algorithm in algorithms}
        for chunk in self._chunks(url):
            for digest in made.values():
                digest.update(chunk)
        return {algorithm: digest.hexdigest() for algorithm, digest in made.items()}

    def _chunks(self, url: str) -> Iterator[bytes]:
        if _is_local(url):
            file: BinaryIO
            with _path(url).open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk
            return
        with self._asked("GET", url, AS_IT_LIES) as response:
            yield from response.iter_content(CHUNK)

    @contextmanager
    def _asked(
        self, method: str, url: str, headers: dict[str, str] | None = None
    ) -> Iterator[requests.Response]:
        try:
            with self._session.request(
                method, url, headers=headers, timeout=TIMEOUT, stream=True, allow_redirects=True
            ) as response:
                if not response.ok:
                    raise OSError(f"{response.status_code} {response.reason}")
                yield response
        # ValueError is for a redirect to what is no URL
        except (requests.RequestException, HTTPError, ValueError) as error:
            raise OSError(_reason(error)) from error


def _answer(response: requests.Response, body: bytes = b"") -> Answer:
    kind, _, parameters = response.headers.get("Content-Type", "").partition(";")
    length = response.headers.get("Content-Length", "")
    encoded = "Content-Encoding" in response.headers  # then the length is not the file's
    return Answer(
        url=response.url,
        type=kind.strip().lower(),
        charset=response.encoding if "charset" in parameters.lower() else None,
        size=int(length) if length.isdecimal() and not encoded else None,
        body=body,
    )


def _reason(error: BaseException) -> str:
    """Return the innermost of the errors that requests and urllib3 wrap into each other."""
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT} s"
    while inner := _inner(error):
        error = inner
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = str(error).strip()
    return f"no sound HTTP: {said}" if isinstance(error, HTTPException) else said


def _inner(error: BaseException) -> BaseException | None:
    candidates = (getattr(error, "reason", None), *reversed(error.args), error.__cause__)
    return next((each for each in candidates if isinstance(each, BaseException)), None)


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
        raise OSError(str(error)) from error
    if not documents:
        raise OSError("neither index.html nor index.json is in it")
    return documents[0]
