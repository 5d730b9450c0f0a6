"""DEP-3 headers, quilt's free text and git's mails."""

from __future__ import annotations

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
