"""Virtual environments, made and filled with uv."""

from __future__ import annotations

import ast
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import CommandFailed, WorkbenchError
from workbench.files import content_of
from workbench.process import run

if TYPE_CHECKING:
    from packaging.pylock import Package

    from workbench.process import Completed, Variables


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment at `path`."""

    path: Path

    @classmethod
    def create(
        cls, path: Path, *, python: Path | str, relocatable: bool = False, log: Path | None = None
    ) -> Environment:
        """Make a fresh environment for an interpreter, in place of what was there. Raises CommandFailed.

        The programs of a `relocatable` one run wherever its folder is seen.
        """
        options = ["--relocatable"] if relocatable else []
        uv("venv", "--clear", "--no-project", *options, "--python", python, path, log=log)
        return cls(path)

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.path / "bin" / "python"

    def install(
        self, requirements: Sequence[str | Path], *, options: Sequence[str] = (), log: Path | None = None
    ) -> Completed | None:
        """Install PEP 508 strings or wheel files, from the package index. Raises CommandFailed with what uv said."""
        if not requirements:
            return None
        return uv("pip", "install", f"--python={self.python}", *options, "--", *requirements, log=log)

    @property
    def lock(self) -> Path:
        """Where `install_pinned` writes which files it installed (PEP 751)."""
        return self.path / "pylock.toml"

    def install_pinned(
        self, requirements: Sequence[str], *, options: Sequence[str] = (), log: Path | None = None
    ) -> None:
        """Resolve PEP 508 strings to files with their hashes, write those into `lock`, and install them.

        `requirements` are all that the environment is to have: what an earlier call installed keeps its version where
        that goes together. Raises CommandFailed with what uv said.
        """
        if not requirements:
            return
        found = resolve(requirements, self.lock, options=[f"--python={self.python}", *options], log=log)
        # of the lock itself, uv 0.13 installs no file from its cache: each build would unpack torch anew
        self.install_files([*map(self._pin, found)], options=options, log=log)

    def install_files(self, pins: Sequence[str], *, options: Sequence[str], log: Path | None) -> None:
        """Install files by lines of ``requirements.txt``, each with its hash; what they require must be among them.

        Raises CommandFailed with what uv said.
        """
        if not pins:
            return
        pinned = self.path / "requirements.txt"
        pinned.write_text("".join(f"{pin}\n" for pin in pins), encoding="utf-8")
        uv("pip", "install", "--no-deps", f"--python={self.python}", *options, "-r", pinned, log=log)

    def _pin(self, package: Package) -> str:
        """Return a locked package as a line of ``requirements.txt``, with the hashes that uv then asks for."""
        files = (package.archive, package.sdist, *(package.wheels or ()))
        if package.archive:
            place = package.archive.url or (self.path / str(package.archive.path)).as_uri()
            wanted = f"{package.name} @ {place}"
        elif package.vcs:
            wanted = f"{package.name} @ {package.vcs.type}+{package.vcs.url}@{package.vcs.commit_id}"
        elif package.directory:
            wanted = f"{package.name} @ {(self.path / package.directory.path).as_uri()}"
        else:
            wanted = f"{package.name}=={package.version}"
        return " ".join([wanted, *(f"--hash=sha256:{each.hashes['sha256']}" for each in files if each)])

    def run_code(
        self,
        code: str,
        *,
        cwd: Path,
        env: Variables = None,
        under: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> Completed:
        """Run Python code in the environment, isolated from `cwd` and from this process's Python settings.

        Its stderr is kept apart from its answer; `env` and `under` are those of `run`, `options` the interpreter's.
        Raises CommandFailed with the last lines of what it printed.
        """
        return run([self.python, "-I", *options, "-c", code], cwd=cwd, env=env, under=under, stdout_only=True)


def resolve(
    requirements: Sequence[str], lock: Path, *, options: Sequence[str], log: Path | None = None
) -> Sequence[Package]:
    """Resolve PEP 508 strings to files with their hashes, write those into `lock` (PEP 751), and return them.

    `options` are uv's, and say for which Python. What `lock` has already keeps its version where that goes together.
    Raises CommandFailed with what uv said.
    """
    asked = lock.with_name("requirements.in")
    asked.write_text("\n".join(requirements) + "\n", encoding="utf-8")
    words = ["--format=pylock.toml", "--no-header", "--no-annotate", f"--output-file={lock}"]
    uv("pip", "compile", *words, *options, asked, log=log)
    return locked(lock)


def locked(lock: Path) -> Sequence[Package]:
    """Return what `resolve` wrote; nothing where it was never called."""
    from packaging.pylock import Pylock

    written = content_of(lock)
    return () if written is None else Pylock.from_dict(tomllib.loads(written.decode())).packages


def install_into(
    folder: Path,
    requirements: Sequence[str | Path],
    *,
    python: str,
    platform: str,
    options: Sequence[str] = (),
) -> None:
    """Install wheels for another machine into a folder: its `python` and `platform`, as `machine_options` has them.

    The folder's own folder is there. Raises CommandFailed with what uv said.
    """
    machine = machine_options(python, platform, folder.parent)
    into = ("--only-binary=:all:", f"--target={folder}")
    uv("pip", "install", *into, *machine, *options, "--", *requirements)


_REFUSED = ("Failed to initialize cache", "Read-only file system (os error", "Permission denied (os error")


def uv(
    *words: str | Path, cwd: Path | None = None, log: Path | None = None, stdout_only: bool = False
) -> Completed:
    """Run uv, which asks the index that pip asks; the rest is as `run` has it.

    Raises CommandFailed with what it said; WorkbenchError where it cannot write its cache: that is this machine's
    trouble, and none of what is installed.
    """
    try:
        return run(
            ["uv", "--quiet", *words], env=index_environment(), cwd=cwd, log=log, stdout_only=stdout_only
        )
    except CommandFailed as error:
        cache = run(["uv", "cache", "dir"], check=False, stdout_only=True).output.strip()
        of_cache = [line for line in str(error).splitlines() if cache and cache in line]
        if not any(each in line for line in of_cache for each in _REFUSED):
            raise
        remedy = "see that this user may write there, or name another folder in UV_CACHE_DIR"
        raise WorkbenchError(f"uv cannot write its cache, {cache}: {remedy}\n{error}") from error


_FREE_THREADED = f"""\
#!/bin/sh
{shlex.quote(sys.executable)} "$@" | sed 's/"gil_disabled": false/"gil_disabled": true/'
"""
"""uv takes a version and a platform from options, and whether a Python is free-threaded from an interpreter alone
(astral-sh/uv#21149). Were it told in vain, pip would refuse the wheels that are not for such a Python."""


def machine_options(python: str, platform: str, scratch: Path) -> list[str]:
    """Return uv's options for a machine: its `python` (``3.12``, ``3.13t``) and `platform` (`python_platform`).

    A free-threaded Python need not be here: the folder `scratch` gets a program that uv takes for one.
    """
    version = python.removesuffix("t")
    options = [f"--python-version={version}", f"--python-platform={platform}"]
    if version == python:
        return options
    path = scratch / "python-free-threaded"
    path.write_text(_FREE_THREADED, encoding="utf-8")
    path.chmod(0o700)
    return [*options, f"--python={path}"]


_GLIBCS = (17, 28, *range(31, 41))
"""The minor versions of glibc 2 that uv has a platform for."""


def python_platform(arch: str, glibc: str) -> str:
    """Return uv's name for an architecture and a glibc (``2.41``), or the next older one that it knows.

    Raises ValueError for what is not a glibc, and for one that is older than all of them.
    """
    found = re.fullmatch(r"2\.(\d+)", glibc)
    older = [known for known in _GLIBCS if found and known <= int(found[1])]
    if not older:
        raise ValueError(f"{glibc!r} is not glibc 2.{_GLIBCS[0]} or newer")
    return f"{arch}-manylinux_2_{max(older)}"


def read_pip_options() -> Mapping[str, str]:
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


@cache
def index_url() -> str | None:
    """Return the package index that the user's pip is configured for, or None where it is pip's own default.

    uv reads no pip configuration; a mirror that pip knows must serve it too.
    """
    return os.environ.get("PIP_INDEX_URL") or read_pip_options().get("index-url")


def package_index() -> str:
    """Return the URL of the package index that uv and pip ask: the user's own, or else the public one."""
    if chosen := _uv_default_index(os.environ) or index_url():
        return chosen
    from pip._internal.models.index import PyPI  # pip's own default

    return f"{PyPI.simple_url}/"


def _uv_default_index(variables: Mapping[str, str]) -> str | None:
    """Return the URL of the index that uv's own variables name instead of the public one, or None."""
    chosen = variables.get("UV_DEFAULT_INDEX") or variables.get("UV_INDEX_URL")
    return url_of(chosen) if chosen else None


def url_of(index: str) -> str:
    """Return the URL of an index as uv's variables have it: ``URL``, ``name=URL``, or a folder."""
    name, named, behind = index.partition("=")
    where = behind if named and ":" not in name else index
    return where if ":" in where else Path(where).expanduser().absolute().as_uri()


def index_environment() -> dict[str, str]:
    """Return what to add to uv's environment so that it asks the index that pip asks."""
    if {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & os.environ.keys():
        return {}
    url = index_url()
    return {"UV_DEFAULT_INDEX": url} if url else {}
