"""Unpacking: what an sdist may hold, and what is refused."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from workbench.errors import SourceError
from workbench.source.unpacking import check_metadata, unpack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INFO = b"Metadata-Version: 2.1\nName: My_Thing\nVersion: 1.0.0\n\nText: here\n"
MEMBERS = {"thing-1.0/PKG-INFO": (INFO, 0o644), "thing-1.0/tool": (b"#!/bin/sh\n", 0o755)}


def tar_of(path: Path, members: dict[str, tuple[bytes, int]], **links: str) -> Path:
    pack: Callable[[bytes], bytes] = gzip.compress
    if path.suffix in (".bz2", ".xz"):
        pack = bz2.compress if path.suffix == ".bz2" else lzma.compress
    content_of = io.BytesIO()
    with tarfile.open(fileobj=content_of, mode="w") as tar:
        for name, (content, mode) in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
        for name, target in links.items():
            member = tarfile.TarInfo(f"thing-1.0/{name}")
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    path.write_bytes(pack(content_of.getvalue()))
    return path


def zip_of(path: Path, members: dict[str, tuple[bytes, int]]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, (content, mode) in members.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = mode << 16
            file.writestr(member, content)
    return path


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz", "zip"])
def test_the_top_folder_becomes_the_tree(tmp_path: Path, kind: str) -> None:
    make = zip_of if kind == "zip" else tar_of
    archive = make(tmp_path / f"thing-1.0.{kind}", MEMBERS)

    unpack(archive, tmp_path / "tree")

    assert (tmp_path / "tree" / "PKG-INFO").read_bytes() == INFO
    assert (tmp_path / "tree" / "tool").stat().st_mode & 0o111
    assert not (tmp_path / "tree" / "PKG-INFO").stat().st_mode & 0o111
    assert sorted(path.name for path in tmp_path.iterdir()) == [archive.name, "tree"]


def refusal(archive: Path, tmp_path: Path) -> str:
    with pytest.raises(SourceError) as raised:
        unpack(archive, tmp_path / "tree")
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]
    return str(raised.value)


@pytest.mark.parametrize("make", [tar_of, zip_of])
@pytest.mark.parametrize("name", ["thing-1.0/../../out", "../out"])
def test_a_member_that_would_leave_is_refused(tmp_path: Path, make: Callable[..., Path], name: str) -> None:
    assert "cannot be unpacked" in refusal(
        make(tmp_path / "x.archive", {**MEMBERS, name: (b"", 0o644)}), tmp_path
    )


def test_an_absolute_path_is_refused_or_lands_inside(tmp_path: Path) -> None:
    absolute = {**MEMBERS, str(tmp_path / "out"): (b"", 0o644)}
    assert "would leave it" in refusal(zip_of(tmp_path / "x.archive", absolute), tmp_path)
    # PEP 706 strips the slash
    assert "an sdist has one folder at its top" in refusal(tar_of(tmp_path / "x.archive", absolute), tmp_path)


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    assert "cannot be unpacked" in refusal(tar_of(tmp_path / "x.tar.gz", MEMBERS, link="../../etc"), tmp_path)
    (tmp_path / "x.tar.gz").unlink()
    linked = {**MEMBERS, "thing-1.0/link": (b"PKG-INFO", 0o120777)}
    assert "'thing-1.0/link' is a link" in refusal(zip_of(tmp_path / "x.zip", linked), tmp_path)


def test_more_than_one_top_folder_and_none(tmp_path: Path) -> None:
    two = tar_of(tmp_path / "x.tar.gz", {**MEMBERS, "other/y": (b"", 0o644)})
    assert "this has other, thing-1.0" in refusal(two, tmp_path)
    assert "this has nothing" in refusal(tar_of(tmp_path / "x.tar.gz", {}), tmp_path)
    assert "this has setup.py" in refusal(tar_of(tmp_path / "x.tar.gz", {"setup.py": (b"", 0o644)}), tmp_path)


def test_what_is_no_archive_or_half_of_one(tmp_path: Path) -> None:
    archive = tmp_path / "x.tar.gz"
    archive.write_bytes(b"<html>")
    assert "cannot be unpacked" in refusal(archive, tmp_path)
    tar_of(archive, {"thing-1.0/big": (bytes(range(256)) * 4000, 0o644)})
    archive.write_bytes(archive.read_bytes()[:-2000])
    assert "cannot be unpacked" in refusal(archive, tmp_path)


@pytest.mark.parametrize(
    ("name", "version", "why"),
    [
        ("my-thing", "1.0", None),
        ("thing", "1.0", "its PKG-INFO says My_Thing 1.0.0, and the recipe thing 1.0"),
        ("my-thing", "1.1", "its PKG-INFO says My_Thing 1.0.0, and the recipe my-thing 1.1"),
    ],
)
def test_metadata(tmp_path: Path, name: str, version: str, why: str | None) -> None:
    (tmp_path / "PKG-INFO").write_bytes(INFO)
    if why is None:
        check_metadata(tmp_path, name, version, archive=tmp_path / "x.tar.gz")
    else:
        with pytest.raises(SourceError, match=why):
            check_metadata(tmp_path, name, version, archive=tmp_path / "x.tar.gz")


@pytest.mark.parametrize("info", [None, b"", b"Name: my-thing\n", b"Name: my-thing\nVersion: newest\n"])
def test_metadata_that_is_missing(tmp_path: Path, info: bytes | None) -> None:
    if info is not None:
        (tmp_path / "PKG-INFO").write_bytes(info)
    with pytest.raises(SourceError, match="PKG-INFO"):
        check_metadata(tmp_path, "my-thing", "1.0", archive=tmp_path / "x.tar.gz")
