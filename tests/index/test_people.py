"""The pages for people, as text: what they tell, what they leave out, and hostile input."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.index.wheels import listed, registry_of
from workbench.index.draw import draw
from workbench.index.page import Page
from workbench.index.people import web
from workbench.registry.file import dumps
from workbench.registry.model import BuildFacts, PatchApplied, Registry, Unavailable
from workbench.site import IndexSettings, Settings

ATOM = "{http://www.w3.org/2005/Atom}"


def pages(registry: Registry, settings: Settings | None = None) -> dict[str, str]:
    document = io.BytesIO(dumps(registry).encode())
    drawn = draw(document, settings or Settings())
    return {page.path: page.content.decode() for page in drawn if isinstance(page, Page)}


class Reader(HTMLParser):
    """Reads a page into its tags, and its text without tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def cuda_wheel(python: str, arch: str, **facts: Any) -> Any:
    tag = f"cp{python.replace('.', '')}"
    build = BuildFacts(
        source="https://example.com/demo.git",
        pin="c" * 40,
        patches=(
            PatchApplied(
                name="fix.patch", sha256="d" * 64, description="Fix <it>", url="files/demo/fix.patch"
            ),
        ),
        compute="cu130",
        torch="2.11.0",
        glibc="2.34",
        log="files/demo/build.log",
        sbom="https://example.com/demo.cdx.json",
    )
    filename = f"demo-1.0+cu130torch2.11-{tag}-{tag}-manylinux_2_34_{arch}.whl"
    known = {"build": build, "build_key": "e" * 64, "gpu_architectures": ("sm_120", "sm_121"), **facts}
    return listed(filename, **known)


def test_a_page_tells_all_that_is_known_of_a_wheel() -> None:
    wheel = cuda_wheel("3.12", "aarch64", requires_python=">=3.9", provenance="https://example.com/attest")
    registry = registry_of(demo=(wheel,))
    package = replace(
        registry.packages["demo"], license="MIT", upstream="https://example.com/up", source_branch="v1"
    )
    page = Reader(pages(registry.with_package("demo", package))["demo/index.html"])
    for fact in [
        wheel.filename, wheel.sha256, "1.2 kB", "2026-11-20 10:00 UTC", ">=3.9", "2.34 or newer",
        "sm_120, sm_121", "CUDA 13.0", "torch 2.11", "2.11.0", "c" * 40, "e" * 64, "Fix <it>", "MIT",
    ]:  # fmt: skip
        assert fact in page.text, fact
    links = {attributes.get("href") for tag, attributes in page.tags if tag == "a"}
    assert {
        "../../files/demo/fix.patch", "../../files/demo/build.log", "https://example.com/demo.cdx.json",
        "https://example.com/attest", "https://example.com/up",
    } <= links  # fmt: skip


def test_what_is_not_known_is_left_out() -> None:
    text = Reader(pages(registry_of(demo=(listed("demo-1.0-py3-none-any.whl"),)))["demo/index.html"]).text
    for word in [
        "glibc",
        "GPU",
        "Builder",
        "Built from",
        "SBOM",
        "log",
        "Provenance",
        "Licence",
        "Upstream",
        "None",
        "CPU",
    ]:
        assert not re.search(rf"\b{word}\b", text), word


def test_the_matrix_says_why_a_cell_is_empty() -> None:
    wheels = (cuda_wheel("3.9", "x86_64"), cuda_wheel("3.10", "x86_64"), cuda_wheel("3.10", "aarch64"))
    registry = registry_of(demo=wheels)
    why = (
        Unavailable(
            reason="failed: out of <memory>", python="3.9", arch="aarch64", log="https://example.com/log"
        ),
        Unavailable(reason="upstream stops at 3.10", python="3.13"),
    )
    package = replace(registry.packages["demo"], unavailable=why)
    page = pages(registry.with_package("demo", package))["demo/index.html"]
    table = page[page.index("<table") : page.index("</table>")]
    rows = [re.sub(r"<[^>]+>", " ", row).split() for row in table.split("<tr>")[1:]]
    assert " ".join(rows[0]) == "Python Linux aarch64 CUDA 13.0 torch 2.11 Linux x86_64 CUDA 13.0 torch 2.11"
    assert [row[0] for row in rows[1:]] == ["3.9", "3.10", "3.13"]
    assert "failed: out of &lt;memory&gt;" in table
    assert 'href="https://example.com/log"' in table
    assert table.count("upstream stops at 3.10") == 2
    assert table.count("1.0+cu130torch2.11</a>") == 3


def test_a_cell_that_nobody_explains_was_not_built() -> None:
    wheels = (cuda_wheel("3.9", "x86_64"), cuda_wheel("3.10", "aarch64"))
    assert pages(registry_of(demo=wheels))["demo/index.html"].count("not built") == 2


def test_a_yanked_wheel_is_marked_and_not_what_the_lines_install() -> None:
    good, bad = cuda_wheel("3.9", "x86_64"), cuda_wheel("3.10", "x86_64", yanked="wrong <results>")
    page = pages(registry_of(demo=(good, bad)))["demo/index.html"]
    assert "wrong &lt;results&gt;" in page
    requirements = page[page.index('data-what="requirements.txt"') :].partition("</pre>")[0]
    assert good.sha256 in requirements
    assert bad.sha256 not in requirements


