"""What a build on this machine may see: the system, what it is built with, and its own folder at one fixed place.

No network, no home, no files of anybody's, none of the caller's variables: bubblewrap makes such a room without root.
Because the folder is called the same in each build, paths that compilers write into a wheel are the same as well.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workbench.process import MARK, run

ROOT = "/build"
"""Where a build's own folder lies, for the build."""

TEMPORARY = "/tmp"  # noqa: S108 - of the room's own, which nobody else sees

COUNTERS = ".network-counters"
"""Among a build's temporary files: what the kernel has counted of its network, after each of its programs."""

_COUNTING = 'file=$1; shift; "$@"; status=$?; cat /proc/net/snmp >>"$file"; exit $status'
"""Runs a program, and then writes down what its network has counted (proc(5))."""

_BWRAP = "bwrap"

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store")
_ETC = (
    *(
        "alternatives",
        "ld.so.cache",
        "ld.so.conf",
        "ld.so.conf.d",
        "passwd",
        "group",
        "nsswitch.conf",
        "localtime",
    ),
    *("hosts", "resolv.conf", "ssl/certs", "ssl/openssl.cnf", "pki", "ca-certificates", "perl", "python3"),
    *("OpenCL", "vulkan"),
)
"""What programs look for below /etc, without what is secret there."""

_GPU = ("nvidia", "dri", "kfd", "dxg")
"""How the names of GPUs begin below /dev."""

_CERTIFICATES = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_HOMES = ("HOME", "USER", "XDG_CACHE_HOME", "CARGO_HOME", "RUSTUP_HOME")
"""Where programs keep their own, for a build that is not isolated."""

_RESTRICTED = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a program sees. `own` are its folders: where they lie here, by where they lie for it; it may write there.

    `kept` are files and folders of its own that it may only read. `reads` are paths that it sees as they are here, and
    may only read. `network` and `gpu` say whether it has these.
    """

    own: Mapping[str, Path]
    kept: Mapping[str, Path]
    reads: tuple[Path, ...] = ()
    network: bool = False
    gpu: bool = False

    def inside(self, text: str) -> str:
        """Return a text in which every path of this machine that is the room's own is as the program sees it."""
        for there, here in (*self.kept.items(), *self.own.items()):
            text = text.replace(str(here), there)
        return text

    def words(self, cwd: str, *, writes: Sequence[str] = (), counts: str = "") -> tuple[str, ...]:
        """Return the words that stand before a program's, so that it runs in this room in the folder `cwd`.

        `writes` are more folders that it may write, where they lie here. `counts` names a file among its temporary
        ones for the counters of its network.
        """
        counting = (
            ("sh", "-c", _COUNTING, "sh", f"{TEMPORARY}/{counts}") if counts and not self.network else ()
        )
        return (
            _BWRAP,
            *_basis(self.network),
            *self._mounts(writes),
            "--remount-ro",
            "/",
            *("--unsetenv", MARK),  # a path of this machine, for those who end what is left from outside
            "--chdir",
            cwd,
            "--",
            *counting,
        )

    def _mounts(self, writes: Sequence[str]) -> Iterator[str]:
        for there, here in self.own.items():
            yield from ("--bind", str(here), there)
        for path in dict.fromkeys(each for read in self.reads for each in (read, read.resolve())):
            if path.exists() and not _is_system(path):
                yield from ("--ro-bind", str(path), str(path))
        if self.gpu:
            yield from ("--ro-bind-try", "/sys", "/sys")
            for device in (str(each) for each in Path("/dev").iterdir() if each.name.startswith(_GPU)):
                yield from ("--dev-bind", device, device)
        for folder in writes:
            yield from ("--bind", folder, folder)
        for there, here in self.kept.items():
            yield from ("--ro-bind-try", str(here), there)


def _is_system(path: Path) -> bool:
    """Say whether a path is of the system, which every room has."""
    return any(path.is_relative_to(each) for each in _SYSTEM)


def hidden(program: str) -> str:
    """Return where a program is that the caller finds and no room shows; "" where there is none such, or no rooms."""
    found = shutil.which(program)
    return found if found and not _is_system(Path(found)) and not why_not() else ""


def _basis(network: bool) -> Iterator[str]:
    yield from ("--unshare-all", *(["--share-net"] if network else []), "--die-with-parent", "--new-session")
    yield from (
        "--cap-drop",
        "ALL",
        "--hostname",
        "build",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--tmpfs",
        TEMPORARY,
    )
    for each in map(Path, _SYSTEM):
        if each.is_symlink():
            yield from ("--symlink", str(each.readlink()), str(each))
        elif each.is_dir():
            yield from ("--ro-bind", str(each), str(each))
    versioned = (each.name for each in Path("/etc").glob("python3.*"))  # Debian's sitecustomize
    for name in (*_ETC, *versioned):
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")


@cache
def why_not() -> str:
    """Return why nothing can be isolated on this machine, and what to do about it; "" where it can."""
    if shutil.which(_BWRAP) is None:
        return "bubblewrap is not installed: 'apt install bubblewrap'"
    tried = run([_BWRAP, *_basis(network=False), "--remount-ro", "/", "--", "/bin/true"], check=False)
    if tried.status == 0:
        return ""
    said = (tried.output.strip().splitlines() or [f"it ended with {tried.status}"])[-1]
    # behind a colon stands what to do about it
    said = said.removeprefix("bwrap: ").replace(": ", ", ")
    remedy = "user namespaces must be allowed to this user"
    if _RESTRICTED.exists() and _RESTRICTED.read_text(encoding="ascii").strip() == "1":
        remedy = (
            "Ubuntu lets a program make user namespaces by an AppArmor profile: install apparmor-profiles, and link "
            "/usr/share/apparmor/extra-profiles/bwrap-userns-restrict into /etc/apparmor.d; "
            "'systemctl reload apparmor' loads it"
        )
    return f"bubblewrap cannot start here ({said}): {remedy}"


def usual_variables(*, isolated: bool, network: bool) -> dict[str, str]:
    """Return the variables that a build gets of those that this process has, and the usual ones: none with a secret.

    The search path has the system's programs, and without isolation all of them.
    """
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    seen = [each for each in path if not isolated or _is_system(Path(each))]
    fixed = {"PATH": os.pathsep.join(seen), "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONNOUSERSITE": "1"}
    wanted = {*(_HOMES if not isolated else ())}
    if network or not isolated:
        wanted |= {*_CERTIFICATES, *_PROXIES, *map(str.upper, _PROXIES)}
    return fixed | {name: os.environ[name] for name in sorted(wanted & os.environ.keys())}


def certificates() -> Iterator[Path]:
    """Yield the files and folders of certificates that this process's variables name."""
    yield from (Path(os.environ[name]) for name in _CERTIFICATES if name in os.environ)


def interpreter_of(python: Path) -> Iterator[Path]:
    """Yield the folders that the Python of a virtual environment's `python` lies in, through its links."""
    for _ in range(8):
        if not python.is_symlink():
            break
        python = python.parent / python.readlink()
        yield python.parent.parent


def moved(folder: Path, room: Room) -> None:
    """Rewrite the text files of a folder so that they name paths as a room's programs see them."""
    for path in _files(folder.rglob("*")):
        text = path.read_bytes().decode(errors="surrogateescape")
        if (new := room.inside(text)) != text:
            path.write_bytes(new.encode(errors="surrogateescape"))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    return (path for path in paths if path.is_file() and not path.is_symlink())
