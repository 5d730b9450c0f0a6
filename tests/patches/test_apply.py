"""Strict application: where a patch does not fit, what is said, and that nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workbench.errors import PatchError
from workbench.patches.apply import apply_series
from workbench.patches.series import PatchFile

if TYPE_CHECKING:
    from pathlib import Path

EDIT = """\
Description: Call it c
--- a/setup.py
+++ b/setup.py
@@ -1,4 +1,4 @@
 a
-b
+B
 c
 d
@@ -8,4 +8,5 @@
 h
 i
-j
+J
+JJ
 k
"""

LETTERS = "".join(f"{letter}\n" for letter in "abcdefghijk")
PATCHED = LETTERS.replace("b\n", "B\n").replace("j\n", "J\nJJ\n")


def patch(tree: Path, text: str | bytes, name: str = "fix.patch") -> PatchFile:
    data = text.encode() if isinstance(text, str) else text
    return PatchFile.parse(data, name=name, path=tree.parent / "patches" / "pkg" / name)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "setup.py").write_text(LETTERS)
    return tree


def refusal(tree: Path, *texts: str | bytes) -> str:
    """Apply a series that is refused, see that nothing was written, and return the message."""
    before = {path: (path.read_bytes(), path.stat()) for path in tree.rglob("*") if path.is_file()}
    series = [patch(tree, text, f"{number}.patch") for number, text in enumerate(texts, 1)]
    with pytest.raises(PatchError) as raised:
        apply_series(series, tree)
    assert {path: (path.read_bytes(), path.stat()) for path in tree.rglob("*") if path.is_file()} == before
    return str(raised.value)


def test_applies_in_order_and_says_what_changed(tree: Path) -> None:
    second = (
        EDIT.replace("-b\n+B", "-B\n+bee")
        .replace("-j\n+J\n+JJ", "-J\n+jay")
        .replace("-8,4 +8,5", "-8,4 +8,4")
    )
    second = second.replace("@@ -8,4 +8,4", "@@ -8,5 +8,5").replace(" k\n", " JJ\n k\n")

    changed = apply_series([patch(tree, EDIT), patch(tree, second)], tree)

    assert changed == ("setup.py",)
    assert (tree / "setup.py").read_text() == "a\nbee\nc\nd\ne\nf\ng\nh\ni\njay\nJJ\nk\n"


def test_names_patch_file_hunk_line_and_both_texts(tree: Path) -> None:
    (tree / "setup.py").write_text(LETTERS.replace("i\n", "I\n"))

    message = refusal(tree, EDIT)

    assert "patches/pkg/1.patch: hunk #2 (@@ -8,4 +8,5 @@) does not match setup.py at line 9" in message
    assert "expected 'i', found 'I'" in message


@pytest.mark.parametrize(
    ("source", "where"),
    [("0\n" + LETTERS, "1 line further down, at line 2"), (LETTERS[4:], "2 lines further up, at line 6")],
)
def test_says_where_a_drifted_hunk_would_match(tree: Path, source: str, where: str) -> None:
    (tree / "setup.py").write_text(source)
    second_only = EDIT[: EDIT.index("@@")] + EDIT[EDIT.index("@@ -8") :]

    message = refusal(tree, second_only if source.startswith("c") else EDIT)

    assert where in message
    assert "quilt refresh" in message


def test_whitespace_at_the_end_of_a_line_is_shown(tree: Path) -> None:
    (tree / "setup.py").write_text(LETTERS.replace("c\n", "c \n"))
    assert "expected 'c', found 'c '" in refusal(tree, EDIT)


def test_line_ends_must_match_and_are_shown(tree: Path) -> None:
    (tree / "setup.py").write_bytes(LETTERS.replace("\n", "\r\n").encode())
    assert r"expected 'a', found 'a\r'" in refusal(tree, EDIT)


def test_a_file_that_ends_too_early(tree: Path) -> None:
    (tree / "setup.py").write_text("a\nb\nc\nd\n")
    assert "expected 'h', found the end of the file" in refusal(tree, EDIT)


def test_a_missing_newline_is_shown(tree: Path) -> None:
    (tree / "setup.py").write_text(LETTERS.removesuffix("\n"))
    assert "expected 'k', found 'k' without a newline at its end" in refusal(tree, EDIT)


def test_a_whole_patch_that_is_already_applied(tree: Path) -> None:
    (tree / "setup.py").write_text(PATCHED)
    assert "already applied: the source has every change of it (the first: setup.py)" in refusal(tree, EDIT)


def test_a_later_hunk_that_is_already_applied_where_the_earlier_are_not(tree: Path) -> None:
    longer = EDIT.replace("-1,4 +1,4", "-1,4 +1,5").replace("+B\n", "+B\n+BB\n").replace("+8,5", "+9,5")
    (tree / "setup.py").write_text(LETTERS.replace("j\n", "J\nJJ\n"))
    assert "hunk #2 (@@ -8,4 +9,5 @@) is already applied to setup.py, at line 8" in refusal(tree, longer)


@pytest.mark.parametrize("hunk", [1, 2])
def test_one_hunk_that_is_already_applied(tree: Path, hunk: int) -> None:
    changes = {1: ("b\n", "B\n"), 2: ("j\n", "J\nJJ\n")}
    (tree / "setup.py").write_text(LETTERS.replace(*changes[hunk]))
    assert f"hunk #{hunk} " in (message := refusal(tree, EDIT))
    assert "is already applied to setup.py" in message


def test_nothing_is_written_when_a_later_patch_does_not_apply(tree: Path) -> None:
    create = "--- /dev/null\n+++ b/made.py\n@@ -0,0 +1 @@\n+made\n"
    assert "2.patch: missing.py: no such file" in refusal(
        tree, create, create.replace("/dev/null", "a/missing.py").replace("b/made", "b/missing")
    )
    assert not (tree / "made.py").exists()


CREATE = "--- /dev/null\n+++ b/pkg/made.py\n@@ -0,0 +1 @@\n+made\n"
DELETE = "--- a/setup.py\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-b\n"


def test_a_file_in_the_way_of_a_new_one(tree: Path) -> None:
    (tree / "pkg").mkdir()
    (tree / "pkg" / "made.py").write_text("other\n")
    assert "pkg/made.py is in the source already, and the patch would create it" in refusal(tree, CREATE)


def test_a_new_file_that_is_there_just_so(tree: Path) -> None:
    (tree / "pkg").mkdir()
    (tree / "pkg" / "made.py").write_text("made\n")
    assert "already applied" in refusal(tree, CREATE)


def test_a_file_with_more_in_it_is_not_deleted(tree: Path) -> None:
    (tree / "setup.py").write_text("a\nb\nc\n")
    assert "1.patch: setup.py: the patch deletes it, but the source has 1 line more in it" in refusal(
        tree, DELETE
    )


def test_a_deletion_takes_the_emptied_folder_along(tree: Path) -> None:
    (tree / "deep" / "er").mkdir(parents=True)
    (tree / "deep" / "er" / "x.py").write_text("a\nb\n")

    apply_series([patch(tree, DELETE.replace("setup.py", "deep/er/x.py"))], tree)

    assert [path.name for path in tree.iterdir()] == ["setup.py"]


def test_a_patch_that_empties_a_file_is_refused(tree: Path) -> None:
    (tree / "setup.py").write_text("a\nb\n")
    assert "which quilt takes for deleting it" in refusal(tree, DELETE.replace("/dev/null", "b/setup.py"))


def test_modes(tree: Path) -> None:
    (tree / "setup.py").chmod(0o600)
    (tree / "run.sh").write_text("#!/bin/sh\n")
    (tree / "run.sh").chmod(0o644)
    executable = "diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n"
    new = "diff --git a/t b/t\nnew file mode 100755\n--- /dev/null\n+++ b/t\n@@ -0,0 +1 @@\n+t\n"

    apply_series([patch(tree, EDIT), patch(tree, executable + new)], tree)

    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tree.iterdir()}
    assert modes == {"setup.py": "0o600", "run.sh": "0o755", "t": "0o755"}


def test_a_mode_that_is_another(tree: Path) -> None:
    text = "diff --git a/setup.py b/setup.py\nold mode 100755\nnew mode 100644\n"
    (tree / "other.py").write_text("")
    more = "diff --git a/other.py b/other.py\nold mode 100644\nnew mode 100755\n"
    assert "setup.py: the patch expects file mode 100755, and it is 100644" in refusal(tree, text + more)


@pytest.mark.parametrize("name", ["link.py", "folder/x.py"])
def test_nothing_is_written_through_a_symbolic_link(tree: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.py").write_text("a\nb\n")
    (tree / "link.py").symlink_to(outside / "x.py")
    (tree / "folder").symlink_to(outside)

    message = refusal(tree, DELETE.replace("setup.py", name))

    assert f"{name.split('/', maxsplit=1)[0]} is a symbolic link" in message
    assert (outside / "x.py").read_text() == "a\nb\n"


def test_a_hunk_that_claims_the_end_of_the_file(tree: Path) -> None:
    text = "--- a/setup.py\n+++ b/setup.py\n@@ -2,3 +2,3 @@\n b\n c\n-d\n+D\n"
    assert "it says that the file ends at line 4" in refusal(tree, text)


def test_bytes_of_no_encoding_pass_through(tree: Path) -> None:
    (tree / "raw").write_bytes(b"\xff\r\n\x00b\nend")
    text = b"--- a/raw\n+++ b/raw\n@@ -1,3 +1,3 @@\n-\xff\r\n+\xfe\r\n \x00b\n end\n"
    text += b"\\ No newline at end of file\n"

    apply_series([patch(tree, text)], tree)

    assert (tree / "raw").read_bytes() == b"\xfe\r\n\x00b\nend"


def test_a_hard_linked_source_keeps_its_bytes(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "kept.py").hardlink_to(tree / "setup.py")
    apply_series([patch(tree, EDIT)], tree)
    assert (tmp_path / "kept.py").read_text() == LETTERS


@pytest.mark.parametrize("names", [("setup.py/x",), ("new", "new/x"), ("new/x", "new")], ids=str)
def test_a_file_where_a_folder_would_be(tree: Path, names: tuple[str, ...]) -> None:
    text = "".join(f"--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n+a\n" for name in names)
    assert "is a file, and the patch would create files in a folder of that name" in refusal(tree, text)
    assert not (tree / "new").exists()
