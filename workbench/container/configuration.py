"""What a container needs of the user's own configuration: pip's package index, this site's certificates."""

from __future__ import annotations

import ast
import json
import os
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from workbench.container.cibw import INSIDE, Handed, Mount
from workbench.process import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLACES = ("index-url", "extra-index-url", "find-links")
"""Those of pip's options that say where packages lie: URLs and folders."""

OTHERS = ("no-index", "trusted-host", "proxy", "timeout", "retries")
"""The others that a container's pip needs."""

PACKAGES = PurePosixPath("/workbench-packages")
"""Where a container sees local indexes and folders of packages."""

CERTIFICATE_VARIABLES = (
    "SSL_CERT_FILE",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
)
"""What tells programs of certificates: here the first that is set counts, in a container all are."""

CERTIFICATES = PurePosixPath("/workbench-certificates.pem")
"""Where a container sees this site's certificates."""

PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def read_pip_options() -> dict[str, str]:
    """Return the options that the user's pip runs with, from its files and variables."""
    done = run([sys.executable, "-m", "pip", "config", "list"], check=False, stdout_only=True)
    return parse_pip_options(done.output)


def parse_pip_options(listed: str) -> dict[str, str]:
    """Read what ``pip config list`` prints; a variable stands above a file, ``install`` above ``global``."""
    found: dict[str, dict[str, str]] = {":env:": {}, "install": {}, "global": {}}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in found:
            found[section][option] = str(ast.literal_eval(value))
    return {**found["global"], **found["install"], **found[":env:"]}


def hand_on(pip: Mapping[str, str], variables: Mapping[str, str] = os.environ) -> Handed:
    """Return what a container needs to install packages as pip does here.

    `pip` are pip's options, `variables` this process's. The index goes in as files, which no log shows, for its
    URL may hold a password. Local folders and ``file:`` indexes are mounted.
    """
    mounts: list[Mount] = []
    places = {option: _inside(pip[option].split(), mounts) for option in PLACES if option in pip}
    environment = {"PIP_CONFIG_FILE": f"{INSIDE}/pip.conf", "UV_CONFIG_FILE": f"{INSIDE}/uv.toml"}
    bundle = next((variables[name] for name in CERTIFICATE_VARIABLES if variables.get(name)), pip.get("cert"))
    if bundle and Path(bundle).is_file():
        mounts.append(Mount(source=Path(bundle), target=CERTIFICATES))
        environment |= dict.fromkeys(CERTIFICATE_VARIABLES, str(CERTIFICATES))
    return Handed(
        files={"pip.conf": _pip_configuration(pip, places), "uv.toml": _uv_configuration(pip, places)},
        mounts=tuple(mounts),
        environment=environment,
        passed=tuple(name for name in PROXIES if variables.get(name)),
    )


def _inside(words: Sequence[str], mounts: list[Mount]) -> tuple[str, ...]:
    """Return URLs and folders as a container sees them; what is local is added to `mounts`."""
    found = []
    for word in words:
        target = PACKAGES / str(len(mounts))
        if word.startswith("file:"):
            pages = Path(unquote(urlsplit(word).path))
            # an index's pages point to files beside them (simple/ and files/), so the folder of both goes in
            mounts.append(Mount(source=pages.parent, target=target))
            found.append(f"file://{target / pages.name}")
        elif "://" in word:
            found.append(word)
        else:
            mounts.append(Mount(source=Path(word).expanduser(), target=target))
            found.append(str(target))
    return tuple(found)


def _pip_configuration(pip: Mapping[str, str], places: Mapping[str, tuple[str, ...]]) -> str:
    options = {option: pip[option] for option in OTHERS if option in pip}
    options |= {option: " ".join(words) for option, words in places.items()}
    return "\n".join(["[global]", *(f"{option} = {value}" for option, value in options.items()), ""])


def _uv_configuration(pip: Mapping[str, str], places: Mapping[str, tuple[str, ...]]) -> str:
    lines: dict[str, object] = {option: list(words) for option, words in places.items()}
    if "index-url" in places:
        (lines["index-url"],) = places["index-url"]
    if "trusted-host" in pip:
        lines["allow-insecure-host"] = pip["trusted-host"].split()
    if pip.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        lines["no-index"] = True
    if "extra-index-url" in places:
        # as pip does: the best version of all indexes, not the first index that knows the name
        lines["index-strategy"] = "unsafe-best-match"
    # for strings, lists of them and booleans TOML and JSON agree
    return "\n".join([*(f"{option} = {json.dumps(value)}" for option, value in lines.items()), ""])
