"""What a build requires, as files: resolved here for another machine, each a wheel with its hash, and downloaded.

A container without a network installs from a folder of them. What the build backend asks for once it runs comes into a
second folder beside the first: ``containers/prepare.py`` says in the log what that is, and waits for it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from workbench.environment import (
    machine_options,
    package_index,
    python_platform,
    read_pip_options,
    resolve,
    url_of,
)
from workbench.errors import ContainerError
from workbench.events import step
from workbench.files import content_of
from workbench.process import run
from workbench.text import counted
from workbench.wheel.serves import platform_tags

if TYPE_CHECKING:
    from packaging.pylock import Package

INSIDE = PurePosixPath("/workbench-packages")
"""Where a container sees the folder."""

FIRST, MORE = "first", "more"
"""The folders of wheels in it: what is required from the start, and what the backend asked for on top."""

LOCK = "pylock.toml"
"""Which files they are (PEP 751)."""

GLIBC = "2.28"
"""The glibc that an image is taken to have, or a newer one, where its name does not say."""

_ASKS = re.compile(r"requires: (\[.*\])")
"""What ``containers/prepare.py`` says of the build backend's requirements."""

_MORE_INDEXES = ("UV_INDEX", "UV_EXTRA_INDEX_URL")
"""Variables of uv's that name indexes to ask before its default one."""


def fetch_wheels(
    requirements: Sequence[str],
    house: Path,
    *,
    folder: str,
    python: str,
    arch: str,
    glibc: str = GLIBC,
    options: Sequence[str] = (),
    pins: Sequence[str] | None = None,
    log: Path | None = None,
) -> None:
    """Download wheels of some requirements (PEP 508) and of what they require, for another machine.

    They are found as for a build on this machine: in the index of uv or pip, and by `options` of uv's. With `pins`,
    lines of ``requirements.txt``, nothing is looked for: they say which files. `folder`, below `house`, is there once
    all of them are. Raises CommandFailed with what uv or pip said, where there is no such wheel,
    and ContainerError for what is not a file.
    """
    if (house / folder).is_dir():  # the same build, tried once more with fewer compilers
        return
    house.mkdir(parents=True, exist_ok=True)
    machine = machine_options(python, python_platform(arch, glibc), house)
    arriving = house / f"{folder}.arriving"
    arriving.mkdir(exist_ok=True)
    with step(f"wheels for {', '.join(requirements) or 'no requirements'}") as at:
        if requirements:
            lines = pins
            if lines is None:
                only = [*machine, "--only-binary=:all:", *options]
                found = resolve(requirements, house / LOCK, options=only, log=log)
                lines = list(map(_pin, found))
            had = (content_of(house / f"{FIRST}.txt") or b"").decode().splitlines()
            new = [each for each in lines if each not in had]
            _download(new, arriving, python=python, arch=arch, glibc=glibc, log=log)
        at.outcome = counted(len(list(arriving.iterdir())), "wheel")
    arriving.rename(house / folder)


def asked_in(line: str) -> tuple[str, ...]:
    """Return what a line of a build's log says that the backend requires; nothing for any other line."""
    if found := _ASKS.fullmatch(line.strip()):
        try:
            asked: object = json.loads(found[1])
        except ValueError:
            return ()
        if isinstance(asked, list):
            return tuple(map(str, asked))
    return ()


def glibc_of(image: str) -> str:
    """Return the glibc of an image that is named for a manylinux policy (PEP 600); of others `GLIBC`."""
    if re.match(r"manylinux2014\b", image):
        return "2.17"
    named = re.match(r"manylinux_2_(\d+)", image)
    return f"2.{named[1]}" if named else GLIBC


def _pin(package: Package) -> str:
    """Return a locked package as a line of ``requirements.txt``: the URL of its file, and the hash."""
    file = package.archive or next(iter(package.wheels or ()), None)
    if file is None:
        raise ContainerError(
            f"a container installs nothing but wheels, and the build requires {package.name} from a repository or a "
            "folder: publish a wheel of it, or build with another --builder"
        )
    place = file.url or Path(str(file.path)).as_uri()
    return f"{package.name} @ {place} --hash=sha256:{file.hashes['sha256']}"


def _download(
    pins: Sequence[str], into: Path, *, python: str, arch: str, glibc: str, log: Path | None
) -> None:
    if not pins:
        return
    listed = into.with_suffix(".txt")
    listed.write_text("".join(f"{each}\n" for each in pins), encoding="utf-8")
    download = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", f"--dest={into}"]
    machine = ["--implementation=cp", f"--python-version={python.removesuffix('t')}"]
    # the free-threaded Pythons do not load what is built for the stable ABI
    abis = [f"cp{python.replace('.', '')}", "none", *(() if python.endswith("t") else ("abi3",))]
    machine += [f"--abi={abi}" for abi in abis]
    machine += [f"--platform={platform}" for platform in sorted(platform_tags(arch, glibc))]
    run([*download, "--require-hashes", *machine, "-r", listed], env=_logins(os.environ), log=log)


def _logins(variables: Mapping[str, str]) -> dict[str, str]:
    """Return pip's variables that name the indexes that uv asks: their logins are good for their files as well."""
    more = [url_of(word) for name in _MORE_INDEXES for word in variables.get(name, "").split()]
    more += read_pip_options().get("extra-index-url", "").split()
    return {"PIP_INDEX_URL": package_index(), "PIP_EXTRA_INDEX_URL": " ".join(more)}
