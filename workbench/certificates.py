"""Whose certificates are trusted: one setting for every client of ours, and for the programs that they start."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from workbench.errors import SettingsError

CERTIFICATE_VARIABLES = (
    "SSL_CERT_FILE",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
)
"""What tells uv, pip, git and curl of certificates."""
_REPLACING = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_ADDING = "AWS_CA_BUNDLE"


def trusted() -> str | None:
    """Return the file of the certificates that every client of ours trusts; None where each has its own default.

    It has those of all files that the variables name. ``AWS_CA_BUNDLE`` alone adds to the default; the others replace
    it. Raises SettingsError for a file that does not exist.
    """
    named = {name: Path(chosen) for name in (*_REPLACING, _ADDING) if (chosen := os.environ.get(name))}
    for name, path in named.items():
        if not path.exists():
            raise SettingsError(f"{name}={path}: there is no such file: no server could be trusted")
    paths = list(dict.fromkeys(path.resolve() for path in named.values()))
    if list(named) == [_ADDING]:
        paths.append(default_bundle())
    if len(paths) > 1:
        return _together(tuple(paths))
    return str(paths[0]) if paths else None


def default_bundle() -> Path:
    """Return the file of the certificates that are trusted where no variable names one: those of Mozilla."""
    import certifi

    return Path(certifi.where())


@cache
def _together(paths: tuple[Path, ...]) -> str:
    """Put certificates into one file in memory: nothing is left behind, and programs that we start can read it."""
    descriptor = os.memfd_create("certificates")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        for path in paths:
            for each in sorted(path.iterdir()) if path.is_dir() else [path]:
                file.write(each.read_bytes() + b"\n")
    return f"/proc/{os.getpid()}/fd/{descriptor}"


def trust_variables() -> dict[str, str]:
    """Return the variables that make uv, pip, git and curl trust the same. Raises SettingsError."""
    return dict.fromkeys(CERTIFICATE_VARIABLES, found) if (found := trusted()) else {}
