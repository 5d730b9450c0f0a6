"""What is read as a unified diff, and what is refused."""

from __future__ import annotations

import pytest

from workbench.errors import PatchError
from workbench.patches.diff import FileChange, parse_diff

HUNK = "@@ -1 +1 @@\n-a\n+b\n"
PLAIN = f"--- a/x.py\n+++ b/x.py\n{HUNK}"


def changes(text: str | bytes) -> tuple[FileChange, ...]:
    data = text.encode() if isinstance(text, str) else text
    return parse_diff(data, where="fix.patch")[1]


def change(text: str | bytes) -> FileChange:
    (only,) = changes(text)
    return only


def test_a_plain_change() -> None:
    found = change("Description: x\n" + PLAIN)
    assert (found.old, found.new, found.old_mode, found.new_mode) == ("x.py", "x.py", None, None)
    (hunk,) = found.hunks
    assert (hunk.header, hunk.old_start, hunk.old, hunk.new) == ("@@ -1 +1 @@", 1, (b"a\n",), (b"b\n",))


def test_the_text_before_the_first_change_is_kept_apart() -> None:
    assert parse_diff(b"Subject: x\n---\n x.py | 2 +-\n\n" + PLAIN.encode(), where="p")[0].startswith(
        b"Subject: x"
    )


@pytest.mark.parametrize(
    ("names", "path"),
    [
        ("--- x-1.0.orig/pkg/x.py\n+++ x-1.0/pkg/x.py\n", "pkg/x.py"),
        ("--- a/x.py\t2026-11-21 12:00:00.000000000 +0000\n+++ b/x.py\t2026-11-21 12:00:01 +0000\n", "x.py"),
        ("--- a/with blank.py\t\n+++ b/with blank.py\t\n", "with blank.py"),
        ('--- "a/\\303\\244\\".py"\n+++ "b/\\303\\244\\".py"\n', 'ä".py'),
    ],
)
def test_names(names: str, path: str) -> None:
    found = change(names + HUNK)
    assert (found.old, found.new) == (path, path)


@pytest.mark.parametrize(
    "old",
    ["/dev/null", "a/x.py\t1970-01-01 00:00:00.000000000 +0000", "/dev/null\t1970-01-01 00:00:00 +0000"],
)
def test_a_new_file(old: str) -> None:
    found = change(f"--- {old}\n+++ b/x.py\n@@ -0,0 +1 @@\n+a\n")
    assert (found.old, found.new) == (None, "x.py")


def test_git_s_extended_headers() -> None:
    renamed, made, removed, executable, empty = changes(
        "diff --git a/old.py b/new.py\nsimilarity index 90%\nrename from old.py\nrename to new.py\n"
        f"index 1..2 100644\n--- a/old.py\n+++ b/new.py\n{HUNK}"
        "diff --git a/m b/m\nnew file mode 100755\nindex 0..1\n--- /dev/null\n+++ b/m\n@@ -0,0 +1 @@\n+a\n"
        "diff --git a/d b/d\ndeleted file mode 100644\n--- a/d\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"
        "diff --git a/r b/r\nold mode 100644\nnew mode 100755\n"
        "diff --git a/pkg/__init__.py b/pkg/__init__.py\nnew file mode 100644\nindex 0..e\n"
    )
    assert (renamed.old, renamed.new, len(renamed.hunks)) == ("old.py", "new.py", 1)
    assert (made.old, made.new, made.new_mode) == (None, "m", 0o755)
    assert (removed.old, removed.new) == ("d", None)
    assert (executable.old_mode, executable.new_mode, executable.hunks) == (0o644, 0o755, ())
    assert (empty.old, empty.new, empty.hunks) == (None, "pkg/__init__.py", ())


def test_a_rename_alone_and_what_follows_it() -> None:
    first, second = changes(
        f"diff --git a/o b/n\nsimilarity index 100%\nrename from o\nrename to n\n{PLAIN}-- \n2.39.5\n"
    )
    assert (first.old, first.new, first.hunks) == ("o", "n", ())
    assert second.path == "x.py"


def test_line_ends_and_odd_bytes_are_kept() -> None:
    (hunk,) = change(
        b"--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n \xff\r\n-end\n\\ No newline at end of file\n+end\n"
    ).hunks
    assert hunk.old == (b"\xff\r\n", b"end")
    assert hunk.new == (b"\xff\r\n", b"end\n")


