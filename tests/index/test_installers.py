"""What installers read. Real ones read it in ``test_clients.py``."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

from tests.index.stores import listed, registry_of
from workbench.errors import IndexFault, RegistryError
from workbench.evidence.facts import BuildFacts
from workbench.index.draw import draw
from workbench.index.output import Gone, Page
from workbench.registry.file import dumps
from workbench.registry.model import PublishedWheel, Registry
from workbench.settings import IndexSettings, Settings
from workbench.simple.listing import Listing, read_html, read_json

WHEEL = listed(
    "demo-1.0-py3-none-any.whl",
    requires_python=">=3.9,<4",
    metadata_sha256="b" * 64,
    provenance="https://example.com/demo.provenance?a=1&b=2",
)


def pages(registry: Registry, settings: Settings | None = None) -> dict[str, bytes]:
    document = io.BytesIO(dumps(registry).encode())
    drawn = list(draw(document, settings or Settings()))
    assert not any(isinstance(page, Gone) for page in drawn)
    return {page.path: page.content for page in drawn if not isinstance(page, Gone)}


def both(drawn: dict[str, bytes], name: str = "demo", root: str = "") -> tuple[Listing, Listing]:
    """Return a project's page as HTML and as JSON say it."""
    base = f"https://example.com/index/{root}simple/{name}/"
    html = read_html(drawn[f"{root}simple/{name}/index.html"].decode(), base)
    return html, read_json(drawn[f"{root}simple-json/{name}/index.json"], base)


def projects(drawn: dict[str, bytes], root: str = "") -> list[str]:
    """Return the projects that a root lists, in HTML and in JSON alike."""
    base = f"https://example.com/index/{root}simple/"
    html = read_html(drawn[f"{root}simple/index.html"].decode(), base)
    document = read_json(drawn[f"{root}simple-json/index.json"], base)
    assert html.version == document.version == "1.4"
    names = [link.name for link in html.links]
    assert names == [link.name for link in document.links]
    return names


@pytest.mark.parametrize("kind", [0, 1], ids=["html", "json"])
def test_every_fact_of_a_file_is_on_the_page(kind: int) -> None:
    page = both(pages(registry_of(demo=(WHEEL,))))[kind]
    assert page.version == "1.4"
    (file,) = page.files
    assert file.filename == WHEEL.filename
    assert file.url == f"https://example.com/files/demo/{WHEEL.filename}"
    assert file.hashes == {"sha256": WHEEL.sha256}
    assert file.attributes["requires-python"] == ">=3.9,<4"
    assert file.metadata == {"sha256": "b" * 64}
    assert file.attributes["provenance"] == WHEEL.provenance
    assert file.yanked is None


def test_json_has_sizes_times_and_versions() -> None:
    page = both(pages(registry_of(demo=(WHEEL, listed("demo-0.9-py3-none-any.whl")))))[1]
    assert page.document is not None
    assert page.document["versions"] == ["0.9", "1.0"]
    assert {file.attributes["size"] for file in page.files} == {1234}
    assert page.files[0].attributes["upload-time"] == "2026-11-20T10:00:00Z"


def test_facts_that_are_not_known_are_not_promised() -> None:
    for page in both(pages(registry_of(demo=(listed("demo-1.0-py3-none-any.whl"),)))):
        (file,) = page.files
        assert file.metadata is None
        assert not {"requires-python", "provenance"} & file.attributes.keys()


@pytest.mark.parametrize("reason", ["", 'breaks on "sm_120" <b> & more'])
def test_a_yank_and_its_reason_reach_both_pages(reason: str) -> None:
    for page in both(pages(registry_of(demo=(replace(WHEEL, yanked=reason),)))):
        assert page.files[0].yanked == reason


def test_a_plus_is_quoted_in_urls_and_not_in_names() -> None:
    drawn = pages(registry_of(demo=(listed("demo-1.0+cu130-py3-none-any.whl"),)))
    for page in both(drawn):
        (file,) = page.files
        assert file.filename == "demo-1.0+cu130-py3-none-any.whl"
        assert str(file.url).endswith("/files/demo/demo-1.0%2Bcu130-py3-none-any.whl")


def test_the_roots_list_every_project() -> None:
    drawn = pages(registry_of(demo=(WHEEL,), b_project=(listed("b_project-1.0-py3-none-any.whl"),)))
    assert projects(drawn) == ["b-project", "demo"]


