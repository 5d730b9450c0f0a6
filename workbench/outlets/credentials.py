"""Where a login for an outlet comes from: variables, the keyring, ``.pypirc``, a private ``.env``, a CI's identity.

A login is asked for when something is sent, stays in memory, and is hidden in whatever is printed from then on.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from workbench.errors import OutletError, SettingsError, ToolMissing
from workbench.events import note
from workbench.http import reason
from workbench.outlets.secret_file import OTHERS, read_private
from workbench.process import run
from workbench.url import hide, is_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TOKEN_USER = "__token__"  # noqa: S105 - a name
"""The user whose password is a token, on PyPI and on others that followed it."""

_IDENTITY = ("ACTIONS_ID_TOKEN_REQUEST_URL", "PYPI_ID_TOKEN", "TESTPYPI_ID_TOKEN")
"""What a CI sets that can prove who it is (OpenID Connect)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user and a secret, which `repr` does not show, and where they were found.

    `is_ci`: an index gave it to a CI whose identity it trusts.
    """

    user: str = _TOKEN_USER
    secret: str = field(repr=False)
    origin: str
    is_ci: bool = False

    def __post_init__(self) -> None:
        if not self.secret.isprintable():
            raise SettingsError(f"the login from {self.origin} has a line break or a control character in it")
        hide(self.secret)
        hide(self._both)

    @property
    def _both(self) -> str:
        return b64encode(f"{self.user}:{self.secret}".encode()).decode()

    @property
    def basic(self) -> dict[str, str]:
        """The header that logs in by user and password."""
        return {"Authorization": f"Basic {self._both}"}

    @property
    def bearer(self) -> dict[str, str]:
        """The header that logs in by a token."""
        return {"Authorization": f"Bearer {self.secret}"}


def github_login(root: Path, api: str) -> Login:
    """Return the login for GitHub's API: a variable's, the keyring's, ``.env``'s, or that of the program gh.

    Raises OutletError where there is none, and for an API that anybody on the way could listen to.
    """
    names = ("GITHUB_TOKEN", "GH_TOKEN")
    expect_private(api)
    found = _of_variables(names, os.environ, "the variable") or _of_keyring(api)
    found = found or _of_variables(names, read_private(root / ".env"), f"{root / '.env'}:")
    if found is None:
        host = urlsplit(api).hostname or ""
        command = ["gh", "auth", "token", "--hostname", "github.com" if host == "api.github.com" else host]
        try:
            said = run(command, check=False, stdout_only=True)
        except ToolMissing:
            said = None
        if said and said.status == 0 and (token := said.output.strip()):
            found = Login(secret=token, origin="gh auth token")
    if found is None:
        raise OutletError(
            "no token for GitHub: set GITHUB_TOKEN, put it into .env (mode 600), or log in with 'gh auth login'. It "
            "needs the permission to write contents"
        )
    return found


def index_login(root: Path, name: str, url: str) -> Login | None:
    """Return the login for the index that takes uploads at a URL; None where there is none.

    `name` is the outlet's: ``pypi``, ``testpypi``, or the URL. Raises SettingsError for a file that is not private, and
    OutletError for a login that anybody on the way could listen to.
    """
    names = variables_for(name, url)
    dotenv = root / ".env"
    found = (
        _of_variables(names, os.environ, "the variable")
        or _of_keyring(url)
        or _of_pypirc(name, url)
        or _of_variables(names, read_private(dotenv), f"{dotenv}:")
        or (_of_identity(url) if name in ("pypi", "testpypi") else None)
    )
    if found is not None:
        expect_private(url)
    return found


def variables_for(name: str, url: str) -> tuple[str, ...]:
    """Return the names of the variables that may have the token, or ``user:password``, for an index."""
    if name in ("pypi", "testpypi"):
        return (f"{name.upper()}_API_TOKEN",)
    parts = urlsplit(url)
    host = f"{parts.hostname}_{parts.port}" if parts.port else f"{parts.hostname}"
    return tuple(
        f"WORKBENCH_TOKEN_{re.sub('[^A-Z0-9]', '_', each.upper())}" for each in (host, parts.hostname or "")
    )


def expect_private(url: str) -> None:
    """Raise OutletError for a URL to which no login goes: anybody on the way could read it."""
    parts = urlsplit(url)
    if not is_private(parts.scheme, parts.hostname or ""):
        raise OutletError(
            f"{url}: no login is sent over plain http, where anybody on the way can read it: use https"
        )


def _of_variables(names: Iterable[str], values: Mapping[str, str], where: str) -> Login | None:
    for name in names:
        if value := values.get(name, "").strip():
            user, secret = value.split(":", 1) if ":" in value else (_TOKEN_USER, value)
            return Login(user=user, secret=secret, origin=f"{where} {name}")
    return None


def _of_keyring(url: str) -> Login | None:
    keyring = import_module("keyring")
    try:
        found = keyring.get_credential(url, None)
    except Exception:  # noqa: BLE001 - its backends are anybody's, and raise anything
        found = None
    if found is None or not found.password:
        return None
    return Login(user=found.username or _TOKEN_USER, secret=found.password, origin="the keyring")


def _of_pypirc(name: str, url: str) -> Login | None:
    """Return what ``~/.pypirc`` has for an index: in a section with its URL, or with its name and no URL."""
    import configparser

    path = Path.home() / ".pypirc"
    # a password may have a % in it
    read = configparser.ConfigParser(interpolation=None)
    try:
        if not read.read(path, encoding="utf-8"):
            return None
    except (configparser.Error, UnicodeDecodeError):
        raise SettingsError(f"{path} is not an INI file") from None  # the error would quote its lines
    for section in read.sections():
        values = read[section]
        # a section [pypi] with a repository of its own is for that one alone
        at = values.get("repository", "")
        meant = at.rstrip("/") == url.rstrip("/") if at else section == name
        if meant and (secret := values.get("password", "")):
            if path.stat().st_mode & OTHERS:
                note(f"· {path} has a password, and others can read it: run 'chmod 600 {quote(str(path))}'")
            return Login(
                user=values.get("username", _TOKEN_USER), secret=secret, origin=f"{path} [{section}]"
            )
    return None


def _of_identity(url: str) -> Login | None:
    """Return a token that an index gives to a CI whose identity it trusts (trusted publishing), by twine's exchange."""
    if not any(os.environ.get(name) for name in _IDENTITY):
        return None
    from twine.auth import CredentialInput, Private
    from twine.exceptions import TwineException

    try:
        token = Private({"repository": url}, CredentialInput()).make_trusted_publishing_token()
    except (TwineException, OSError, KeyError, ValueError) as error:
        raise OutletError(f"{url} gives this CI no token (trusted publishing): {reason(error)}") from error
    origin = "this CI's identity (trusted publishing)"
    return Login(secret=token, origin=origin, is_ci=True) if token else None
