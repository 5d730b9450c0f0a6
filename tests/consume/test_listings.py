"""What sources offer, from loopback servers: merged, cached, and with each failure named beside the rest."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from keyring.credentials import SimpleCredential

from tests.consume.github_server import UPDATED, GitHub
from tests.index.hosts import FILENAME, METADATA_SHA256, SHA256, WHEEL, Host, document, hosted, html, http
from workbench.consume import listings
from workbench.consume.asking import fetch_registry
from workbench.consume.cache import Cache
from workbench.consume.host import Host as Machine
from workbench.consume.listings import Offers, offers
from workbench.consume.offer import Hints, OfferedWheel
from workbench.consume.registries import read_registries
from workbench.consume.sources import WheelSource
from workbench.paths import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.index.stores import Store

SPARK = Machine(compute="cu130", torch="2.11.0")
NATIVE = "demo-1.0+cu130torch2.11-cp312-cp312-linux_aarch64.whl"


def index(host: Host, **more: Any) -> WheelSource:
    return WheelSource(**{"name": "index", "kind": "index", "url": host.root, **more})


def links(host: Host, page: str = "/links/", **more: Any) -> WheelSource:
    url = host.root.replace("/simple/", page)
    return WheelSource(**{"name": "links", "kind": "links", "url": url, **more})


def releases(server: GitHub, repository: str = "ada/wheels", **more: Any) -> WheelSource:
    url = f"{server.api}/repos/{repository}/releases?per_page=100"
    return WheelSource(**{"name": repository, "kind": "github", "url": url, **more})


def names(found: Offers) -> list[str]:
    return [wheel.filename for wheel in found.wheels]


# ---------------------------------------------------------------- each kind


def test_an_index_in_html_and_in_json_says_the_same(host: Host, cache: Cache) -> None:
    said: dict[str, Any] = {
        "filename": FILENAME,
        "url": host.root.replace("simple/", f"files/{FILENAME}"),
        "source": "index",
        "sha256": SHA256,
        "metadata_sha256": METADATA_SHA256,
    }
    assert offers("Demo", [index(host)], SPARK, cache=cache).wheels == (OfferedWheel(**said),)
    host.page(document(file={"requires-python": ">=3.9", "yanked": "bad"}))
    more: dict[str, Any] = {
        "size": len(WHEEL),
        "updated": "2026-11-20T10:00:00Z",
        "requires_python": ">=3.9",
        "yanked": "bad",
    }
    found = offers("demo", [index(host)], SPARK, cache=cache, refresh=True)
    assert found.wheels == (OfferedWheel(**said, **more),)
    assert found.troubles == ()


def test_an_index_of_our_own_generator(store: Store, cache: Cache) -> None:
    wheel = store.publish("demo", "1.1+cu130", yanked="bad", requires_python=">=3.9")
    store.publish("demo", "1.0")
    store.draw()
    with store.served() as root:
        source = WheelSource(name="ours", kind="index", url=f"{root}index/simple/")
        found = offers("demo", [source], SPARK, cache=cache)
        assert sorted(names(found)) == ["demo-1.0-py3-none-any.whl", wheel.filename]
        (offer,) = (each for each in found.wheels if each.filename == wheel.filename)
        assert (offer.sha256, offer.yanked, offer.requires_python) == (wheel.sha256, "bad", ">=3.9")
        assert offer.metadata_sha256 == wheel.metadata_sha256
        assert offers("nothing", [source], SPARK, cache=cache) == Offers(
            answered=(listings.Answered(source="ours", url=f"{source.url}nothing/", files=0, age=0.0),)
        )


def test_a_page_of_links_with_a_base_and_relative_links(host: Host, cache: Cache) -> None:
    anchors = (
        f'<a href="{NATIVE}#sha256={SHA256.upper()}">x</a><a href="/other/demo-2.0-py3-none-any.whl">y</a>'
        '<a href="https://ada:s3cret@else.example/demo-3.0-py3-none-any.whl">z</a>'
        '<a href="demo-4.0.tar.gz">source</a><a href="other-1.0-py3-none-any.whl">other</a>'
        f'<a href="{NATIVE}.metadata">metadata</a><a href="../">up</a>'
    )
    head = '<base href="/files%20here/">'
    host.answers["/links/"] = http(html(anchors, head=head))
    found = offers("demo", [links(host)], SPARK, cache=cache)
    here = host.root.replace("/simple/", "")
    assert [(wheel.url, wheel.sha256) for wheel in found.wheels] == [
        (f"{here}/files%20here/{NATIVE}", SHA256),
        (f"{here}/other/demo-2.0-py3-none-any.whl", None),
        ("https://else.example/demo-3.0-py3-none-any.whl", None),
    ]
    assert found.troubles == ()


def test_a_folder(tmp_path: Path, cache: Cache) -> None:
    (tmp_path / FILENAME).write_bytes(WHEEL)
    (tmp_path / f"{FILENAME}.metadata").touch()
    (tmp_path / "demo-2.0 (1)-py3-none-any.whl").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "demo-3.0-py3-none-any.whl").mkdir()
    source = WheelSource(name="mine", kind="folder", url=tmp_path.as_uri())
    found = offers("demo", [source], SPARK, cache=cache, offline=True)
    (wheel,) = found.wheels
    assert (wheel.url, wheel.size, wheel.metadata_sha256) == (
        (tmp_path / FILENAME).as_uri(),
        len(WHEEL),
        "",
    )
    assert [trouble.what for trouble in found.troubles] == ["1 file left out: the name is not a filename"]
    gone = WheelSource(name="gone", kind="folder", url=(tmp_path / "gone").as_uri())
    (trouble,) = offers("demo", [gone], SPARK, cache=cache).troubles
    assert trouble.what == "the folder could not be read: No such file or directory"


def test_an_index_in_a_folder_is_read_and_not_kept(tmp_path: Path, cache: Cache) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "index.html").write_text(html(f'<a href="../{FILENAME}">x</a>'))
    source = WheelSource(name="mine", kind="index", url=tmp_path.as_uri())
    (wheel,) = offers("demo", [source], SPARK, cache=cache).wheels
    assert wheel.url == (tmp_path / FILENAME).as_uri()
    assert offers("other", [source], SPARK, cache=cache).troubles == ()
    assert cache.info().pages == 0


def test_releases_of_github(server: GitHub, cache: Cache) -> None:
    repository = server.repository("ada/wheels")
    for number in range(150):
        repository.release(
            f"v{number}", [f"demo-{number}-py3-none-any.whl", f"nv_demo-{number}-py3-none-any.whl"]
        )
    repository.release("v1000", [NATIVE, f"{NATIVE}.asc", "demo.tar.gz"])
    source = releases(server, filed_as={"other": "nv-demo"})
    found = offers("demo", [source], SPARK, cache=cache)
    assert len(found.wheels) == 152
    assert names(found)[:2] == [NATIVE, f"{NATIVE}.asc"]
    assert (found.wheels[0].updated, found.wheels[0].size) == (UPDATED, 1234)
    assert len(offers("other", [source], SPARK, cache=cache).wheels) == 150
    assert len(server.asked) == 2


def test_folders_for_cuda_and_torch_are_hints(host: Host, cache: Cache) -> None:
    source = links(
        host,
        "/torch-{torch}+{cuda}.html",
        cudas=("cu130", "cu132"),
        missing=(403,),
        hints=Hints(packing="minor"),
    )
    host.answers["/torch-2.11.0+cu130.html"] = http(
        html('<a href="demo-1.0+pt211cu130-py3-none-any.whl">x</a>')
    )
    host.answers["/torch-2.11.0+cu132.html"] = http("denied", status="403 Forbidden")
    found = offers("demo", [source], SPARK, cache=cache)
    assert [wheel.hints for wheel in found.wheels] == [Hints(compute="cu130", torch="2.11", packing="minor")]
    assert found.troubles == ()
    assert [(each.url[-10:], each.files) for each in found.answered] == [("cu130.html", 1), ("cu132.html", 0)]


# ---------------------------------------------------------------- several


def test_the_same_file_in_several_releases_is_the_newest_and_that_is_said(
    server: GitHub, cache: Cache
) -> None:
    repository = server.repository("ada/wheels")
    repository.release("v2", [NATIVE], contents={NATIVE: b"same"}, updated="2026-11-21T00:00:00Z")
    repository.release("v1", [NATIVE], contents={NATIVE: b"same"}, updated="2026-11-20T00:00:00Z")
    repository.release("v0", [NATIVE], contents={NATIVE: b"another"}, updated="2026-11-19T00:00:00Z")
    found = offers("demo", [releases(server)], SPARK, cache=cache)
    assert [wheel.url.split("/")[-2] for wheel in found.wheels] == ["v0", "v2"]
    assert [wheel.url.split("/")[-2] for wheel in found.repeated] == ["v1"]


def test_a_name_in_folders_for_two_cudas_is_two_files(host: Host, cache: Cache) -> None:
    source = links(host, "/{cuda}/", cudas=("cu130", "cu132"))
    for cuda in source.cudas:
        host.answers[f"/{cuda}/"] = http(html(f'<a href="{FILENAME}">x</a>'))
    assert len(offers("demo", [source], SPARK, cache=cache).wheels) == 2


def test_one_that_fails_is_named_and_hides_no_other(host: Host, server: GitHub, cache: Cache) -> None:
    host.answers["/broken/"] = http("x", "image/png")
    server.repository("ada/wheels").release("v1", [NATIVE])
    sources = [
        WheelSource(name="nobody", kind="links", url="http://127.0.0.1:9/x.html"),
        links(host, "/broken/"),
        releases(server, "ada/gone"),
        links(host, "/{torch_minor}/{cuda}", name="unknown"),
        index(host),
        releases(server),
    ]
    found = offers("demo", sources, Machine(compute="cu130"), cache=cache)
    assert names(found) == [FILENAME, NATIVE]
    assert {trouble.source: trouble.what for trouble in found.troubles} == {
        "unknown": "unknown: its folders are by torch, and none is known: name one with --torch",
        "nobody": "Connection refused",
        "links": "not a page of a package index: its type is image/png",
        "ada/gone": "404 Not Found: no such repository, or a private one, which needs a token in GITHUB_TOKEN",
    }
    assert [each.source for each in found.answered] == ["index", "ada/wheels"]


def test_githubs_limit_is_met_once(server: GitHub, cache: Cache) -> None:
    server.remaining = 0
    found = offers("demo", [releases(server), releases(server, "ada/more")], SPARK, cache=cache)
    assert len(server.asked) == 1
    assert [trouble.source for trouble in found.troubles] == ["ada/wheels", "ada/more"]
    assert all("try again at" in trouble.what for trouble in found.troubles)


def test_pages_that_go_in_a_circle_or_on_forever_end(
    server: GitHub, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = f"{server.api}/repos/ada/wheels/releases?per_page=100", f"{server.api}/again"
    server.instead["/repos/ada/wheels/releases"] = (200, {"Link": f'<{second}>; rel="next"'}, b"[]")
    server.instead["/again"] = (200, {"Link": f'<{first}>; rel="next"'}, b"[]")
    for _ in range(2):  # the second time from the cache
        assert offers("demo", [releases(server)], SPARK, cache=cache).troubles == ()
    assert len(server.asked) == 2
    monkeypatch.setattr("workbench.consume.asking.MOST_PAGES", 1)
    (trouble,) = offers("demo", [releases(server)], SPARK, cache=cache, refresh=True).troubles
    assert trouble.what == "more than 1 pages: the rest was not read"


def test_a_list_of_paths_is_served_as_releases(server: GitHub, cache: Cache) -> None:
    paths = [f"v{number % 7}/demo-{number}-py3-none-any.whl" for number in range(50)]
    server.repository("ada/wheels").release_paths(f"https://github.com/ada/wheels/{path}" for path in paths)
    found = offers("demo", [releases(server)], SPARK, cache=cache)
    assert {"/".join(wheel.url.split("/")[-2:]) for wheel in found.wheels} == set(paths)


# ---------------------------------------------------------------- the cache


class Clock:
    """A cache whose time goes on when a test says so."""

    def __init__(self, folder: Path) -> None:
        self.time = 1_000_000_000.0
        self.cache = Cache(folder, now=lambda: self.time)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "cache")


def test_what_a_source_said_is_asked_for_again_after_ten_minutes(server: GitHub, clock: Clock) -> None:
    repository = server.repository("ada/wheels")
    for number in range(101):
        repository.release(f"v{number}", [f"demo-{number}-py3-none-any.whl"])
    first = offers("demo", [releases(server)], SPARK, cache=clock.cache)
    clock.time += 599
    second = offers("demo", [releases(server)], SPARK, cache=clock.cache)
    assert (len(server.asked), second.wheels) == (2, first.wheels)
    assert second.answered[0].age == 599
    clock.time += 2
    third = offers("demo", [releases(server)], SPARK, cache=clock.cache)
    assert ([asked.status for asked in server.asked[2:]], third.wheels) == ([304, 304], first.wheels)
    assert third.answered[0].age == 0
    clock.time += 599
    offers("demo", [releases(server)], SPARK, cache=clock.cache)
    assert len(server.asked) == 4
    repository.release("v101", ["demo-101-py3-none-any.whl"])
    fourth = offers("demo", [releases(server)], SPARK, cache=clock.cache, refresh=True)
    assert len(fourth.wheels) == 102


def test_an_index_is_asked_for_what_is_newer(host: Host, clock: Clock) -> None:
    since = "Fri, 20 Nov 2026 10:00:00 GMT"
    host.answers["/simple/demo/"] = http(html(f'<a href="{FILENAME}">x</a>'), ETag='"1"', Last_Modified=since)
    offers("demo", [index(host)], SPARK, cache=clock.cache)
    clock.time += 601
    host.answers["/simple/demo/"] = http("", status="304 Not Modified")
    found = offers("demo", [index(host)], SPARK, cache=clock.cache)
    assert (host.sent[-1]["if-none-match"], host.sent[-1]["if-modified-since"]) == ('"1"', since)
    assert (names(found), found.answered[0].age) == ([FILENAME], 0)
    (trouble,) = offers("demo", [index(host)], SPARK, cache=clock.cache, refresh=True).troubles
    assert "if-none-match" not in host.sent[-1]
    assert "304 Not Modified, though nothing was asked to be compared" in trouble.what


def test_offline_uses_what_is_there_and_says_how_old_it_is(server: GitHub, host: Host, clock: Clock) -> None:
    server.repository("ada/wheels").release("v1", [NATIVE])
    offers("demo", [releases(server)], SPARK, cache=clock.cache)
    clock.time += 86_400
    asked = len(server.asked)
    found = offers(
        "demo", [releases(server), index(host)], SPARK, cache=clock.cache, offline=True, refresh=True
    )
    assert (names(found), found.answered[0].age, len(found.answered)) == ([NATIVE], 86_400, 1)
    assert [trouble.what for trouble in found.troubles] == [
        "nothing of it is in the cache, and --offline asks nobody"
    ]
    assert (len(server.asked), host.asked) == (asked, [])


def test_where_a_source_does_not_answer_what_it_said_is_used_and_that_is_said(
    server: GitHub, clock: Clock
) -> None:
    server.repository("ada/wheels").release("v1", [NATIVE])
    offers("demo", [releases(server)], SPARK, cache=clock.cache)
    clock.time += 7200
    server.remaining = 0
    found = offers("demo", [releases(server)], SPARK, cache=clock.cache)
    assert (names(found), found.answered[0].age) == ([NATIVE], 7200)
    assert found.troubles[0].what.endswith("; used is what it said 120 min 00 s ago")
    assert "rate limit" in found.troubles[0].what


def test_a_damaged_file_of_the_cache_is_asked_for_again(server: GitHub, cache: Cache) -> None:
    server.repository("ada/wheels").release("v1", [NATIVE])
    for _ in range(2):
        assert names(offers("demo", [releases(server)], SPARK, cache=cache)) == [NATIVE]
        assert cache.folder
        for path in (cache.folder / "pages").iterdir():
            path.write_bytes(path.read_bytes()[:-3])
    assert [asked.status for asked in server.asked] == [200, 200]


# ---------------------------------------------------------------- hostile pages


@pytest.mark.parametrize(
    ("href", "why"),
    [
        ("javascript:alert(1)/demo-1.0-py3-none-any.whl", "the link is not an http or https URL"),
        ("file:///etc/demo-1.0-py3-none-any.whl", "the link is not an http or https URL"),
        ("ftp://a.example/demo-1.0-py3-none-any.whl", "the link is not an http or https URL"),
        ("http://:80/demo-1.0-py3-none-any.whl", "the link is not an http or https URL"),
        ("http://a.example/demo-1.0-py3-none-any.whl?token=abcdefgh", "the link has a token in it"),
        ("http://a.example/..%2f..%2fdemo-1.0-py3-none-any.whl", "the name is not a filename"),
        ("http://a.example/demo-1.0%00-py3-none-any.whl", "the name is not a filename"),
        ("http://a.example/demo-1.0%1b[2J-py3-none-any.whl", "the name is not a filename"),
        ("http://a.example/demo-1.0%0a-py3-none-any.whl", "the name is not a filename"),
        ("http://a.example/%2edemo-1.0-py3-none-any.whl", "the name is not a filename"),
        ("http://a.example/a\x01b/demo-1.0-py3-none-any.whl", "the link is not an http or https URL"),
        (f"http://a.example/demo-{'1' * 300}-py3-none-any.whl", "the name is not a filename"),
        ("http://a.example/demo-1.0-py3-none-any.whl#sha256=xyz", "its sha256 is not one"),
        (f"http://a.example/demo-1.0-py3-none-any.whl#sha256={SHA256}0", "its sha256 is not one"),
    ],
)  # fmt: skip
def test_a_link_that_is_none_is_left_out_and_counted(host: Host, cache: Cache, href: str, why: str) -> None:
    host.page(html(f'<a href="{href}">x</a><a href="{FILENAME}">good</a>'))
    found = offers("demo", [index(host)], SPARK, cache=cache)
    assert names(found) == [FILENAME]
    assert [trouble.what for trouble in found.troubles] == [f"1 file left out: {why}"]
    again = offers("demo", [index(host)], SPARK, cache=cache)
    assert (again.troubles, len(host.asked)) == (found.troubles, 1)


@pytest.mark.parametrize(
    "file",
    [
        {"filename": "../../demo-1.0-py3-none-any.whl"},
        {"filename": "demo-1.0\x00-py3-none-any.whl"},
        {"filename": "demo-1.0\u202e-py3-none-any.whl"},
        {"url": "javascript:x"},
        {"url": 7},
        {"hashes": {"sha256": "x"}},
    ],
)
def test_so_it_is_in_json(host: Host, cache: Cache, file: dict[str, Any]) -> None:
    host.page(document(file=file))
    found = offers("demo", [index(host)], SPARK, cache=cache)
    assert found.wheels == ()
    assert len(found.troubles) == 1


def test_facts_of_the_wrong_kind_are_not_taken(host: Host, cache: Cache) -> None:
    odd = {
        "size": -1,
        "upload-time": "x\x1b",
        "requires-python": 3,
        "core-metadata": {"sha256": "x"},
        "yanked": "z" * 999,
    }
    host.page(document(file=odd))
    (wheel,) = offers("demo", [index(host)], SPARK, cache=cache).wheels
    assert (wheel.size, wheel.updated, wheel.requires_python, wheel.metadata_sha256) == (None, None, None, "")
    assert wheel.yanked == "z" * 400


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (http("[" * 100_000, "application/vnd.pypi.simple.v1+json"), "not a page of a package index"),
        (http("<html>", "text/html; charset=nonsense"), "not a page of a package index: unknown encoding"),
        (http(b"\xff\xfe\x00", "text/html"), "not a page of a package index"),
        (http(html("").replace("1.4", "2.0")), "API version 2.0, which this program does not know"),
        (http("x", "application/json"), "its type is application/json"),
        (http("", status="500 Oh"), "500 Oh"),
        (b"nonsense\r\n\r\n", "not sound HTTP"),
        (http("", status="302 Found", Location="file:///etc/passwd"), ""),
        (http("", status="302 Found", Location="/simple/demo/"), "more than 10 redirects"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 99\r\n\r\n<a", "broke off"),
    ],
)  # fmt: skip
def test_a_page_that_is_none_is_a_trouble_of_one_line(
    host: Host, cache: Cache, answer: bytes, said: str
) -> None:
    host.answers["/simple/demo/"] = answer
    found = offers("demo", [index(host)], SPARK, cache=cache)
    (trouble,) = found.troubles
    assert said in trouble.what
    assert trouble.what.isprintable()
    assert (found.wheels, found.answered) == ((), ())


def test_an_endless_page_ends(host: Host, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.consume.asking.PAGE_BYTES", 50_000)
    host.page("<a href=x.whl>" * 5_000)
    (trouble,) = offers("demo", [index(host)], SPARK, cache=cache).troubles
    assert trouble.what == "more than 50,000 bytes, the most that is read of it"


@pytest.mark.parametrize(
    "entry", ['<a href="demo-{}-py3-none-any.whl">x</a>', '{{"filename": "demo-{}-any.whl"}}']
)
def test_a_million_links_are_refused_before_they_cost_much(host: Host, cache: Cache, entry: str) -> None:
    listed = [entry.format(number) for number in range(1_000_000 if entry[0] == "{" else 500_000)]
    page = f'{{"meta": {{}}, "files": [{",".join(listed)}]}}' if entry[0] == "{" else "".join(listed)
    host.page(page[: 32 << 20] if entry[0] == "<" else page)
    (trouble,) = offers("demo", [index(host)], SPARK, cache=cache).troubles
    assert re.search("links and more in|more than 33,554,432 bytes", trouble.what)


def test_a_stall_is_given_up(cache: Cache, monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    import socket

    # kept, so never too late below
    assert names(offers("demo", [index(host)], SPARK, cache=cache)) == [FILENAME]
    monkeypatch.setattr("workbench.http.SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        found = offers(
            "demo", [WheelSource(name="silent", kind="links", url=url), index(host)], SPARK, cache=cache
        )
    assert [(trouble.source, trouble.what) for trouble in found.troubles] == [
        ("silent", "no answer for 0.2 s")
    ]
    assert names(found) == [FILENAME]


# ---------------------------------------------------------------- logins


def test_a_token_goes_to_its_host_and_is_nowhere_else(
    host: Host, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = "t0ken-of-the-lab"
    monkeypatch.setenv("GPUWHEELS_TOKEN", word)
    with hosted() as other:
        there = f"http://localhost:{other.server_address[1]}/x"
        other.answers["/x"] = http(html(f'<a href="{NATIVE}">x</a>'))
        host.answers["/moved/"] = http("", status="302 Found", Location=there)
        ours = index(host, own=True, takes_token=True)
        found = offers("demo", [ours, links(host, "/moved/", own=True, takes_token=True)], SPARK, cache=cache)
        assert names(found) == [FILENAME, NATIVE]
        assert {sent["authorization"] for sent in host.sent} == {f"Bearer {word}"}
        assert all("authorization" not in sent for sent in other.sent)
    assert word not in repr(found)
    assert cache.folder
    assert not any(word.encode() in path.read_bytes() for path in cache.folder.rglob("*") if path.is_file())


def test_a_variable_beats_netrc(
    host: Host, cache: Cache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password of-netrc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    offers("demo", [index(host)], SPARK, cache=cache)
    monkeypatch.setenv("GPUWHEELS_TOKEN_127_0_0_1", "of-the-variable")
    offers("demo", [index(host)], SPARK, cache=cache, refresh=True)
    offers("demo", [index(host, login="ada:of-the-url")], SPARK, cache=cache, refresh=True)
    assert [sent["authorization"] for sent in host.sent] == [
        "Basic YWRhOm9mLW5ldHJj",
        "Bearer of-the-variable",
        "Basic YWRhOm9mLXRoZS11cmw=",
    ]


def test_the_keyring_is_asked_where_a_server_has_refused(
    host: Host, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def get_credential(service: str, _: None) -> SimpleCredential | None:
        asked.append(service)
        return SimpleCredential("ada", "of-the-keyring") if len(asked) == 1 else None

    monkeypatch.setattr("keyring.get_credential", get_credential)
    offers("demo", [index(host)], SPARK, cache=cache)
    assert asked == []
    host.answers["/simple/demo/"] = http("", status="401 Unauthorized")
    offers("demo", [index(host)], SPARK, cache=cache, refresh=True)
    assert asked == [host.root.split("/")[2]]
    assert host.sent[-1]["authorization"] == "Basic YWRhOm9mLXRoZS1rZXlyaW5n"
    (trouble,) = offers("demo", [index(host)], SPARK, cache=cache, refresh=True).troubles
    assert (len(asked), "401 Unauthorized" in trouble.what) == (2, True)


def test_a_refusal_says_which_variable(host: Host, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    host.answers["/simple/demo/"] = http("", status="401 Unauthorized")
    (trouble,) = offers("demo", [index(host)], SPARK, cache=cache).troubles
    assert (
        trouble.what
        == "401 Unauthorized: put its token into GPUWHEELS_TOKEN_127_0_0_1, or a login into ~/.netrc"
    )
    monkeypatch.setenv("GPUWHEELS_TOKEN_127_0_0_1", "stale-token")
    (trouble,) = offers("demo", [index(host)], SPARK, cache=cache).troubles
    assert trouble.what.startswith("401 Unauthorized: is the token for 127.0.0.1 valid?")


# ---------------------------------------------------------------- registries at URLs

REGISTRY = b'shipped = false\n[[sources]]\nname = "theirs"\nkind = "links"\nurl = "https://a.example/"\n'


def test_a_registry_at_a_url_is_kept(host: Host, clock: Clock) -> None:
    host.answers["/r.toml"] = http(REGISTRY, "text/plain")
    url = host.root.replace("simple/", "r.toml").replace("://", "://ada:s3cret@")
    for _ in range(2):
        (source,) = read_registries([url], fetch=fetch_registry(clock.cache))
        assert (source.name, source.own, source.registry) == (
            "theirs",
            False,
            url.replace("ada:s3cret", "***"),
        )
    assert len(host.asked) == 1
    clock.time += 601
    host.answers["/r.toml"] = http("", status="503 No")
    assert read_registries([url], fetch=fetch_registry(clock.cache)) == (source,)
    assert read_registries([url], fetch=fetch_registry(clock.cache, offline=True)) == (source,)
    assert cache_text(clock.cache).count(b"s3cret") == 0


def cache_text(cache: Cache) -> bytes:
    assert cache.folder
    return b"".join(path.read_bytes() for path in cache.folder.rglob("*") if path.is_file())


WARM = """
import sys
from workbench.consume.cache import Cache
from workbench.consume.host import Host
from workbench.consume.listings import offers
from workbench.consume.registries import read_registries
found = offers("demo", read_registries([sys.argv[1]]), Host(), cache=Cache.here())
print(len(found.wheels), sorted({"requests", "rich", "invoke", "ssl", "http.client"} & sys.modules.keys()))
"""


def test_an_answer_from_the_cache_loads_nothing_of_the_network(server: GitHub, tmp_path: Path) -> None:
    server.repository("ada/wheels").release("v1", [NATIVE])
    registry = tmp_path / "r.toml"
    registry.write_text(
        "shipped = false\n[[sources]]\n"
        f'name = "x"\nkind = "github"\nrepository = "ada/wheels"\napi = "{server.api}"\n'
    )
    offers("demo", read_registries([str(registry)]), Machine(), cache=Cache.here())
    ran = subprocess.run(
        [sys.executable, "-c", WARM, str(registry)], capture_output=True, text=True, check=True, cwd=CHECKOUT
    )
    assert (ran.stdout, len(server.asked)) == ("1 []\n", 1)
