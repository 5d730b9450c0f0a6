"""Debian packages unpacked into a folder, of any suite and architecture: nothing of them is run.

apt resolves, fetches and checks them with a state of its own, so the machine's stays as it is and no root is needed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from workbench.arch import OCI_ARCH
from workbench.errors import CommandFailed, ContainerError
from workbench.files import locked
from workbench.process import run
from workbench.url import has_secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A release of Debian: its Python (X.Y), its gcc, and the glibc that sets the floor of its wheels."""

    name: str
    python: str
    gcc: int
    glibc: str


SUITES = {
    suite.name: suite
    for suite in (
        Suite(name="bullseye", python="3.9", gcc=10, glibc="2.31"),
        Suite(name="bookworm", python="3.11", gcc=12, glibc="2.36"),
        Suite(name="trixie", python="3.13", gcc=14, glibc="2.41"),
    )
}
"""The oldest first."""

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

_MERGED = ("bin", "sbin", "lib", "lib64")
"""Folders that Debian keeps below ``/usr`` and links to from the root."""


def unpack(
    packages: Sequence[str], into: Path, *, suite: str, arch: str, cache: Path, mirror: str | None = None
) -> int:
    """Unpack packages and what they depend on into a new folder; return how many bytes had to be downloaded.

    `arch` is ``uname -m``'s word. Package files and lists stay in `cache`. `mirror` is a Debian mirror's URL; None: the
    one that this machine's apt uses. Raises ContainerError where apt cannot have them.
    """
    with locked(cache / f"{suite}-{arch}.lock"):
        files, downloaded = _fetch(packages, cache / f"{suite}-{arch}", suite, arch, mirror or _apt_mirror())
        for name in _MERGED:
            (into / "usr" / name).mkdir(parents=True)
            (into / name).symlink_to(f"usr/{name}")
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            list(pool.map(lambda deb: _unpack(deb, into), files))
    return downloaded


def _fetch(
    packages: Sequence[str], state: Path, suite: str, arch: str, mirror: str
) -> tuple[list[Path], int]:
    """Return the files of packages and of what they depend on, and how many bytes of them were not there yet."""
    if has_secret(mirror):
        raise ContainerError(
            f"{mirror}: a login in a mirror's URL would be stored and seen in process lists: put it into "
            "/etc/apt/auth.conf, and leave it out of the URL"
        )
    debs = state / "debs"
    for folder in (debs / "partial", state / "lists" / "partial", state / "none" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    (state / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {mirror} {suite} main\n")
    apt = ["apt-get", "--quiet", "--yes", *_options(state, OCI_ARCH[arch])]
    wanted = ["install", "--no-install-recommends", *packages]
    try:
        run([*apt, "update"])
        # asked of an empty archive, apt names all that it would fetch
        ask = [*apt, f"--option=Dir::Cache::Archives={state / 'none'}/", "--print-uris", *wanted]
        named = run(ask, stdout_only=True).output
        before = {deb.name for deb in debs.glob("*.deb")}
        run([*apt, f"--option=Dir::Cache::Archives={debs}/", "--download-only", *wanted])
    except CommandFailed as error:
        raise ContainerError(
            f"Debian {suite} for {arch} could not be downloaded from {mirror}: {error}\nName another with --mirror"
        ) from error
    files = [debs / name for name in re.findall(r"^'[^']+' (\S+\.deb) ", named, re.MULTILINE)]
    return files, sum(deb.stat().st_size for deb in files if deb.name not in before)


def _options(state: Path, arch: str) -> list[str]:
    options = {
        "APT::Architecture": arch,
        "APT::Architectures": arch,
        "APT::Sandbox::User": "",  # the cache may be where only this user may go
        "Acquire::Check-Valid-Until": "false",  # an old suite's lists have run out
        "Acquire::Languages": "none",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Etc::SourceList": state / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State": state,
        "Dir::State::Lists": state / "lists",
        "Dir::State::Status": state / "status",
    }
    return [f"--option={key}={value}" for key, value in options.items()]


def _unpack(deb: Path, root: Path) -> None:
    # tar keeps the links of the root, which 'dpkg-deb --extract' would replace with folders
    script = 'dpkg-deb --fsys-tarfile "$1" | tar --extract --directory="$2" --keep-directory-symlink --no-same-owner'
    run(["sh", "-ec", script, "sh", deb, root])


def _apt_mirror() -> str:
    """Return the Debian mirror of this machine's own apt. Raises ContainerError where apt has none."""
    ask = ["apt-get", "indextargets", "--format=$(LABEL) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"]
    listed = run(ask, check=False, stdout_only=True).output
    found = re.search(r"^Debian main (\S+)$", listed, re.MULTILINE)
    if not found:
        raise ContainerError("this machine's apt names no Debian mirror: give the URL of one with --mirror")
    return found[1]