def test_a_project_without_a_file_is_not_listed() -> None:
    """Its empty page would stand before a project of the same name in another index."""
    registry = registry_of(demo=(WHEEL,), empty=(), archived=())
    archived = replace(registry.packages["archived"], status="archived")
    drawn = pages(registry.with_package("archived", archived))
    for root in ("simple/index.html", "simple-json/index.json"):
        assert b"empty" not in drawn[root]
    assert projects(drawn) == ["archived", "demo"]
    assert "simple/empty/index.html" not in drawn
    assert both(drawn, "archived")[0].metas["pypi:project-status"] == "archived"
    assert b"No wheels are published" in drawn["empty/index.html"]


def test_status_is_said_and_a_quarantined_project_offers_nothing() -> None:
    registry = registry_of(demo=(WHEEL,))
    package = replace(registry.packages["demo"], status="quarantined", status_reason="mal<ware>")
    drawn = pages(registry.with_package("demo", package))
    html, document = both(drawn)
    assert html.metas["pypi:project-status"] == "quarantined"
    assert html.metas["pypi:project-status-reason"] == "mal<ware>"
    assert document.document is not None
    assert document.document["project-status"] == {"status": "quarantined", "reason": "mal<ware>"}
    assert html.files == document.files == ()
    assert WHEEL.filename not in drawn["demo/index.html"].decode()


def test_each_combination_of_cuda_and_torch_has_an_index_of_its_own() -> None:
    names = ["1.0+cu130torch2.11", "1.0+cu126torch2.10", "1.0+cu130", "1.0+cpu", "1.0", "1.0+local7"]
    drawn = pages(registry_of(demo=tuple(listed(f"demo-{version}-py3-none-any.whl") for version in names)))
    found = {
        path.removesuffix("simple/demo/index.html"): [
            file.filename.split("-")[1]
            for file in both(drawn, root=path.removesuffix("simple/demo/index.html"))[0].files
        ]
        for path in drawn
        if path.endswith("simple/demo/index.html")
    }
    assert found == {
        "": [*sorted(names)[1:], "1.0"],  # in the order of the filenames
        "cu130/torch2.11/": ["1.0+cu130torch2.11"],
        "cu126/torch2.10/": ["1.0+cu126torch2.10"],
        "cu130/": ["1.0+cu130"],
        "cpu/": ["1.0+cpu"],
    }
    for root in found:
        (file, *_) = both(drawn, root=root)[0].files
        assert str(file.url).startswith("https://example.com/files/demo/")
        assert projects(drawn, root) == ["demo"]


def test_a_variant_of_the_recipe_is_in_no_channel() -> None:
    """An installer that is given the channel would take it before the usual build."""
    usual = listed("demo-1.0+cu130torch2.11-py3-none-any.whl")
    build = BuildFacts(source="demo==1.0", pin="a" * 64, compute="cu130", torch="2.11.0", variant="hdim128")
    variant = listed("demo-1.0+cu130torch2.11.hdim128-py3-none-any.whl", build=build)
    drawn = pages(registry_of(demo=(usual, variant)))
    (file,) = both(drawn, root="cu130/torch2.11/")[0].files
    assert file.filename == usual.filename
    assert len(both(drawn)[0].files) == 2


def test_a_wheel_variant_is_not_for_installers_yet() -> None:
    """PEP 825 is a draft."""
    drawn = pages(registry_of(demo=(WHEEL, listed("demo-1.0-py3-none-any-cu130.whl"))))
    assert not [path for path, content in drawn.items() if b"cu130" in content]


def test_absolute_urls_by_setting() -> None:
    settings = Settings(public_url="https://wheels.example.com", index=IndexSettings(urls="absolute"))
    for page in both(pages(registry_of(demo=(WHEEL,)), settings)):
        assert page.files[0].url == f"https://wheels.example.com/files/demo/{WHEEL.filename}"