def test_an_empty_context_line_may_have_lost_its_blank() -> None:
    (hunk,) = change("--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n-a\n+b\n\n c\n").hunks
    assert hunk.old == (b"a\n", b"\n", b"c\n")


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        (PLAIN.replace("-1 +1", "-1,3 +1,3"), 5, "hunk #1 (@@ -1,3 +1,3 @@) is cut off"),
        (PLAIN.replace("-1 +1", "-1,2 +1") + PLAIN, 7, "has not as many lines as its header counts"),
        (PLAIN.replace("-1 +1", "-1,0 +1"), 5, "has other lines than its header counts"),
        (
            PLAIN.replace("-1 +1", "-1,2 +1,2") + "diff --git a/y b/y\n",
            6,
            "has fewer lines than its header counts",
        ),
        (PLAIN + "+c\n", 6, "has not as many lines as its header counts"),
        (PLAIN + " c\n", 6, "has not as many lines as its header counts"),
        (PLAIN + HUNK, 6, "hunk #2 (@@ -1 +1 @@) does not come after the one before it"),
        (PLAIN.replace("@@ -1 +1 @@", "@@ -x +1 @@"), 3, "'@@ -x +1 @@' is not a hunk header"),
        ("--- a/x.py\n+++ b/x.py\n", 2, "no hunk follows"),
        (HUNK, 1, "a hunk that belongs to no file"),
        (PLAIN.replace("b/x.py", "b/y.py"), 1, "names two files, x.py and y.py"),
        (f"--- x.py\n+++ x.py\n{HUNK}", 1, "x.py: not at strip level 1: write a/x.py"),
        (f"--- /etc/x\n+++ /etc/x\n{HUNK}", 1, "/etc/x: not at strip level 1"),
        (f"--- a/../x\n+++ b/../x\n{HUNK}", 1, "'../x': a path that leaves the source"),
        (f"--- a//etc/x\n+++ b//etc/x\n{HUNK}", 1, "'/etc/x': a path that leaves the source"),
        (f"diff --git a/o b/n\nrename from o\nrename to ../n\n{PLAIN}", 3, "'../n': a path that leaves"),
        ("diff --git a/o b/n\ncopy from o\ncopy to n\n", 2, "copies are refused (copy from o)"),
        ("diff --git a/i.png b/i.png\nindex 1..2\nGIT binary patch\n", 3, "binary changes cannot be applied"),
        (
            "diff --git a/i b/i\nBinary files a/i.png and b/i.png differ\n",
            2,
            "Binary files a/i.png and b/i.png",
        ),
        ("diff --git a/l b/l\nnew file mode 120000\n", 2, "file mode 120000 (a symbolic link) is refused"),
        ("diff --git a/s b/s\nnew file mode 160000\n", 2, "(a submodule) is refused"),
        ("diff --git a/x b/y\nold mode 100644\nnew mode 100755\n", 1, "names two files"),
        ("diff --git a/x b/x\nindex 1..2\n", 1, "a 'diff --git' line that no change follows"),
        ("diff --git x/y x/y\n" + PLAIN, 1, "(git's diff.noprefix): write -p0"),
        (PLAIN.replace("-1 +1", f"-{'1' * 5000} +1"), 3, "is not a hunk header"),
        (PLAIN.replace("a/x.py", '"a/\\777"'), 1, "not quoted as git quotes names"),
        (PLAIN.replace("a/x.py", '"a/\\8"'), 1, "not quoted as git quotes names"),
        (PLAIN.replace("a/x.py", '"a/\\000"'), 1, "a path that leaves the source or is not plain"),
        (PLAIN.replace("x.py", "\0"), 1, "a path that leaves the source or is not plain"),
        (PLAIN.replace("x.py", ".git/hooks/x"), 1, "a path that leaves the source or is not plain"),
    ],
)
def test_refused_with_its_line(text: str, line: int, why: str) -> None:
    with pytest.raises(PatchError) as raised:
        changes(text)
    assert why in str(raised.value)
    assert str(raised.value).startswith(f"fix.patch:{line}: ")


@pytest.mark.parametrize("text", ["", "Description: nothing yet\n"])
def test_a_patch_without_a_change(text: str) -> None:
    with pytest.raises(PatchError, match=r"fix\.patch: holds no change"):
        changes(text)


def test_mails_one_after_the_other_with_their_signatures() -> None:
    """What a forge serves as NUMBER.patch, and ``git format-patch --stdout`` writes."""
    mail = (
        "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"
        "From: Ada <ada@example.invalid>\nSubject: [PATCH] x\n\nText.\n--- old\n+++ new\n"
        "diff --git is what writes it\n---\n - a list\n x.py | 2 +-\n 1 file changed\n\n"
        f"diff --git a/x.py b/x.py\nindex 1..2 100644\n{PLAIN}-- \n2.39.2\n\n"
    )
    assert [each.path for each in changes(mail + mail)] == ["x.py", "x.py"]
    assert changes(mail.replace("\n", "\r\n")) == changes(mail)


def test_crlf_line_ends_of_the_source_are_not_those_of_the_patch() -> None:
    (hunk,) = change("--- a/x\n+++ b/x\n@@ -1 +1 @@\n--- a\r\n+b\r\n").hunks
    assert (hunk.old, hunk.new) == ((b"-- a\r\n",), (b"b\r\n",))


@pytest.mark.parametrize(("old", "new"), [("x.py.orig", "x.py"), ("x.py~", "x.py"), ("x.py", "x.py.new")])
def test_the_copy_that_diff_was_given_is_not_the_file(old: str, new: str) -> None:
    found = change(f"--- a/{old}\n+++ b/{new}\n{HUNK}")
    assert (found.old, found.new) == ("x.py", "x.py")


@pytest.mark.parametrize(("strip", "old", "new"), [(0, "y/x.py", "y/x.py"), (2, "a/b/y/x.py", "c/d/y/x.py")])
def test_another_strip_level(strip: int, old: str, new: str) -> None:
    for text in (f"--- {old}\n+++ {new}\n{HUNK}", f"diff --git {old} {new}\n--- {old}\n+++ {new}\n{HUNK}"):
        (_, (found,)) = parse_diff(text.encode(), where="p", strip=strip)
        assert (found.old, found.new) == ("y/x.py", "y/x.py")


def test_whole_functions_around_a_change_do_not_claim_the_end_of_the_file() -> None:
    """``git diff -W`` has as much before a change as the function has."""
    (hunk,) = change("--- a/x\n+++ b/x\n@@ -1,4 +1,4 @@\n f\n g\n-a\n+b\n h\n").hunks
    assert not hunk.at_end
