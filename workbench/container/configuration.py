"""What a container needs of the user's own configuration: the package indexes, this site's certificates."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from workbench.container.cibw import INSIDE, Handed, Mount
from workbench.environment import url_of, uv_default_index

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLACES = ("index-url", "extra-index-url", "find-links")
"""Those of pip's options that say where packages lie: URLs and folders."""

UV_MORE_INDEXES = ("UV_INDEX", "UV_EXTRA_INDEX_URL")
"""Variables of uv's that name indexes to ask before its default one."""

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

FILES = {"PIP_CONFIG_FILE": f"{INSIDE}/pip.conf", "UV_CONFIG_FILE": f"{INSIDE}/uv.toml"}
"""How pip and uv hear of their configurations in a container."""

PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def hand_on(pip: Mapping[str, str], variables: Mapping[str, str] = os.environ) -> Handed:
    """Return what a container needs to install packages as they are installed here.

    `pip` are pip's options, `variables` this process's. The index goes in as files, which no log shows, for its
    URL may hold a password. Local folders and ``file:`` indexes are mounted.
    """
    mounts: list[Mount] = []
    places = {option: _inside(words, mounts) for option, words in _places(pip, variables).items()}
    environment = dict(FILES)
    bundle = next((variables[name] for name in CERTIFICATE_VARIABLES if variables.get(name)), pip.get("cert"))
    if bundle and Path(bundle).is_file():
        mounts.append(Mount(source=Path(bundle), target=CERTIFICATES))
        environment |= dict.fromkeys(CERTIFICATE_VARIABLES, str(CERTIFICATES))
    return Handed(
        files={
            "pip.conf": _pip_configuration(pip, places),
            "uv.toml": _uv_configuration(pip, places, strategy=_strategy(pip, variables)),
        },
        mounts=tuple(mounts),
        environment=environment,
        passed=tuple(name for name in PROXIES if variables.get(name)),
    )


def only_from(folder: Path) -> Handed:
    """Return what a container needs to install from a folder of wheels, and from nothing else."""
    pip, places = {"no-index": "true"}, {"find-links": (str(PACKAGES),)}
    return Handed(
        files={"pip.conf": _pip_configuration(pip, places), "uv.toml": _uv_configuration(pip, places)},
        mounts=(Mount(source=folder, target=PACKAGES),),
        environment=FILES,
    )


def pip_environment(pip: Mapping[str, str], variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what to add to pip's environment so that it asks the indexes that uv asks here."""
    return {
        f"PIP_{option.upper().replace('-', '_')}": " ".join(words)
        for option, words in _places(pip, variables).items()
        if option.endswith("index-url")
    }


def _places(pip: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, list[str]]:
    """Return where packages lie, by pip's options; uv's variables stand above them, as in a build on this machine."""
    places = {option: pip.get(option, "").split() for option in PLACES}
    if default := uv_default_index(variables):
        places["index-url"] = [default]
    of_uv = [word for name in UV_MORE_INDEXES for word in variables.get(name, "").split()]
    places["extra-index-url"] = [*map(url_of, of_uv), *places["extra-index-url"]]
    return {option: words for option, words in places.items() if words}


def _strategy(pip: Mapping[str, str], variables: Mapping[str, str]) -> str | None:
    """Return how uv chooses among several indexes: as here; None where that is its own way.

    With pip's it does as pip does: the best version of all indexes, not the first index that knows the name.
    """
    return variables.get("UV_INDEX_STRATEGY") or ("unsafe-best-match" if "extra-index-url" in pip else None)


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


def _uv_configuration(
    pip: Mapping[str, str], places: Mapping[str, tuple[str, ...]], *, strategy: str | None = None
) -> str:
    lines: dict[str, object] = {option: list(words) for option, words in places.items()}
    if "index-url" in places:
        (lines["index-url"],) = places["index-url"]
    if "trusted-host" in pip:
        lines["allow-insecure-host"] = pip["trusted-host"].split()
    if pip.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        lines["no-index"] = True
    if strategy:
        lines["index-strategy"] = strategy
    # for strings, lists of them and booleans TOML and JSON agree
    return "\n".join([*(f"{option} = {json.dumps(value)}" for option, value in lines.items()), ""])
