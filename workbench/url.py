"""URLs as people may see them."""

from __future__ import annotations

import re

_WEB_LOGIN = re.compile(r"(https?://)[^/\s@]+@")
_PASSWORD = re.compile(r"((?<!\w)\w+://[^/\s@:]+):[^/\s@]+@")


def mask(text: str) -> str:
    """Return a text without the passwords and tokens in its URLs: ``https://***@host/x``.

    The user of an ``ssh://`` URL stays; it is no secret there.
    """
    return _PASSWORD.sub(r"\1:***@", _WEB_LOGIN.sub(r"\1***@", text))


def without_login(url: str) -> str:
    """Return a URL without the user and the password in it, which are for nobody else."""
    return re.sub(r"(?<=://)[^/?#]*@", "", url)
