"""The one door to the network: one trust setting, one patience, and one way to fail.

Redirects are followed here, and take no login to another host; no cookie is kept. What goes wrong, a server that talks
nonsense included, is a `NoAnswer` that says why in a few words.
"""

from __future__ import annotations

import os
import re
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache, partial
from http import HTTPStatus
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import unquote, urljoin, urlsplit

from workbench import __version__
from workbench.certificates import default_bundle, trusted
from workbench.url import mask, without_login

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager, Retry

SECONDS = 10
"""Without a byte for so long, a server is given up."""

_PAGE_SECONDS = 300
"""The longest that a whole page may take."""

PAGE_BYTES = 128 << 20
"""The largest page that is read: the root of the public index has 40 MB."""

CHUNK = 1 << 20
_REDIRECTS = 10
TRIES = 3
_NETRC = ("~/.netrc", "~/_netrc")
_CHARSET = re.compile(r"[;,\s]charset\s*=\s*[\"']?([^\s\"';,]+)", re.IGNORECASE)
_LIMIT = re.compile(r"timeout=([\d.]+)")
"""How urllib3 says after how many seconds it gave up: who asks may have set other limits than ours."""

_USUAL_HEADERS = {
    "User-Agent": f"wheel-workbench/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
}
AS_IT_LIES = {"Accept-Encoding": "identity"}
"""Asks for the file's own bytes, so that its length and its ranges mean what they say."""


class NoAnswer(OSError):
    """A request that failed, and why in a few words. `status` is what the server answered, if it did.

    `lasting`: it fails each time, though no status says so: a certificate that is not trusted, a page too large.
    """

    def __init__(self, why: str, status: int | None = None, *, lasting: bool = False) -> None:
        super().__init__(mask(why))
        self.status = status
        self._lasting = lasting

    @property
    def passing(self) -> bool:
        """Whether it may go well another time: the fault is the server's own (RFC 9110, 15.6), or the network's."""
        if self.status is None:
            return not self._lasting
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


