"""DEP-3 headers, quilt's free text and git's mails."""

from __future__ import annotations

import time

import pytest

from workbench.patches.header import description_of


def test_dep3() -> None:
    text = """\
Description: Build for the baseline
 Upstream tunes for the build host.
 .
 That breaks elsewhere.
Author: Ada <ada@example.invalid>
Origin: backport, https://example.invalid/commit/1
Bug: https://example.invalid/bug/7
Bug-Debian: https://example.invalid/debian/8
Forwarded: not-needed
Reviewed-by: Bob <bob@example.invalid>
Reviewed-by: Cy <cy@example.invalid>
Last-Update: 2026-11-21
Applied-Upstream: 2.0, https://example.invalid/commit/2
---
This line is not part of the header.
"""
    assert description_of(text.encode()) == "Build for the baseline"


def test_a_git_mail() -> None:
    text = """\
From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
From: Ada <ada@example.invalid>
Date: Sat, 21 Nov 2026 12:00:00 +0000
Subject: [PATCH 2/3] =?UTF-8?q?J=C3=BCrgen=27s?= subject that is so long that the mail
 folds it

Why it is so.

Note: this is text, not a field.

Bug: https://example.invalid/bug/7
---
 setup.py | 2 +-
 1 file changed, 1 insertion(+), 1 deletion(-)

"""
    assert description_of(text.encode()) == "Jürgen's subject that is so long that the mail folds it"


def test_free_text_is_the_description() -> None:
    text = b"Make it build\nwith the new compiler.\n\nSeen with 13.\nIndex: x-1.0/setup.py\n=====\n"
    assert description_of(text) == "Make it build"


def test_no_header() -> None:
    assert description_of(b"") == ""


def test_a_template_that_nobody_edited_says_nothing() -> None:
    quilt = b"""\
Description: <short description, required>
 <long description that can span multiple lines, optional>
Author: <name and email, required for non-upstream patch>
Origin: <upstream|backport|vendor|other>, <URL, required except if Author is present>
Bug: <URL to the upstream bug report if any, implies patch has been forwarded, optional>
Bug-<Vendor>: <URL to the vendor bug report if any, optional>
Forwarded: <URL|no|not-needed, useless if you have a Bug field, optional>
Applied-Upstream: <version|URL|commit, identifies patches merged upstream, optional>
Reviewed-by: <name and email of a reviewer, optional>
Last-Update: 2026-11-29 <YYYY-MM-DD, last update of the meta-information, optional>
---
This patch header follows DEP-3: http://dep.debian.net/deps/dep3/
"""
    assert description_of(quilt) == ""
    filled = quilt.replace(b"<short description, required>", b"Include <cstdint>")
    assert description_of(filled) == "Include <cstdint>"
    dpkg = (
        b"Description: <short summary of the patch>\n TODO: Put a short summary here\nAuthor: Ada <a@b.c>\n"
    )
    assert description_of(dpkg) == ""


@pytest.mark.parametrize(
    "line",
    [
        "Subject: " + "[PATCH" * 50_000,
        "Subject: [" + "PATCH" * 50_000,
        "Subject: " + "[PATCH]" * 50_000,
        "Subject: " + "=?" * 50_000,
        "Subject: x" + "\n folded" * 50_000,
        "Subject: =?utf-8?b?x?=",
        "Subject: =?\udcff?q?x?=",
        "Subject: =?nul\0?q?x?=",
        "Subject: =?utf-7?b?K0FBQUE=?= =?idna?q?" + "a" * 900 + "?=",
    ],
    ids=lambda line: line[:20],
)
def test_odd_headers_are_read_in_bounded_time(line: str) -> None:
    start = time.process_time()
    description_of(line.encode(errors="surrogateescape"))
    assert time.process_time() - start < 2
