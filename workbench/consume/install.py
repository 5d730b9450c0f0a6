"""What a lock names, put into a project's environment by uv or pip; they look nowhere but at the files it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from packaging.version import Version

from workbench.consume.lock import check_lock, check_name, read_lock
from workbench.errors import CommandFailed, InstallFailed, ToolMissing, UsageError
from workbench.process import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Installer = Literal["uv", "pip"]

FIRST_PIP = "26.1"
"""The first pip that installs from ``pylock.toml``."""


def install(
    lock: Path, interpreter: Path, *, installer: Installer = "uv", sync: bool = False, offline: bool = False
) -> str:
    """Install a lock into the environment of an interpreter, and return what the installer said.

    Nothing that is not in the lock is removed, unless `sync` asks for it; that needs uv. `offline` takes files from
    uv's cache alone. Raises LockFault before anything is touched, and InstallFailed with the installer's reason,
    after which nothing of it is installed.
    """
    check_name(lock)
    check_lock(read_lock(lock), lock)
    if installer == "pip" and (sync or offline):
        raise UsageError(f"--{'sync' if sync else 'offline'} needs uv: leave out --with pip")
    words = _uv(interpreter, sync=sync, offline=offline) if installer == "uv" else _pip(interpreter)
    try:
        return run([*words, lock.resolve()]).output
    except CommandFailed as error:
        said = str(error).split("\n", 2)[-1]
        raise InstallFailed(f"{lock}: nothing was installed:\n{said}") from error


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
    if Version(found[1]) < Version(FIRST_PIP):
        raise ToolMissing(
            f"pip {found[1]} does not read pylock.toml: {interpreter} -m pip install -U 'pip>={FIRST_PIP}'"
        )
    words = [str(interpreter), "-m", "pip", "install", "--no-index", "--only-binary=:all:", "--no-input"]
    return [*words, "--disable-pip-version-check", "-r"]
