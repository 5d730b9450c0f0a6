"""Reading ``patches/<package>/series``."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from workbench.errors import PatchError
from workbench.patches.series import read_series

if TYPE_CHECKING:
    from pathlib import Path

PATCH = "Description: Say b\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "patches" / "pkg"
    (folder / "sub").mkdir(parents=True)
    for name in ("one.patch", "two.diff", "sub/three.patch"):
        (folder / name).write_text(PATCH)
    (folder / "README.md").write_text("not a patch\n")
    return folder


def test_in_order_with_comments_blank_lines_and_p1(folder: Path) -> None:
    (folder / "series").write_text("# first\n\ntwo.diff -p1\nsub/three.patch # why\n   one.patch\n")

    series = read_series(folder)

    assert [patch.name for patch in series] == ["two.diff", "sub/three.patch", "one.patch"]
    assert series[0].description == "Say b"
    assert series[0].sha256 == hashlib.sha256(PATCH.encode()).hexdigest()
    assert series[0].text == PATCH.encode()


def test_no_folder_and_no_patches(tmp_path: Path) -> None:
    assert read_series(tmp_path / "none") == ()
    (tmp_path / "series").write_text("# nothing\n")
    assert read_series(tmp_path) == ()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("one.patch -z", "unknown option -z: there are -p0"),
        ("one.patch -p1 --fuzz=3", "unknown option --fuzz=3: there are -p0"),
        ("sub/three.patch", "sub/three.patch is listed already, on line 1"),
        ("tow.diff", "tow.diff: no such patch in "),
        ("folder.patch", "folder.patch: a folder, not a patch"),
        ("../other/x.patch", "../other/x.patch: a patch lies below the folder"),
        ("/etc/passwd", "/etc/passwd: a patch lies below the folder"),
        ("./one.patch", "./one.patch: a patch lies below the folder"),
    ],
)
def test_a_wrong_line_is_named(folder: Path, line: str, why: str) -> None:
    (folder / "folder.patch").mkdir()
    (folder / "series").write_text(f"sub/three.patch\n\n{line}\n")
    with pytest.raises(PatchError) as raised:
        read_series(folder)
    assert str(raised.value).startswith(f"{folder / 'series'}:3: {why}")


def test_the_nearest_patch_is_offered(folder: Path) -> None:
    (folder / "series").write_text("tow.diff\n")
    with pytest.raises(PatchError, match=r"did you mean 'two\.diff'"):
        read_series(folder)


@pytest.mark.parametrize("series", [None, "one.patch\n"])
def test_a_patch_that_the_series_leaves_out(folder: Path, series: str | None) -> None:
    if series:
        (folder / "series").write_text(series)
    with pytest.raises(PatchError, match=r"series: does not list .*sub/three\.patch, two\.diff"):
        read_series(folder)


def test_a_patch_that_cannot_be_read_is_named_with_its_line(folder: Path) -> None:
    (folder / "series").write_text("one.patch\ntwo.diff\nsub/three.patch\n")
    (folder / "two.diff").write_text(PATCH.replace("-1 +1", "-1,4 +1,4"))
    with pytest.raises(PatchError, match=r"two\.diff:6: hunk #1 .* is cut off"):
        read_series(folder)