class Answer:
    """What a server answers: `url` is where it came from in the end, without a login. The body is read once."""

    def __init__(self, response: BaseHTTPResponse, url: str) -> None:
        self._response = response
        self.url = url
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    @property
    def length(self) -> int | None:
        """The size of the file in bytes; None where the server does not say, or sends it compressed."""
        length = self.headers.get("Content-Length", "")
        said = re.fullmatch("[0-9]{1,18}", length) and "Content-Encoding" not in self.headers
        return int(length) if said else None

    @property
    def charset(self) -> str | None:
        """What the type says of the encoding."""
        found = _CHARSET.search(self.headers.get("Content-Type", ""))
        return found[1] if found else None

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives. Raises NoAnswer."""
        return iter(partial(self.read, CHUNK), b"")

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes more, as soon as there are any; none at the end. Raises NoAnswer."""
        with _plainly():
            return self._response.read1(count, decode_content=True)

    def body(self, limit: int = PAGE_BYTES) -> bytes:
        """Return the whole body of a page. Raises NoAnswer for one that is too large or too slow."""
        pieces, size, end = [], 0, time.monotonic() + _PAGE_SECONDS
        for piece in self.chunks():
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise NoAnswer(f"more than {limit:,} bytes, the most that is read of it", lasting=True)
            if time.monotonic() > end:
                raise NoAnswer(f"only {size} bytes came in {_PAGE_SECONDS} s")
        return b"".join(pieces)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the rest of the body unread."""
        self._response.close()
        self._response.release_conn()


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, count: int, /) -> bytes:
        """Return up to `count` bytes more; none at the end."""


class Sending:
    """A file, or what can be read as one, that is sent as it is read; `moved` is told of its bytes as they go."""

    def __init__(self, file: Readable, size: int, moved: Callable[[int], object]) -> None:
        self._file, self._size, self._moved = file, size, moved

    def __len__(self) -> int:
        return self._size

    def read(self, _count: int = -1) -> bytes:
        """Return the next piece, of a size that costs little; http.client would have it in thousands."""
        piece = self._file.read(CHUNK)
        self._moved(len(piece))
        return piece


class Web:
    """A client that keeps up to `streams` connections, with the environment's proxies and ``~/.netrc``."""

    def __init__(self, streams: int = 1, *, headers: Mapping[str, str] | None = None) -> None:
        self._streams = streams
        self._headers = dict(headers or {})
        self._logins: dict[object, tuple[str, str]] = {}
        self._pools: dict[tuple[str | None, Path], PoolManager] = {}

    def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        any_status: bool = False,
        body: bytes | Sending | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """Ask for a URL, which may have a login in it; the caller closes the answer.

        An ``Authorization`` among the headers is sent in place of what ``~/.netrc`` has for the host. A `body` goes to
        this URL and to no other: no redirect is followed with it. A server may be silent for so many `seconds`, or for
        the usual ones. Raises NoAnswer, also for a status that is not a success unless `any_status`.
        """
        from urllib3 import Timeout  # it costs twice what Python's start does

        sent = dict(headers or {})
        with _plainly():
            if own := _login_in(url):  # not of a redirect: no server decides what another one is sent later
                self._logins[_origin(url)] = own
            login = self._login(url)
            for _ in range(_REDIRECTS + 1):
                url = _as_asked(url)
                response = self._pool(url).urlopen(
                    method,
                    url,
                    redirect=False,
                    headers=self._all_headers(sent, login or _login_of_netrc(url, sent), body),
                    body=body,
                    timeout=Timeout(connect=SECONDS, read=seconds or SECONDS),
                    retries=_patience(),
                    preload_content=False,
                    decode_content=False,
                )
                location = response.get_redirect_location()
                if body is not None or not isinstance(location, str):
                    break
                with Answer(response, url) as passed, suppress(NoAnswer):
                    # one that is read to its end leaves its connection to the next request
                    passed.body(CHUNK)
                there = urljoin(url, location)
                if urlsplit(there).scheme not in ("http", "https"):
                    raise NoAnswer("it redirects to what is not an http or https URL", lasting=True)
                if _origin(there) != _origin(url):
                    login, sent = self._login(there), _without_secrets(sent)
                url = there
            else:
                raise NoAnswer(f"more than {_REDIRECTS} redirects", lasting=True)
        if response.status >= HTTPStatus.BAD_REQUEST and not any_status:
            response.close()
            raise NoAnswer(f"{response.status} {response.reason}", response.status)
        return Answer(response, url)

    def _all_headers(
        self, headers: Mapping[str, str], login: tuple[str, str] | None, body: bytes | Sending | None
    ) -> Mapping[str, str]:
        from urllib3 import HTTPHeaderDict, make_headers

        found = HTTPHeaderDict(_USUAL_HEADERS)
        found.update(self._headers)
        found.update(headers)
        if login:
            found.update(make_headers(basic_auth=":".join(login)))
        if isinstance(body, Sending):
            found["Content-Length"] = str(len(body))
        return found

    def _pool(self, url: str) -> PoolManager:
        """Return the connections for a URL: straight, or through a proxy."""
        proxy, bundle = _proxy_for(url), Path(trusted() or default_bundle())
        if (proxy, bundle) not in self._pools:
            trust: dict[str, Any] = {
                "cert_reqs": "CERT_REQUIRED",
                "ca_cert_dir" if bundle.is_dir() else "ca_certs": str(bundle),
            }
            if proxy is None:
                from urllib3 import PoolManager

                pool = PoolManager(maxsize=self._streams, **trust)
            else:
                from requests.adapters import HTTPAdapter  # it knows SOCKS, and a proxy's login

                pool = HTTPAdapter(pool_maxsize=self._streams).proxy_manager_for(proxy, **trust)
            self._pools.setdefault((proxy, bundle), pool)  # another thread may have been first
        return self._pools[proxy, bundle]

    def _login(self, url: str) -> tuple[str, str] | None:
        """Return the login for a URL: its own, or the one that an earlier URL of the same server was asked with."""
        return _login_in(url) or self._logins.get(_origin(url))


def _login_in(url: str) -> tuple[str, str] | None:
    parts = urlsplit(url)
    return None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _as_asked(url: str) -> str:
    """Return a URL in the spelling in which it is sent, without a login. Raises NoAnswer for what is none of HTTP's."""
    from urllib3.util import parse_url

    parts = parse_url(without_login(url.lstrip()))
    if parts.scheme not in ("http", "https") or not parts.host:
        raise NoAnswer(f"{url!r} is not an http or https URL", lasting=True)
    return parts._replace(path=parts.path or "/").url


