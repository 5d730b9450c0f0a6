"""A patch of a series: its header, its changes, and both applied to a small source."""

from __future__ import annotations

import tempfile
from pathlib import Path

from workbench.errors import PatchError
from workbench.patches.apply import apply_series
from workbench.patches.series import PatchFile

HUNK = b"@@ -1,3 +1,3 @@\n a\n-b\n+c\n \n"
GIT = b"diff --git a/x.py b/y.py\nold mode 100644\nnew mode 100755\nrename from x.py\nrename to y.py\n"
NAMES = b"--- a/x.py\t2026-11-29 00:00:00 +0000\n+++ b/x.py\n"
DEP3 = (
    b"Description: Include <cstdint>\n Long.\n .\n More.\nAuthor: =?utf-8?q?J=C3=BCrgen?= <j@example.invalid>\n"
    b"Bug-Debian: https://example.invalid/1\nLast-Update: 2026-11-29 <YYYY-MM-DD, optional>\n---\n"
)
MAIL = b"From 01234567890123456789012345678901234567 Mon\nSubject: [PATCH 2/3] x\n y\n\nText.\n---\n x.py | 2 +-\n\n"
DELETE = b"--- a/z\n+++ /dev/null\n@@ -1 +0,0 @@\n-z\n\\ No newline at end of file\n"
QUOTED = b'--- /dev/null\n+++ "b/\\303\\244/\\"\\t.py"\n@@ -0,0 +1 @@\n+new\n'


def seeds() -> list[bytes]:
    """Return patches of every kind."""
    mail = MAIL + NAMES + HUNK + b"-- \n2.39.2\n\n"
    return [
        DEP3 + NAMES + HUNK,
        mail + mail,
        mail.replace(b"\n", b"\r\n"),
        GIT + NAMES.replace(b"b/x", b"b/y") + HUNK,
        DELETE + QUOTED,
    ]


def one(data: bytes) -> None:
    """Read a patch, and apply it where it is one."""
    try:
        patch = PatchFile.parse(data, name="x.patch", path=Path("x.patch"))
    except PatchError:
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        (tree / "x.py").write_bytes(b"a\nb\n\n")
        (tree / "z").write_bytes(b"z")
        try:
            apply_series((patch,), tree)
        except PatchError:
            return