def test_a_file_that_lies_elsewhere_keeps_its_url() -> None:
    wheel = replace(WHEEL, url="https://cdn.example.com/a b/demo-1.0-py3-none-any.whl?x=1&y=2")
    for page in both(pages(registry_of(demo=(wheel,)))):
        assert page.files[0].url == "https://cdn.example.com/a%20b/demo-1.0-py3-none-any.whl?x=1&y=2"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": ""}, "has no sha256"),
        ({"sha256": "A" * 64}, "has no sha256"),
        ({"metadata_sha256": "x"}, "metadata_sha256 that is not 64 hex digits"),
        ({"upload_time": "yesterday"}, "upload_time 'yesterday'"),
        ({"upload_time": "2026-11-20 10:00:00Z"}, "upload_time '2026-11-20 10:00:00Z'"),
        ({"size": -1}, "has size -1"),
        ({"filename": "../demo.whl"}, "not a file name"),
        ({"filename": "demo.whl"}, "not a file name"),
        ({"filename": "demo-1.0.tar.gz"}, "not a file name"),
        ({"filename": 'demo"><script>.whl'}, "not a file name"),
        ({"provenance": "http://example.com"}, "not an absolute https URL"),
        ({"url": "../secret/demo.whl"}, "neither an http"),
        ({"url": "javascript:alert(1)"}, "neither an http"),
        ({"url": "/etc/passwd"}, "neither an http"),
    ],
)
def test_what_no_index_may_offer_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(IndexFault, match=message):
        pages(registry_of(demo=(replace(WHEEL, **change),)))


def test_a_filename_that_is_there_twice_is_refused() -> None:
    wheel = listed("demo-1.0-py3-none-any.whl")
    registry = registry_of(demo=(wheel, replace(wheel, sha256="c" * 64)))
    with pytest.raises(IndexFault, match=f"packages.demo: '{wheel.filename}' is there twice"):
        pages(registry)


def test_control_characters_reach_no_page_of_html() -> None:
    registry = registry_of(demo=(replace(WHEEL, yanked="bad \x00\x1b[31m news\x9b"),))
    package = replace(
        registry.packages["demo"], status="archived", status_reason="old\x07", description="a\x1bb"
    )
    for path, content in pages(registry.with_package("demo", package)).items():
        if path.endswith(".html"):
            assert not set(content.decode()) & {*map(chr, range(9)), "\x1b", "\x9b"}, path
    assert b"bad [31m news" in pages(registry)["simple/demo/index.html"]


def test_what_is_null_in_a_registry_edited_by_hand_is_not_known() -> None:
    text = dumps(registry_of(demo=(listed("demo-1.0-py3-none-any.whl"),)))
    nulls = "".join(
        f', "{key}": null' for key in ("yanked", "metadata_sha256", "requires_python", "provenance")
    )
    edited = text.replace('"size": 1234', f'"size": 1234{nulls}')
    assert edited != text
    drawn = {
        page.path: page.content
        for page in draw(io.BytesIO(edited.encode()), Settings())
        if isinstance(page, Page)
    }
    for page in both(drawn):
        (file,) = page.files
        assert file.yanked is None
        assert file.metadata is None
        assert not {"requires-python", "provenance"} & file.attributes.keys()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"size": 1234', '"size": "many"', "has size 'many'"),
        ('"filename": ', '"file-name": ', "packages.demo.wheels[0].file-name: unknown key"),
        ('"wheels": [', '"wheels": [7, ', "packages.demo.wheels[0]"),
        ('"source_repo": ', '"source_repo" ', "packages.demo: not JSON"),
        ('"size": 1234', '"size": 1234, "yanked": true', "packages.demo.wheels[0].yanked"),
        ('"size": 1234', '"size": 1234, "build": "x"', "packages.demo.wheels[0].build"),
        ('"requires_python": ">=3.9,<4"', '"requires_python": 3', "packages.demo.wheels[0].requires_python"),
        ('"url": "files/demo/', '"url": null, "build_key": "', "packages.demo.wheels[0].url"),
        ('"source_repo": ', '"status": 3, "source_repo": ', "packages.demo.status"),
    ],
)
def test_another_shape_is_refused_by_its_key(old: str, new: str, message: str) -> None:
    text = dumps(registry_of(demo=(replace(WHEEL, filename="demo-1.0+cu130-py3-none-any.whl"),)))
    edited = text.replace(old, new)
    assert edited != text
    for people in (True, False):
        with pytest.raises((RegistryError, IndexFault)) as caught:
            list(draw(io.BytesIO(edited.encode()), Settings(index=IndexSettings(people=people))))
        assert message in str(caught.value)


def test_the_registry_s_wheel_has_every_key_that_installers_need() -> None:
    from workbench.index.installers import FileEntry

    assert set(FileEntry.__annotations__) <= set(PublishedWheel.__slots__)
