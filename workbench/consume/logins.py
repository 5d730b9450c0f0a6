"""Which login goes to which host, and to no other: from variables, and from the URLs in the user's own registries.

What is in ``~/.netrc`` is sent by ``workbench.http`` where nothing is said here. The keyring is asked last.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from http import HTTPStatus
from importlib import import_module, util
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from workbench.simple.github import API, ASSET_HEADERS, is_asset
from workbench.url import is_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workbench.consume.sources import WheelSource

VARIABLE = "GPUWHEELS_TOKEN"
GITHUB = "GITHUB_TOKEN"

_PORTS = {"http": 80, "https": 443}


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int | None

    @classmethod
    def of(cls, url: str) -> _Origin:
        parts = urlsplit(url)
        return cls(parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme))

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read what is sent there."""
        return is_private(self.scheme, self.host)


class Logins:
    """The logins for sources and for the hosts of their files. `repr` shows none of them."""

    def __init__(self, sources: Iterable[WheelSource], environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._of_urls: dict[_Origin, str] = {}
        self._own: set[_Origin] = set()
        self._apis: set[_Origin] = {_Origin.of(API)}
        self._hosts: set[str] = set()
        for source in sources:
            if source.kind == "folder" or source.url.startswith("file:"):
                continue
            origin = _Origin.of(source.url)
            self._hosts.add(origin.host)
            if source.login:
                self._of_urls.setdefault(origin, source.login)
            if source.takes_token:
                self._own.add(origin)
                if source.kind == "github":
                    self._apis.add(origin)

    def headers(self, url: str) -> dict[str, str]:
        """Return the headers with which a URL's server gives what lies there; none where nothing is meant for it.

        A URL's own login comes first, then the host's variable, ``GITHUB_TOKEN``, and ``GPUWHEELS_TOKEN``. GitHub's API
        is also told that it is asked for a file.
        """
        try:
            origin = _Origin.of(url)
        except ValueError:
            return {}
        return {**self._login(origin), **(ASSET_HEADERS if origin in self._apis and is_asset(url) else {})}

    def _login(self, origin: _Origin) -> dict[str, str]:
        if login := self._of_urls.get(origin):
            return _header(login)
        names = [self._variable_of(origin.host)]
        names += [GITHUB] if origin in self._apis else []
        names += [VARIABLE] if origin in self._own else []
        tokens = (self._environ.get(name, "") for name in names if origin.is_private)
        return next((_header(token) for token in tokens if token), {})

    def of_keyring(self, url: str) -> dict[str, str]:
        """Return the headers with what the keyring has for a URL's server; none where keyring is not installed.

        It may ask the user to unlock it, so it is for servers that have refused already.
        """
        if not _Origin.of(url).is_private or util.find_spec("keyring") is None:
            return {}
        keyring = import_module("keyring")
        try:
            found = keyring.get_credential(urlsplit(url).netloc, None)
        except Exception:  # noqa: BLE001 - its backends are anybody's, and raise anything
            found = None
        return _header(f"{found.username}:{found.password}") if found and found.password else {}

    def remedy(self, url: str, error: Exception) -> str:
        """Return what helps where a server has refused what it was asked for, as the end of a sentence; "" mostly."""
        origin, status = _Origin.of(url), getattr(error, "status", None)  # one of `NoAnswer`
        if status == HTTPStatus.NOT_FOUND and origin in self._apis and is_asset(url):
            return ": it is gone, or private, which needs a token in GITHUB_TOKEN"
        if status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return ""
        variable = variable_for(origin.host)
        if variable in self._environ or (VARIABLE in self._environ and origin in self._own):
            return f": is the token for {origin.host} valid? (It is sent over https alone.)"
        return f": put its token into {variable}, or a login into ~/.netrc"

    def _variable_of(self, host: str) -> str:
        """Return the name of a host's variable; "" where a source's host, which is another, has the same."""
        name = variable_for(host)
        meant = {each for each in self._hosts if variable_for(each) == name}
        return name if meant <= {host} else ""


def variable_for(host: str) -> str:
    """Return the name of the variable that has the token for a host: dots, dashes and colons become ``_``."""
    return f"{VARIABLE}_{re.sub('[^A-Z0-9]', '_', host.upper())}"


def _header(secret: str) -> dict[str, str]:
    """Return the header for ``user:password``, or for a token."""
    secret = secret.strip()
    if not secret.isprintable():  # a line break in it would end the header
        return {}
    if ":" in secret:
        return {"Authorization": f"Basic {b64encode(secret.encode()).decode()}"}
    return {"Authorization": f"Bearer {secret}"}
