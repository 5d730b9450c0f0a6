"""What a container needs of the user's own configuration: the package indexes, this site's certificates."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath, PurePosixPath
from urllib.parse import unquote, urlsplit

from workbench.container.cibw import INSIDE, Handed
from workbench.environment import read_pip_options, url_of, uv_default_index
from workbench.errors import CommandFailed, SourceError
from workbench.events import step
from workbench.http import CERTIFICATE_VARIABLES
from workbench.process import run
from workbench.wheel.serves import platform_tags

PLACES = ("index-url", "extra-index-url", "find-links")
"""Those of pip's options that say where packages lie: URLs and folders."""

UV_MORE_INDEXES = ("UV_INDEX", "UV_EXTRA_INDEX_URL")
"""Variables of uv's that name indexes to ask before its default one."""

OTHERS = ("no-index", "trusted-host", "proxy", "timeout", "retries")
"""The others that a container's pip needs."""

PACKAGES = PurePosixPath("/workbench-packages")
"""Where a container sees local indexes and folders of packages."""

CERTIFICATES = PurePosixPath("/workbench-certificates.pem")
"""Where a container sees this site's certificates: those that the first variable names, which all name there."""

FILES = {"PIP_CONFIG_FILE": f"{INSIDE}/pip.conf", "UV_CONFIG_FILE": f"{INSIDE}/uv.toml"}
"""How pip and uv hear of their configurations in a container."""

PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def hand_on(pip: Mapping[str, str], variables: Mapping[str, str] = os.environ) -> Handed:
    """Return what a container needs to install packages as they are installed here.

    `pip` are pip's options, `variables` this process's. The index goes in as files, which no log shows, for its
    URL may hold a password. Local folders and ``file:`` indexes are mounted.
    """
    mounts: dict[PurePath, Path] = {}
    places = {option: _inside(words, mounts) for option, words in _places(pip, variables).items()}
    environment = dict(FILES)
    bundle = next((variables[name] for name in CERTIFICATE_VARIABLES if variables.get(name)), pip.get("cert"))
    if bundle and Path(bundle).is_file():
        mounts[CERTIFICATES] = Path(bundle)
        environment |= dict.fromkeys(CERTIFICATE_VARIABLES, str(CERTIFICATES))
    # with pip's several indexes uv does as pip does: the best version of all, not the first index that knows the name
    strategy = "unsafe-best-match" if "extra-index-url" in pip else ""
    return Handed(
        files=_configurations(pip, places, strategy=variables.get("UV_INDEX_STRATEGY") or strategy),
        mounts=mounts,
        environment=environment,
        passed=tuple(name for name in PROXIES if variables.get(name)),
    )


def fetch_wheelhouse(
    requirements: Sequence[str], *, python: str, arch: str, into: Path, glibc: str = "2.28"
) -> Handed:
    """Download wheels, and what they require, for another machine; return the configuration that uses only them.

    The wheels need no newer `glibc`; the image has it or a newer one. What a build backend asks for as it runs
    (``ninja``) must be named too. Raises SourceError where the index has no wheel that fits.
    """
    into.mkdir(parents=True, exist_ok=True)
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", f"--dest={into}"]
    machine = ["--implementation=cp", f"--python-version={python.removesuffix('t')}"]
    # the free-threaded Pythons do not load what is built for the stable ABI
    abis = [f"cp{python.replace('.', '')}", "none", *(() if python.endswith("t") else ("abi3",))]
    machine += [f"--abi={abi}" for abi in abis]
    machine += [f"--platform={platform}" for platform in sorted(platform_tags(arch, glibc))]
    places = _places(read_pip_options(), os.environ)
    # pip asks the indexes that uv asks here
    indexes = {name: " ".join(places.get(name, ())) for name in ("index-url", "extra-index-url")}
    asked = {f"PIP_{name.upper().replace('-', '_')}": urls for name, urls in indexes.items() if urls}
    with step(f"wheels for a build without a network: {', '.join(requirements)}") as at:
        try:
            run([*download, *machine, "--", *requirements], env=asked)
        except CommandFailed as error:
            raise SourceError(f"no such wheels for Python {python} {arch}: {error}") from error
        at.outcome = f"{len(list(into.glob('*.whl')))} wheels"
    files = _configurations({"no-index": "true"}, {"find-links": (str(PACKAGES),)})
    return Handed(files=files, mounts={PACKAGES: into}, environment=FILES)


def _places(pip: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, list[str]]:
    """Return where packages lie, by pip's options; uv's variables stand above them, as in a build on this machine."""
    places = {option: pip.get(option, "").split() for option in PLACES}
    if default := uv_default_index(variables):
        places["index-url"] = [default]
    of_uv = [word for name in UV_MORE_INDEXES for word in variables.get(name, "").split()]
    places["extra-index-url"] = [*map(url_of, of_uv), *places["extra-index-url"]]
    return {option: words for option, words in places.items() if words}


def _inside(words: Iterable[str], mounts: dict[PurePath, Path]) -> tuple[str, ...]:
    """Return URLs and folders as a container sees them; what is local is added to `mounts`."""
    found = []
    for word in words:
        target = PACKAGES / str(len(mounts))
        if word.startswith("file:"):
            pages = Path(unquote(urlsplit(word).path))
            # an index's pages point to files beside them (simple/ and files/), so the folder of both goes in
            mounts[target] = pages.parent
            found.append(f"file://{target / pages.name}")
        elif "://" in word:
            found.append(word)
        else:
            mounts[target] = Path(word).expanduser()
            found.append(str(target))
    return tuple(found)


def _configurations(
    pip: Mapping[str, str], places: Mapping[str, tuple[str, ...]], *, strategy: str = ""
) -> dict[str, str]:
    """Return pip's and uv's configuration files, by the names that `FILES` has for them."""
    of_pip = {option: pip[option] for option in OTHERS if option in pip}
    of_pip |= {option: " ".join(words) for option, words in places.items()}
    of_uv: dict[str, object] = {option: list(words) for option, words in places.items()}
    if "index-url" in places:
        (of_uv["index-url"],) = places["index-url"]
    if "trusted-host" in pip:
        of_uv["allow-insecure-host"] = pip["trusted-host"].split()
    if pip.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        of_uv["no-index"] = True
    if strategy:
        of_uv["index-strategy"] = strategy
    return {
        "pip.conf": "".join(["[global]\n", *(f"{option} = {value}\n" for option, value in of_pip.items())]),
        # for strings, lists of them and booleans TOML and JSON agree
        "uv.toml": "".join(f"{option} = {json.dumps(value)}\n" for option, value in of_uv.items()),
    }
