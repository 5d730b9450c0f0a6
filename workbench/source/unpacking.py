"""Unpack source archives, and check that they are the source that they should be."""

from __future__ import annotations

import lzma
import stat
import tarfile
import tempfile
import zipfile
import zlib
from email.parser import HeaderParser
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from workbench.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType


def unpack(archive: Path, into: Path) -> None:
    """Unpack an sdist, any tar archive or a zip; its one top folder becomes `into`, which must not exist.

    Raises SourceError for an archive that cannot be read, has not exactly one folder at its top, or has a
    member that would land outside it (PEP 706); `into` is then not there.
    """
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=f".{into.name}.") as folder:
        try:
            if zipfile.is_zipfile(archive):
                _unzip(archive, Path(folder))
            else:
                _untar(archive, Path(folder))
        except (EOFError, OSError, lzma.LZMAError, zlib.error, zipfile.BadZipFile) as error:
            raise SourceError(f"{archive}: the archive cannot be unpacked: {error}") from error
        tops = sorted(Path(folder).iterdir())
        if len(tops) != 1 or not tops[0].is_dir():
            names = ", ".join(top.name for top in tops[:5]) or "nothing"
            raise SourceError(f"{archive}: an sdist has one folder at its top, and this has {names}")
        tops[0].rename(into)


def check_metadata(tree: Path, name: str, version: str, *, archive: Path) -> None:
    """Check that an unpacked sdist's ``PKG-INFO`` says this name and version. Raises SourceError."""
    try:
        text = (tree / "PKG-INFO").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        raise SourceError(f"{archive}: no PKG-INFO at its top: not an sdist") from error
    metadata = HeaderParser().parsestr(text)
    found_name, found_version = metadata.get("Name", ""), metadata.get("Version", "")
    try:
        same = canonicalize_name(found_name) == canonicalize_name(name)
        same = same and Version(found_version) == Version(version)
    except InvalidVersion:
        same = False
    if not same:
        raise SourceError(
            f"{archive}: its PKG-INFO says {found_name} {found_version}, and the recipe {name} {version}: "
            f"correct the recipe's version, or its sha256"
        )


def _tarfile() -> ModuleType:
    """Return a tarfile that knows PEP 706's filters: Python 3.11.2, Debian 12's, does not."""
    if hasattr(tarfile, "data_filter"):
        return tarfile
    return import_module("backports.tarfile")


def _untar(archive: Path, into: Path) -> None:
    module = _tarfile()
    try:
        with module.open(archive) as tar:
            tar.extractall(into, filter="data")
    except module.TarError as error:
        raise SourceError(f"{archive}: the archive cannot be unpacked: {error}") from error


def _unzip(archive: Path, into: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        members = file.infolist()
        _check_members(archive, members)
        for member in members:
            path = Path(file.extract(member, into))
            if member.external_attr >> 16 & stat.S_IXUSR and not member.is_dir():
                path.chmod(0o755)


def _check_members(archive: Path, members: Iterable[zipfile.ZipInfo]) -> None:
    for member in members:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename:
            raise SourceError(
                f"{archive}: the archive cannot be unpacked: {member.filename!r} would leave it"
            )
        if stat.S_ISLNK(member.external_attr >> 16):
            raise SourceError(f"{archive}: the archive cannot be unpacked: {member.filename!r} is a link")