def test_newest_version_first_by_version_and_not_by_text() -> None:
    wheels = tuple(listed(f"demo-{version}-py3-none-any.whl") for version in ["1.9", "1.10", "1.10rc1"])
    page = pages(registry_of(demo=wheels))["demo/index.html"]
    assert re.findall(r'<h2 id="v-([^"]+)"', page) == ["1.10", "1.10rc1", "1.9"]


HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)> ' & {{ 7*7 }} \u202e"


def test_hostile_text_stays_text_everywhere() -> None:
    patch = PatchApplied(name=HOSTILE, sha256="d" * 64, description=HOSTILE, url=HOSTILE)
    build = BuildFacts(
        source=HOSTILE, pin=HOSTILE, builder=HOSTILE, glibc=HOSTILE, torch="2.11", log=HOSTILE, sbom=HOSTILE,
        patches=(patch,), ref=HOSTILE,
    )  # fmt: skip
    wheel = cuda_wheel(
        "3.12", "x86_64", build=build, yanked=HOSTILE, requires_python=HOSTILE, gpu_architectures=(HOSTILE,)
    )
    registry = registry_of(demo=(wheel, cuda_wheel("3.11", "aarch64")))
    package = replace(
        registry.packages["demo"], description=HOSTILE, license=HOSTILE, upstream=HOSTILE, source_repo=HOSTILE,
        source_branch=HOSTILE, status="deprecated", status_reason=HOSTILE,
        unavailable=(
            Unavailable(reason=HOSTILE, log=HOSTILE, python=HOSTILE), Unavailable(reason=HOSTILE, log=HOSTILE),
        ),
    )  # fmt: skip
    settings = Settings(index=IndexSettings(title=HOSTILE))
    for path, text in pages(registry.with_package("demo", package), settings).items():
        if not path.endswith("index.html"):
            continue
        page = Reader(text)
        assert not [tag for tag, _ in page.tags if tag == "img"], path
        scripts = [attributes for tag, attributes in page.tags if tag == "script"]
        assert all("script.js" in (attributes.get("src") or "") for attributes in scripts), path
        assert not [1 for _, attributes in page.tags if any(name.startswith("on") for name in attributes)], (
            path
        )
        assert "49" not in page.text.replace(wheel.sha256, "").split("alert(1)")[0], path


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://example.com/x", True),
        ("http://example.com/x?a=b", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//example.com/x", False),
        ("https://example.com/demo-99.0-py3-none-any.whl", False),
        ("https://example.com/demo-99.0.tar.gz", False),
        ("https://example.com/demo-99.0.zip#x", False),
        ("https://example.com/a\nb", False),
    ],
)
def test_only_urls_of_the_web_that_are_no_package_become_links(url: str, linked: bool) -> None:
    """An installer takes every link on the page for a candidate."""
    assert (web(url) is not None) == linked


def test_an_upstream_that_looks_like_a_package_is_no_candidate_for_installers() -> None:
    registry = registry_of(demo=(listed("demo-1.0-py3-none-any.whl"),))
    package = replace(
        registry.packages["demo"], upstream="https://evil.example.com/demo-99.0-py3-none-any.whl"
    )
    page = Reader(pages(registry.with_package("demo", package))["demo/index.html"])
    links = [attributes.get("href") or "" for tag, attributes in page.tags if tag == "a"]
    assert not [link for link in links if "evil" in link]
    assert "https://evil.example.com/demo-99.0-py3-none-any.whl" in page.text


def test_the_feed_tells_the_newest_releases_first() -> None:
    registry = registry_of(
        demo=(
            listed("demo-1.0-py3-none-any.whl", upload_time="2026-11-01T10:00:00Z"),
            listed("demo-1.1-py3-none-any.whl", upload_time="2026-11-03T10:00:00Z"),
        ),
        other=(listed("other-2.0-py3-none-any.whl", "other", upload_time="2026-11-02T10:00:00Z"),),
    )
    package = replace(registry.packages["other"], description="bad \x00\x08 <control> & characters")
    text = pages(registry.with_package("other", package), Settings(public_url="https://wheels.example.com"))[
        "feed.atom"
    ]
    feed = ET.fromstring(text)  # noqa: S314 - our own
    assert [entry.findtext(f"{ATOM}title") for entry in feed.iter(f"{ATOM}entry")] == [
        "demo 1.1",
        "other 2.0",
        "demo 1.0",
    ]
    assert feed.findtext(f"{ATOM}updated") == "2026-11-03T10:00:00Z"
    identifiers = [node.text for node in feed.iter(f"{ATOM}id")]
    assert len(identifiers) == len(set(identifiers))


def test_the_public_address_is_written_out_where_it_is_known() -> None:
    registry = registry_of(demo=(cuda_wheel("3.12", "x86_64"),))
    known = pages(registry, Settings(public_url="https://wheels.example.com/"))["demo/index.html"]
    assert "https://wheels.example.com/index/cu130/torch2.11/simple/" in known
    assert "data-here" not in known
    assert 'data-here="https://HERE"' in pages(registry)["demo/index.html"]