@cache
def _patience() -> Retry:
    """Return how often a fault of the server or the network is tried again."""
    from urllib3 import Retry, exceptions

    class Patient(Retry):
        """Tries again, but not after a silence: that has cost long enough."""

        def increment(self, *args: Any, **more: Any) -> Self:  # noqa: ANN401 - urllib3's arguments
            if isinstance(more.get("error"), exceptions.TimeoutError):
                raise more["error"]
            return super().increment(*args, **more)

    return Patient(
        total=TRIES - 1,
        backoff_factor=0.2,
        status_forcelist=(500, 502, 503, 504),
        raise_on_status=False,
        respect_retry_after_header=False,  # a server must not decide how long anybody waits
    )


def _proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for a URL, as requests and pip read it."""
    named = any(name.lower().endswith("_proxy") for name in os.environ)
    if not named and sys.platform == "linux":  # elsewhere the system's own settings may name one
        return None
    from requests import utils  # it costs more than Python's start does
    from urllib3.util import parse_url

    proxy = utils.select_proxy(url, utils.get_environ_proxies(url))
    if not proxy:
        return None
    try:
        proxy = utils.prepend_scheme_if_needed(proxy, "http")
        host = urlsplit(proxy).hostname and parse_url(proxy).host
    except (ValueError, TypeError):  # what requests raises for a login without a host
        host = None
    if not host:
        # it is not shown, nor what parsers say: a login may be anywhere in it
        raise NoAnswer(
            "the environment names a proxy that is not a URL: write http://HOST:PORT, and in a login %2F for a slash",
            lasting=True,
        )
    return proxy


def _login_of_netrc(url: str, headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the login that ``~/.netrc`` has for a URL's host, where the headers have none."""
    if "authorization" in map(str.lower, headers):
        return None
    # a home that is not known or not readable is no fault here, as it is to Path
    known = any(os.path.exists(os.path.expanduser(each)) for each in _NETRC)  # noqa: PTH110, PTH111
    if "NETRC" not in os.environ and not known:
        return None
    from requests.utils import get_netrc_auth  # as in `_proxy_for`

    return get_netrc_auth(url)


def _without_secrets(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that any host may see."""
    known = {"accept", "accept-encoding", "range", "if-none-match", "origin", "user-agent"}
    return {name: value for name, value in headers.items() if name.lower() in known}


@contextmanager
def _plainly() -> Iterator[None]:
    """Turn whatever urllib3 and Python's parsers raise into NoAnswer."""
    from urllib3.exceptions import HTTPError

    try:
        yield
    except NoAnswer:
        raise
    # ValueError is for a redirect to what is not a URL
    except (HTTPError, ValueError, OSError) as error:
        untrusted = any(isinstance(each, ssl.SSLCertVerificationError) for each in _chain(error))
        raise NoAnswer(reason(error), lasting=untrusted) from error


def reason(error: BaseException) -> str:
    """Return what the innermost of the errors says that HTTP libraries wrap into each other, in plain words."""
    chain = _chain(error)
    for each in reversed(chain):
        if isinstance(each, ssl.SSLCertVerificationError):
            remedy = "name the file with your CA's certificates in SSL_CERT_FILE, which all clients here read"
            return f"its certificate is not trusted ({each.verify_message}): {remedy}"
        if "timed out" in str(each) or isinstance(each, TimeoutError):
            limits = filter(None, (_LIMIT.search(str(one)) for one in chain))
            return next((f"no answer for {limit[1]} s" for limit in limits), "no answer in time")
        if isinstance(each, IncompleteRead) or "IncompleteRead" in str(each):
            return "the connection broke off before the end"
    innermost = chain[-1]
    if isinstance(innermost, OSError) and innermost.strerror:
        return innermost.strerror
    said = str(innermost).strip()
    return f"not sound HTTP: {said}" if isinstance(innermost, HTTPException) else said


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and those that it wraps, the innermost last."""
    chain = [error]
    while inner := _inner(chain[-1], chain):
        chain.append(inner)
    return chain


def _inner(error: BaseException, seen: list[BaseException]) -> BaseException | None:
    candidates = (getattr(error, "reason", None), *reversed(error.args), error.__cause__, error.__context__)
    return next((each for each in candidates if isinstance(each, BaseException) and each not in seen), None)
