"""Unpack source archives, and check that they are the source that they should be."""

from __future__ import annotations

import lzma
import stat
import tarfile
import zipfile
import zlib
from contextlib import suppress
from email.parser import HeaderParser
from importlib import import_module
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from workbench.errors import SourceError
from workbench.files import scratch

_UNREADABLE = (EOFError, OSError, lzma.LZMAError, zlib.error, zipfile.BadZipFile)
"""What Python's readers of archives raise, beside a TarError."""


def unpack(archive: Path, into: Path) -> None:
    """Unpack an sdist, any tar archive or a zip; its one top folder becomes `into`, which must not exist.

    Raises SourceError for an archive that cannot be read, has not exactly one folder at its top, or has a member that
    would land outside it (PEP 706); `into` is then not there.
    """
    # Python 3.11.2, Debian 12's, does not know PEP 706's filters
    tars = tarfile if hasattr(tarfile, "data_filter") else import_module("backports.tarfile")
    with scratch(into.parent, ".unpacking-") as folder:
        try:
            if zipfile.is_zipfile(archive):
                _unzip(archive, folder)
            else:
                with tars.open(archive) as tar:
                    tar.extractall(folder, filter="data")
        except (*_UNREADABLE, tars.TarError) as error:
            raise SourceError(f"{archive}: the archive cannot be unpacked: {error}") from error
        tops = sorted(folder.iterdir())
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
    with suppress(InvalidVersion):
        if (canonicalize_name(found_name), Version(found_version)) == (
            canonicalize_name(name),
            Version(version),
        ):
            return
    raise SourceError(
        f"{archive}: its PKG-INFO says {found_name} {found_version}, and the recipe {name} {version}: "
        f"correct the recipe's version, or its sha256"
    )


def _unzip(archive: Path, into: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            path, mode = PurePosixPath(member.filename), member.external_attr >> 16
            if path.is_absolute() or ".." in path.parts or "\\" in member.filename:
                raise zipfile.BadZipFile(f"{member.filename!r} would leave it")
            if stat.S_ISLNK(mode):
                raise zipfile.BadZipFile(f"{member.filename!r} is a link")
            made = Path(file.extract(member, into))
            if mode & stat.S_IXUSR and not member.is_dir():
                made.chmod(0o755)
