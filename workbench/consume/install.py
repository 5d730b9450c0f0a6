"""What a lock names, put into a project's environment by uv or pip; they look nowhere but at the files it names."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from packaging.version import Version

from workbench.consume.lock import check_lock, check_name, kept_of, read_lock, write_lock
from workbench.consume.reading import read_through
from workbench.errors import CommandFailed, InstallFailed, SourceError, ToolMissing, UsageError
from workbench.files import temporary
from workbench.process import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packaging.pylock import PackageWheel, Pylock

    from workbench.consume.logins import Logins

Installer = Literal["uv", "pip"]

_FIRST_PIP = "26.1"
"""The first pip that installs from ``pylock.toml``."""


def install(
    lock: Path,
    interpreter: Path,
    *,
    logins: Logins | None = None,
    installer: Installer = "uv",
    sync: bool = False,
    offline: bool = False,
) -> str:
    """Install a lock into the environment of an interpreter, and return what the installer said.

    Files for whose host `logins` have a token are fetched here, because uv and pip would not know it. Nothing that
    is not in the lock is removed, unless `sync` asks for it; that needs uv. `offline` takes files from uv's cache
    alone. Raises LockFault before anything is touched, and InstallFailed with the installer's reason, after which
    nothing of it is installed.
    """
    check_name(lock)
    read = read_lock(lock)
    check_lock(read, lock)
    if sync and (kept := kept_of(read)):
        raise UsageError(
            f"--sync would remove torch: {lock} has no {kept}, because no index has this build: leave out --sync"
        )
    if installer == "pip" and (sync or offline):
        raise UsageError(f"--{'sync' if sync else 'offline'} needs uv: leave out --with pip")
    words = _uv(interpreter, sync=sync, offline=offline) if installer == "uv" else _pip(interpreter)
    try:
        with fetched(read, logins, lock.resolve()) as complete:
            return run([*words, complete]).output
    except CommandFailed as error:
        said = str(error).split("\n", 2)[-1]
        raise InstallFailed(f"{lock}: nothing was installed:\n{said}") from error


@contextmanager
def fetched(read: Pylock, logins: Logins | None, lock: Path) -> Iterator[Path]:
    """Yield a lock whose files need no login: the one at `lock`, or one beside files that were fetched with theirs.

    Raises SourceError for what does not come, or is not what was locked.
    """
    private = [
        (package, wheel)
        for package in read.packages
        for wheel in package.wheels or ()
        if logins and wheel.url and logins.headers(wheel.url)
    ]
    if not (logins and private):
        yield lock
        return
    with temporary() as folder:
        local: dict[str, PackageWheel] = {}
        for package, wheel in private:
            try:
                _fetch(wheel, logins, folder / wheel.filename)
            except SourceError as error:
                raise SourceError(f"{error}; nothing was installed") from error
            local[package.name] = replace(wheel, url=None, name=None, path=wheel.filename)
        packages = [
            replace(package, wheels=[local[package.name]]) if package.name in local else package
            for package in read.packages
        ]
        write_lock(replace(read, packages=packages), folder / lock.name)
        yield folder / lock.name


def _fetch(wheel: PackageWheel, logins: Logins, to: Path) -> None:
    with to.open("xb") as file:
        sha256, _ = read_through(
            wheel.url or "", wheel.filename, logins, doing="fetch {}", size=wheel.size, into=file
        )
    if sha256 != wheel.hashes["sha256"]:
        raise SourceError(f"{wheel.filename}: it is not the file that was locked (sha256)")


def _uv(interpreter: Path, *, sync: bool, offline: bool) -> Sequence[str]:
    what = ["sync"] if sync else ["install"]
    words = [
        "uv",
        "pip",
        *what,
        f"--python={interpreter}",
        "--preview-features=pylock",
        "--no-index",
        "--no-build",
    ]
    return [*words, *(["--offline"] if offline else []), *([] if sync else ["-r"])]


def _pip(interpreter: Path) -> Sequence[str]:
    found = run([interpreter, "-m", "pip", "--version"], check=False).output.split()
    if found[:1] != ["pip"]:
        raise ToolMissing(f"{interpreter} has no pip: leave out --with pip, and uv installs")
    if Version(found[1]) < Version(_FIRST_PIP):
        raise ToolMissing(
            f"pip {found[1]} does not read pylock.toml: {interpreter} -m pip install -U 'pip>={_FIRST_PIP}'"
        )
    words = [str(interpreter), "-m", "pip", "install", "--no-index", "--only-binary=:all:", "--no-input"]
    return [*words, "--disable-pip-version-check", "-r"]
