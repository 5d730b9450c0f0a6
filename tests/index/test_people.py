"""The pages for people, as text: what they tell, what they leave out, and hostile input."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.index.stores import listed, registry_of
from workbench.evidence.facts import BuildFacts, PatchApplied
from workbench.index.draw import draw
from workbench.index.facts import web
from workbench.index.output import Page
from workbench.registry.file import dumps
from workbench.registry.model import Registry, Unavailable
from workbench.settings import IndexSettings, Settings

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


def cuda_wheel(
    python: str,
    arch: str,
    *,
    version: str = "1.0",
    local: str = "cu130torch2.11",
    variant: str | None = None,
    **facts: Any,
) -> Any:
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
        variant=variant,
        glibc="2.34",
        log="files/demo/build.log",
        sbom="https://example.com/demo.cdx.json",
    )
    filename = f"demo-{version}+{local}-{tag}-{tag}-manylinux_2_34_{arch}.whl"
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
        "Bill of materials",
        "log",
        "Attestations",
        "Licence",
        "Upstream",
        "None",
        "CPU",
    ]:
        assert not re.search(rf"\b{word}\b", text), word


def table(page: str) -> str:
    return page[page.index("<table") : page.index("</table>")]


def test_the_matrix_says_why_a_cell_is_empty() -> None:
    registry = registry_of(demo=(cuda_wheel("3.9", "x86_64"), cuda_wheel("3.10", "aarch64")))
    failed = Unavailable(
        reason="failed: out of <memory>", python="3.9", arch="aarch64", log="logs/demo/3.9+aarch64.txt"
    )
    elsewhere = Unavailable(reason="upstream stops at 3.10", python="3.13", log="https://example.com/log")
    package = replace(registry.packages["demo"], unavailable=(failed, elsewhere))
    matrix = table(pages(registry.with_package("demo", package))["demo/index.html"])
    assert "failed: out of &lt;memory&gt;" in matrix
    assert 'href="../../logs/demo/3.9%2Baarch64.txt"' in matrix
    assert matrix.count("upstream stops at 3.10") == matrix.count('href="https://example.com/log"') == 2
    assert matrix.count("not built") == 1


def test_what_failed_is_told_though_nothing_is_published() -> None:
    registry = registry_of(demo=())
    failed = Unavailable(reason="failed: no nvcc", python="3.12", arch="aarch64", log="logs/demo/x.txt")
    package = replace(registry.packages["demo"], unavailable=(failed,))
    page = pages(registry.with_package("demo", package))["demo/index.html"]
    assert "No wheels are published." in page
    assert "failed: no nvcc" in table(page)
    assert 'href="../../logs/demo/x.txt"' in table(page)


def test_a_cell_names_the_version_without_what_its_column_says() -> None:
    usual, variant = (
        cuda_wheel("3.12", "x86_64"),
        cuda_wheel("3.12", "x86_64", local="cu130torch2.11.hdim128", variant="hdim128"),
    )
    page = pages(registry_of(demo=(usual, variant)))["demo/index.html"]
    cells = re.findall(r'<td class="yes"><a href="#([^"]+)">([^<]+)</a>', table(page))
    assert cells == [(wheel.filename.removesuffix(".whl"), "1.0") for wheel in (usual, variant)]
    assert all(f'id="{identifier}"' in page for identifier, _ in cells)


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
    assert versions(page) == ["1.10", "1.10rc1", "1.9"]


def versions(page: str) -> list[str]:
    return re.findall(r'<h3 id="v-([^"]+)"', page)


def opened(page: str) -> list[str]:
    return re.findall(r'<details class="release" open>\s*<summary><h3 id="v-([^"]+)"', page)


def test_a_variant_comes_after_the_usual_build_of_its_version() -> None:
    """Though its version is the higher: what stands first is what most people want."""
    wheels = (
        cuda_wheel("3.12", "x86_64"),
        cuda_wheel("3.12", "x86_64", local="cu130torch2.11.hdim128", variant="hdim128"),
        cuda_wheel("3.12", "x86_64", version="0.9"),
    )
    page = pages(registry_of(demo=wheels))["demo/index.html"]
    assert versions(page) == ["1.0+cu130torch2.11", "1.0+cu130torch2.11.hdim128", "0.9+cu130torch2.11"]
    lines = page[page.index("1.0+cu130torch2.11.hdim128</code>") :]
    assert "--index https://HERE/index/simple/ demo==1.0+cu130torch2.11.hdim128" in lines


def test_a_yanked_version_is_neither_headlined_nor_opened() -> None:
    wheels = (
        listed("demo-2.0-py3-none-any.whl", yanked="wrong"),
        listed("demo-1.0-py3-none-any.whl"),
    )
    drawn = pages(registry_of(demo=wheels))
    page = Reader(drawn["demo/index.html"])
    assert "demo 1.0" in re.sub(r"\s+", " ", page.text)
    assert opened(drawn["demo/index.html"]) == ["1.0"]
    item = drawn["index.html"][drawn["index.html"].index('id="projects"') :]
    assert ">1.0</span>" in item
    assert ">2.0</span>" not in item.partition("</ul>")[0]


def test_where_all_is_yanked_no_version_is_headlined() -> None:
    drawn = pages(registry_of(demo=(listed("demo-2.0-py3-none-any.whl", yanked=""),)))
    assert opened(drawn["demo/index.html"]) == ["2.0"]
    assert "demo==2.0" not in drawn["demo/index.html"]
    assert "every wheel is yanked" in drawn["index.html"]


def built_from(**facts: Any) -> str:
    """Return what a page says of where a wheel came from."""
    build = BuildFacts(**{"source": "https://example.com/demo.git", "pin": "c" * 40, **facts})
    page = pages(registry_of(demo=(listed("demo-1.0-py3-none-any.whl", build=build),)))["demo/index.html"]
    return page[page.index("Built from") : page.index("Wheels</h4>")]


def test_a_commit_is_named_with_the_branch_or_tag_where_it_was_found() -> None:
    text = Reader(built_from(ref="v1.0")).text
    assert re.findall(r"Branch or tag\s*(\S+)", text) == ["v1.0"]
    assert re.findall(r"Commit\s*(\S+)", text) == ["c" * 40]


@pytest.mark.parametrize(
    ("source", "link"),
    [
        ("https://github.com/me/demo.git", f"https://github.com/me/demo/commit/{'c' * 40}"),
        ("https://codeberg.org/me/demo", f"https://codeberg.org/me/demo/commit/{'c' * 40}"),
        ("https://gitlab.com/a/group/demo.git", f"https://gitlab.com/a/group/demo/-/commit/{'c' * 40}"),
        ("https://github.com.example.com/me/demo", None),
        ("https://example.com/demo.git", None),
        ("git@github.com:me/demo.git", None),
    ],
)
def test_a_commit_leads_to_where_a_forge_shows_it(source: str, link: str | None) -> None:
    links = {attributes.get("href") for _, attributes in Reader(built_from(source=source)).tags}
    assert {each for each in links if each and "/commit/" in each} == ({link} if link else set())


def test_an_sdist_is_named_by_its_hash_and_a_folder_by_none() -> None:
    sdist = Reader(built_from(source="demo==1.0", pin="d" * 64)).text
    assert re.findall(r"sha256\s*(\S+)", sdist) == ["d" * 64]
    assert "Commit" not in sdist
    folder = Reader(built_from(source="demo", pin="")).text
    assert "Commit" not in folder
    assert "sha256" not in folder


def test_of_two_origins_each_says_which_wheels_are_its_own() -> None:
    wheels = [cuda_wheel("3.11", "x86_64"), cuda_wheel("3.12", "x86_64"), cuda_wheel("3.12", "aarch64")]
    assert ">For<" not in pages(registry_of(demo=tuple(wheels)))["demo/index.html"]
    wheels[2] = replace(wheels[2], build=replace(wheels[2].build, pin="e" * 40))
    page = pages(registry_of(demo=tuple(wheels)))["demo/index.html"]
    assert re.findall("<dt>For</dt><dd>([^<]+)", page) == [
        "Linux x86_64: Python 3.11, 3.12",
        "Linux aarch64: Python 3.12",
    ]


def test_a_recipe_s_word_for_a_source_is_not_shown() -> None:
    page = pages(registry_of(demo=(listed("demo-1.0-py3-none-any.whl"),)))["demo/index.html"]
    assert "pypi:demo" not in page
    assert "the sdist of demo, from the package index" in page


def test_the_front_page_lists_the_channels() -> None:
    wheels = (cuda_wheel("3.12", "x86_64"), listed("demo-1.0+cu126-py3-none-any.whl"))
    front = pages(registry_of(demo=wheels), Settings(public_url="https://w.example.com"))["index.html"]
    use = front[front.index('id="use"') :]
    assert re.findall("<p>([^<]+)</p><pre><code>([^<]+)", use) == [
        ("All projects", "https://w.example.com/index/simple/"),
        ("CUDA 12.6", "https://w.example.com/index/cu126/simple/"),
        ("CUDA 13.0 · torch 2.11", "https://w.example.com/index/cu130/torch2.11/simple/"),
    ]


def test_the_front_page_names_what_was_published_last() -> None:
    """The channels of a version are one thing to a reader."""
    wheels = (
        listed("demo-1.0-py3-none-any.whl", upload_time="2026-11-01T10:00:00Z"),
        listed("demo-0.9.1+cu130torch2.11-py3-none-any.whl", upload_time="2026-11-03T10:00:00Z"),
        listed("demo-0.9.1+cu126torch2.10-py3-none-any.whl", upload_time="2026-11-03T10:00:00Z"),
    )
    front = pages(registry_of(demo=wheels))["index.html"]
    recent = front[front.index('id="recent"') : front.index("</ol>")]
    assert re.findall(r'version">([^<]+)</span> <time>([^<]+)', recent) == [
        ("0.9.1", "2026-11-03"),
        ("1.0", "2026-11-01"),
    ]


@pytest.mark.parametrize("local", ["1.0+cu130", "1.0.0+cu130"])
def test_a_version_is_pinned_apart_from_its_local_ones(local: str) -> None:
    """``==1.0`` would install 1.0+cu130, and Poetry has no other way to write it."""
    wheels = (listed("demo-1.0-py3-none-any.whl"), listed(f"demo-{local}-py3-none-any.whl"))
    page = pages(registry_of(demo=wheels))["demo/index.html"]
    assert set(re.findall(r"(?<=[ \n>])demo==[^ <\n&]+", page)) == {"demo===1.0", f"demo=={local}"}
    assert re.findall(r"poetry add [^\n<]+", page) == [f"poetry add --source workbench-cu130 demo=={local}"]
    alone = pages(registry_of(demo=wheels[:1]))["demo/index.html"]
    assert "--index https://HERE/index/simple/ demo===1.0<" in alone, "a local one may be published tomorrow"
    assert re.findall(r"poetry add [^\n<]+", alone) == ["poetry add --source workbench demo==1.0"]


def test_a_version_is_pinned_as_installers_write_it() -> None:
    """``===`` compares texts, and theirs is not always the one in the filename."""
    page = pages(registry_of(demo=(listed("demo-01.0RC1-py3-none-any.whl"),)))["demo/index.html"]
    assert "--index https://HERE/index/simple/ demo===1.0rc1<" in page


def test_a_project_is_summed_up_in_a_line() -> None:
    wheels = (
        cuda_wheel("3.10", "x86_64"),
        cuda_wheel("3.11", "x86_64"),
        cuda_wheel("3.12", "aarch64"),
        cuda_wheel("3.12", "x86_64", local="cu126torch2.10"),
        cuda_wheel("3.14", "x86_64", yanked="wrong"),
    )
    front = pages(registry_of(demo=wheels))["index.html"]
    assert "Python 3.10 to 3.12 · Linux aarch64, x86_64 · CUDA 12.6, 13.0 · torch 2.10, 2.11</p>" in front


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x08", "\x7f", "\x9b", "\ufffe"])
def test_control_characters_reach_no_page(character: str) -> None:
    bad = f"be{character}fore"
    registry = registry_of(demo=(cuda_wheel("3.12", "x86_64", yanked=bad),))
    package = replace(registry.packages["demo"], description=bad, license=bad)
    drawn = pages(registry.with_package("demo", package), Settings(index=IndexSettings(title=bad)))
    for path in ("index.html", "demo/index.html", "feed.atom"):
        assert character not in drawn[path], path
        assert "before" in drawn[path], path


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


TAKEN = (
    "https://example.com/demo-99.0.tar%2Egz",
    "https://example.com/demo-99.0.tar.gz/",
    "https://example.com/x#egg=demo-98.0",
    "https://example.com/x?/demo-99.0.tar.gz",
    "https://example.com/x?/demo-99.0.tar.gz?y",
    "https://demo-99.0.zip",
)
"""What pip or uv takes for a file of the project."""

BREAKING = ("https://[example.com/", "https://example\u2100.com/", "https://example.com/x#sha256=0")
"""What pip or uv ends at, whatever else is on the page."""


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
        ("https://example.com/x#what-it-is", True),
        ("https://example.com/x?a=b#c", True),
        *((url, False) for url in TAKEN),
        *((url, False) for url in BREAKING),
        ("https://example.com/demo-99.0.tar.gz%2F", False),
        ("https://example.com/demo-99.0.tbz#x", False),
        ("https://example.com/x#egg%3Ddemo-98.0", False),
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


def feed_of(registry: Registry, url: str | None = "https://wheels.example.com") -> ET.Element:
    return ET.fromstring(pages(registry, Settings(public_url=url))["feed.atom"])  # noqa: S314 - our own


def entries(feed: ET.Element, what: str) -> list[str | None]:
    return [entry.findtext(f"{ATOM}{what}") for entry in feed.iter(f"{ATOM}entry")]


def test_the_feed_tells_the_newest_releases_first() -> None:
    registry = registry_of(
        demo=(
            listed("demo-1.0-py3-none-any.whl", upload_time="2026-11-01T10:00:00Z"),
            listed("demo-1.1-py3-none-any.whl", upload_time="2026-11-03T10:00:00Z"),
        ),
        other=(listed("other-2.0-py3-none-any.whl", "other", upload_time="2026-11-02T10:00:00Z"),),
    )
    package = replace(registry.packages["other"], description="bad \x00\x08 <control> & characters")
    feed = feed_of(registry.with_package("other", package))
    assert entries(feed, "title") == ["demo 1.1", "other 2.0", "demo 1.0"]
    assert feed.findtext(f"{ATOM}updated") == "2026-11-03T10:00:00Z"
    identifiers = [node.text for node in feed.iter(f"{ATOM}id")]
    assert len(identifiers) == len(set(identifiers))


def test_the_feed_tells_of_an_old_version_that_is_published_late() -> None:
    wheels = [
        listed(f"demo-2.{n}-py3-none-any.whl", upload_time=f"2026-11-0{n + 1}T10:00:00Z") for n in range(8)
    ]
    late = listed("demo-1.0-py3-none-any.whl", upload_time="2026-11-20T10:00:00Z")
    assert entries(feed_of(registry_of(demo=(*wheels, late))), "title")[:2] == ["demo 1.0", "demo 2.7"]


def test_the_feed_says_for_whom_the_wheels_are() -> None:
    wheels = (cuda_wheel("3.12", "aarch64"), cuda_wheel("3.13", "aarch64"))
    (summary,) = entries(feed_of(registry_of(demo=wheels)), "summary")
    assert summary == "2 wheels: Python 3.12, 3.13 · Linux aarch64 · CUDA 13.0 · torch 2.11. A demonstration"


def test_no_two_sites_give_their_entries_the_same_identifiers() -> None:
    registry = registry_of(demo=(listed("demo-1.0-py3-none-any.whl"),))
    one, two, unknown = (
        feed_of(registry, url) for url in ("https://one.example", "https://two.example", None)
    )
    found = [{node.text for node in feed.iter(f"{ATOM}id")} for feed in (one, two, unknown)]
    assert not found[0] & found[1]
    assert not found[0] & found[2]
    assert found[0] == {node.text for node in feed_of(registry, "https://one.example").iter(f"{ATOM}id")}


def test_the_public_address_is_written_out_where_it_is_known() -> None:
    registry = registry_of(demo=(cuda_wheel("3.12", "x86_64"),))
    known = pages(registry, Settings(public_url="https://wheels.example.com"))["demo/index.html"]
    assert "https://wheels.example.com/index/cu130/torch2.11/simple/" in known
    assert "data-here" not in known
    assert "HERE" not in known
    for unknown in (pages(registry)["demo/index.html"], pages(registry)["index.html"]):
        assert 'data-here="https://HERE"' in unknown
        assert "<code>https://HERE</code> stands for this site's address." in unknown
