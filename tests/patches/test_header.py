"""DEP-3 headers, quilt's free text and git's mails."""

from __future__ import annotations

import time

import pytest

from workbench.patches.header import Header, parse_header


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
    assert parse_header(text.encode()) == Header(
        description="Build for the baseline",
        long_description="Upstream tunes for the build host.\n\nThat breaks elsewhere.",
        author="Ada <ada@example.invalid>",
        origin="backport, https://example.invalid/commit/1",
        bugs=(("Bug", "https://example.invalid/bug/7"), ("Bug-Debian", "https://example.invalid/debian/8")),
        forwarded="not-needed",
        reviewed_by=("Bob <bob@example.invalid>", "Cy <cy@example.invalid>"),
        last_update="2026-11-21",
        applied_upstream="2.0, https://example.invalid/commit/2",
    )


def test_a_git_mail() -> None:
    text = """\
From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
From: =?UTF-8?q?J=C3=BCrgen?= <j@example.invalid>
Date: Sat, 21 Nov 2026 12:00:00 +0000
Subject: [PATCH 2/3] A subject that is so long that the mail
 folds it

Why it is so.

Note: this is text, not a field.

Bug: https://example.invalid/bug/7
---
 setup.py | 2 +-
 1 file changed, 1 insertion(+), 1 deletion(-)

"""
    assert parse_header(text.encode()) == Header(
        description="A subject that is so long that the mail folds it",
        long_description="Why it is so.\n\nNote: this is text, not a field.",
        author="Jürgen <j@example.invalid>",
        bugs=(("Bug", "https://example.invalid/bug/7"),),
    )


def test_free_text_is_the_description() -> None:
    text = b"Make it build\nwith the new compiler.\n\nSeen with 13.\nIndex: x-1.0/setup.py\n=====\n"
    assert parse_header(text) == Header(
        description="Make it build", long_description="with the new compiler.\n\nSeen with 13."
    )


def test_no_header() -> None:
    assert parse_header(b"") == Header()


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
    assert parse_header(quilt) == Header()
    filled = quilt.replace(b"<short description, required>", b"Include <cstdint>")
    assert parse_header(filled).description == "Include <cstdint>"
    dpkg = (
        b"Description: <short summary of the patch>\n TODO: Put a short summary here\nAuthor: Ada <a@b.c>\n"
    )
    assert parse_header(dpkg) == Header(author="Ada <a@b.c>")


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
    parse_header(line.encode(errors="surrogateescape"))
    assert time.process_time() - start < 2
