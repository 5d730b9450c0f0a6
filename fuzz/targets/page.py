"""Pages of package indexes, HTML and JSON: read, judged, and asked for the files of a project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from workbench.simple import JSON
from workbench.simple.fetch import Fetched
from workbench.simple.finding import bounded
from workbench.simple.judge_page import astray, judge_project, judge_root, projects, read
from workbench.wheel.local_version import parse_local

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "http://127.0.0.1/simple/demo/"
WHEEL = "demo-1.0+cu130torch2.11-cp312-abi3-manylinux_2_28_x86_64.whl"
HTML = f"""<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.4">
<meta name="pypi:project-status" content="archived"><base href="http://127.0.0.1/simple/demo/"></head><body>
<!-- a comment --><script>if (a < b) "<a href=no>"</script>
<a href="../../files/{WHEEL}#sha256={"a" * 64}" data-requires-python="&gt;=3.9" data-core-metadata="sha256={"b" * 64}"
data-dist-info-metadata=true data-yanked='broken' data-upload-time="2026-11-20T10:00:00Z" data-size=5>{WHEEL}</a><br/>
<a href=demo-1.0.tar.gz#md5=0&sha1=1>demo-1.0.tar.gz</a><a href='../'>..</a><a href="other/">other/</a></body></html>
"""
PAGE = {
    "meta": {"api-version": "1.4"},
    "name": "demo",
    "versions": ["1.0", "bad"],
    "project-status": {"status": "quarantined", "reason": "x"},
    "files": [
        {
            "filename": WHEEL,
            "url": f"../../files/{WHEEL}",
            "hashes": {"sha256": "a" * 64},
            "size": 5,
            "upload-time": "2026-11-20T10:00:00Z",
            "yanked": "broken",
            "requires-python": ">=3.9,<4",
            "core-metadata": {"sha256": "b" * 64},
            "provenance": "https://example.com/x",
        }
    ],
}


def seeds() -> Iterator[bytes]:
    """Yield pages; the first byte says what the server calls them."""
    yield b"h" + HTML.encode()
    yield b"j" + json.dumps(PAGE).encode()
    yield (
        b"j"
        + json.dumps({"meta": {"api-version": "1.0"}, "projects": [{"name": "demo"}, {"name": "_"}]}).encode()
    )
    yield b"h" + b"".join(b'<a href="%d/">p%d</a>' % (n, n) for n in range(50))


def one(data: bytes) -> None:
    """Read a page as a project's and as a root."""
    kinds = {b"h": "text/html", b"j": JSON, b"n": "", b"t": "text/plain"}
    charset = {b"l": "latin-1", b"x": "no-such"}.get(data[:1])
    page = Fetched(url=URL, type=kinds.get(data[:1]), charset=charset, body=data[1:])
    findings, listing = read(page)
    if listing is None:
        return
    findings += judge_root(listing, URL)
    for name, link in projects(listing, URL).items():
        astray(name, link, URL)
    findings += [*judge_project(listing, URL, "demo"), *judge_project(listing, URL, None)]
    bounded(findings, URL)
    for link in listing.files:
        parse_local(link.filename)
        assert link.yanked is None or isinstance(link.yanked, str)  # noqa: S101 - what is found here is a bug
