"""What must not be seen: logins and secrets in URLs, in headers, and in this process's environment."""

from __future__ import annotations

import os
import re
from functools import cache

_LOGIN = re.compile(r"://([^/\s\"<>]+)@")
_QUERY = re.compile(r"([?&;#]([\w.-]{1,80})=)[^&;#\s\"'<>]+")
_SECRET_KEY = re.compile(
    r"signature|token|secret|passw(?:or)?d|credential|auth(?!or)"
    r"|(?:^|[-_.])(?:sig|key|apikey|keyid|awsaccesskeyid|pass|pwd|pat|jwt|sas)$",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"((?:authorization|cookie|(?<=-)token|(?<=-)api-?key)[\"']?: *[\"']?)[^\s\"'][^\r\n\"']*", re.IGNORECASE
)
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH(?!OR)|(?:^|_)PAT(?:_|$)", re.IGNORECASE)
_NAMES_A_PLACE = re.compile(r"(?:FILE|FOLDER|DIR|PATH|SOCK|XAUTHORITY)$", re.IGNORECASE)
_SHORTEST_SECRET = 8
"""In characters: a shorter value (``1``, ``true``) is a switch, and hiding it would spoil the text."""

_kept: list[str] = []
"""Secrets that were read from files, a keyring or a program."""


def mask(text: str) -> str:
    """Return a text that may be printed, stored and published, with ``***`` for each secret in it.

    Hidden are the logins in URLs (the user of an ``ssh://`` URL stays: it is not a secret), the values of queries that
    are signatures, tokens or keys, the values of headers that authorize, and those of environment variables that are
    named as secrets are.
    """
    for value in (*_kept, *secrets()):
        text = text.replace(value, "***")
    text = _in_urls(text)
    return _HEADER.sub(r"\1***", text) if ":" in text else text


def hide(secret: str) -> str:
    """Return a secret that was read from elsewhere, which from now on `mask` hides in every text."""
    if len(secret) >= _SHORTEST_SECRET and secret not in _kept:
        _kept.append(secret)
    return secret


def has_secret(text: str) -> bool:
    """Say whether a URL, or a URL in a text, has a login or a secret query."""
    return _in_urls(text) != text


def is_private(scheme: str, host: str) -> bool:
    """Say whether what is sent there can be read by nobody on the way: over TLS, or on this machine."""
    on_this_machine = host in ("localhost", "::1") or re.fullmatch(r"127(\.\d+){3}", host)
    return scheme == "https" or on_this_machine is not None


def without_login(url: str) -> str:
    """Return a URL without the user and the password in it, which are for nobody else."""
    return re.sub(r"(?<=://)[^/?#]*@", "", url)


@cache
def secrets() -> tuple[str, ...]:
    """Return the values of the variables that are named as secrets are, line by line, the longest first."""
    values = {
        line
        for name, value in os.environ.items()
        if _SECRET_NAME.search(name) and not _NAMES_A_PLACE.search(name)
        for line in (value, *value.splitlines())
        if len(line) >= _SHORTEST_SECRET
    }
    return tuple(sorted(values, key=len, reverse=True))


def _in_urls(text: str) -> str:
    text = _LOGIN.sub(_hidden_login, text) if "@" in text else text
    return _QUERY.sub(_hidden_value, text) if "=" in text else text


def _hidden_login(found: re.Match[str]) -> str:
    user, colon, _ = found[1].partition(":")
    if found.string[max(found.start() - 3, 0) : found.start()].lower() != "ssh":
        return "://***@"
    return f"://{user}:***@" if colon else found[0]


def _hidden_value(found: re.Match[str]) -> str:
    return f"{found[1]}***" if _SECRET_KEY.search(found[2]) else found[0]
