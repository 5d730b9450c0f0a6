"""check-index on good indexes, on copies that are broken in one way each, and on hosts that talk nonsense."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.forked import invoke
from tests.index.hosts import (
    ANCHOR,
    FILENAME,
    METADATA_SHA256,
    SHA256,
    WHEEL,
    Host,
    document,
    hosted,
    html,
    http,
)
from workbench.errors import IndexFault, UsageError
from workbench.settings import IndexSettings, Settings
from workbench.simple import JSON
from workbench.simple.check import check_index
from workbench.simple.fetch import Fetched
from workbench.simple.finding import bounded
from workbench.simple.judge_page import judge_project, judge_root, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.index.stores import Store
    from workbench.simple.finding import IndexFinding


@pytest.fixture
def good(store: Store) -> Store:
    store.publish("demo", "1.0", requires_python=">=3.9")
    store.publish("demo", "1.1+cu130", yanked="bad")
    store.publish("some-other", "2.0")
    store.draw()
    return store


@pytest.fixture
def url(good: Store) -> Iterator[str]:
    with good.served() as root:
        yield root


def findings(where: str, *, hashes: bool = False) -> tuple[IndexFinding, ...]:
    return check_index(where, hashes=hashes).findings


def errors(where: str) -> list[str]:
    return [each.what for each in findings(where) if each.severity == "error"]


@pytest.mark.parametrize(
    ("page", "projects", "files"),
    [
        ("index/simple/", 2, 3),
        ("index/simple-json/", 2, 3),
        ("index/simple", 2, 3),
        ("index/cu130/simple/", 1, 1),
        ("index/simple/demo/", 1, 2),
        ("index/simple-json/demo", 1, 2),
        ("index/demo/", 1, 2),
    ],
)
def test_ours_has_no_finding(url: str, good: Store, page: str, projects: int, files: int) -> None:
    """A root, or one project's page, people's included: from a host and from the folder."""
    for where in (f"{url}{page}", str(good.root / page)):
        report = check_index(where, hashes=True)
        assert (report.projects, report.files, report.findings) == (projects, files, ())


def test_the_front_page_for_people_has_no_error(url: str) -> None:
    report = check_index(f"{url}index/")
    assert (report.projects, report.errors) == (2, 0)
    assert not [each for each in report.findings if "a link to #" in each.what]


def test_a_folder_may_link_to_the_web(good: Store, url: str) -> None:
    good.settings = Settings(index=IndexSettings(urls="absolute"), public_url=url.rstrip("/"))
    good.draw()
    assert findings(str(good.root / "index" / "simple"), hashes=True) == ()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


ROOT, DEMO = "simple/index.html", "simple/demo/index.html"


@pytest.mark.parametrize(
    ("page", "old", "new", "finding"),
    [
        (ROOT, 'content="1.4"', 'content="2.0"', "any major version but 1"),
        (ROOT, 'content="1.4"', 'content="one"', "not MAJOR.MINOR"),
        (ROOT, "<!DOCTYPE html>", "", "DOCTYPE"),
        (ROOT, 'href="demo/"', 'href="demo"', "lacks the slash"),
        (ROOT, 'href="some-other/"', 'href="Some_Other/"', "does not lead to some-other/"),
        (ROOT, 'href="demo/"', 'href="javascript:go()"', "'demo', a link to javascript:go(), is not a project"),
        (ROOT, 'href="demo/"', 'href="http://[bad/"', "does not lead to demo/"),
        (ROOT, '<a href="demo/">demo</a>', '<a href="demo/">demo</a><a href="demo/">Demo</a>', "the same project"),
        (ROOT, ">demo<", ">-demo<", "is not a project"),
        (ROOT, "</body>", '<a href="gone/">gone</a></body>', "could not be downloaded: 404"),
        (DEMO, "#sha256=", "#md5=", "instead of sha256"),
        (DEMO, "#sha256=", "#", "no hash"),
        (DEMO, "#sha256=", "#sha256=X", "not 64 lower-case hex"),
        (DEMO, f">{FILENAME}<", ">demo-1.0.tar.gz<", "its URL ends in"),
        (DEMO, "%2B", "+", "unquoted"),
        (DEMO, "&gt;=3.9", "&gt;=three", "not a valid specifier"),
        (DEMO, "data-core", 'data-dist-info-metadata="true" data-core', "differ"),
        (DEMO, "/demo-1.0-py3", "/demo-1.5-py3", "dead link"),
        (DEMO, "/demo-1.0-py3", "/demo-py3", "not a valid name"),
        (DEMO, "</body>", '<a href="other-1.0-py3-none-any.whl#sha256=0">x</a></body>', "belongs to the project other"),
        (DEMO, 'data-size="', 'data-size="1', "the page says"),
        (DEMO, 'data-upload-time="2026-11-20T10:00:00Z"', 'data-upload-time="yesterday"', "'yesterday'"),
        (DEMO, "../../../files", "file:///files", "is not of http"),
        (DEMO, "../../../files/demo/demo-1.0", "http://[bad/demo-1.0", "is not a URL"),
        (DEMO, "../../../files/demo/demo-1.0", "http://host:port/demo-1.0", "dead link"),
        (DEMO, "</head>", '<meta name="pypi:project-status" content="sleeping"></head>', "'sleeping'"),
        (DEMO, "</head>", '<base href="/"></head>', "is not absolute"),
        (DEMO, "data-size", 'data-provenance="x" data-size', "not an absolute https URL"),
        (DEMO, "</body>", f'<a href="../../../files/demo/{FILENAME}#sha256=0">{FILENAME}</a></body>', "listed twice"),
    ],
)  # fmt: skip
def test_a_broken_page_is_found(  # noqa: PLR0917 - pytest passes them by name
    good: Store, url: str, page: str, old: str, new: str, finding: str
) -> None:
    edit(good.root / "index" / page, old, new)
    found = findings(f"{url}index/simple/")
    assert any(finding in each.what for each in found), found


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda d: d["meta"].clear(), "api-version is missing"),
        (lambda d: d["meta"].update({"api-version": 1.4}), "1.4 is not a string"),
        (lambda d: d.update(name="Demo"), "not the normalised 'demo'"),
        (lambda d: d.pop("versions"), "versions is missing"),
        (lambda d: d.update(versions=["1.0"]), "versions lacks 1.1+cu130"),
        (lambda d: d["versions"].append("bad version"), "'bad version'"),
        (lambda d: d["files"][0].pop("size"), "size is missing"),
        (lambda d: d["files"][0].update(size="1"), "not a number of bytes"),
        (lambda d: d["files"][0].update({"upload-time": "2026-11-20"}), "upload-time"),
        (lambda d: d["files"][0].update({"upload-time": 5}), "upload-time is 5"),
        (lambda d: d["files"][0].update(yanked=1), "yanked is 1"),
        (lambda d: d["files"][0].update({"requires-python": 5}), "requires-python is 5"),
        (lambda d: d["files"][0].update(hashes={}), "no hash"),
        (lambda d: d["files"][0].update(hashes=[]), "hashes is []"),
        (lambda d: d["files"][0].update(hashes={"sha256": None}), "hashes.sha256 is not a string"),
        (lambda d: d["files"][0].update(url=None), "url is None"),
        (lambda d: d["files"][0].pop("filename"), "filename is missing"),
        (lambda d: d.update({"project-status": {"status": "sleeping"}}), "project-status"),
        (lambda d: d.update({"project-status": "active"}), "not what PEP 792 defines"),
        (lambda d: d.update({"project-status": {"status": "quarantined"}}), "offers files"),
        (lambda d: d["files"][0].update({"core-metadata": {"sha256": "x"}}), "core-metadata sha256=x"),
        (lambda d: d["files"][0].update({"core-metadata": {"sha256": "0" * 64}}), "pip and uv stop here"),
        (lambda d: d["files"][0].update({"core-metadata": 1}), "core-metadata is 1"),
        (lambda d: d.update(files=7), "neither a list of files"),
        (lambda d: d.update(files=[5]), "neither a list of files"),
    ],
)
def test_a_broken_json_page_is_found(
    good: Store, url: str, change: Callable[[dict[str, Any]], object], finding: str
) -> None:
    edit_json(good.root / "index" / "simple-json" / "demo" / "index.json", change)
    found = findings(f"{url}index/simple-json/")
    assert any(finding in each.what for each in found), found


@pytest.mark.parametrize("name", [5, None, "-x"])
def test_a_json_root_may_list_nonsense(good: Store, url: str, name: object) -> None:
    edit_json(good.root / "index/simple-json/index.json", lambda d: d["projects"].append({"name": name}))
    report = check_index(f"{url}index/simple-json/")
    assert [each.severity for each in report.findings] == ["warning"]
    assert report.projects == 2


def test_missing_metadata_and_changed_files_are_found(good: Store, url: str) -> None:
    (good.root / "files" / "demo" / f"{FILENAME}.metadata").unlink()
    wheel = good.root / "files" / "demo" / "demo-1.1+cu130-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"x")
    found = {
        each.where.rpartition("/")[2]: each.what for each in findings(f"{url}index/simple/", hashes=True)
    }
    assert "could not be downloaded: 404" in found[f"{FILENAME}.metadata"]
    assert "does not have the sha256" in found["demo-1.1%2Bcu130-py3-none-any.whl"]


def test_a_wrong_size_is_an_error_until_the_hash_says_that_the_file_is_right(host: Host) -> None:
    host.page(document(file={"size": 3}))
    assert [each.severity for each in findings(host.root)] == ["error"]
    assert [each.severity for each in findings(host.root, hashes=True)] == ["warning"]


def test_a_project_is_asked_for_where_installers_ask(host: Host) -> None:
    """The root's link leads elsewhere: there is a page, and pip and uv do not go to it."""
    host.answers["/other/demo/"] = host.answers.pop("/simple/demo/")
    host.answers["/simple/"] = http(html('<a href="../other/demo/">demo</a>'))
    (what,) = errors(host.root)
    assert "could not be downloaded: 404" in what
    assert "its link ../other/demo/ does not lead to demo/" in what
    assert "/other/demo/" not in host.asked


def test_no_link_of_a_root_leads_to_another_host(host: Host) -> None:
    with hosted() as other:
        host.answers["/simple/"] = http(html(f'<a href="{other.root}demo/">demo</a>'))
        assert [each.severity for each in findings(host.root)] == ["warning"]
        assert other.asked == []


def test_a_page_of_the_web_makes_nobody_read_a_file(host: Host, tmp_path: Path) -> None:
    (tmp_path / FILENAME).write_bytes(WHEEL)
    host.page(html(f'<a href="{tmp_path.as_uri()}/{FILENAME}#sha256={SHA256}">{FILENAME}</a>'))
    (what,) = errors(host.root)
    assert "is not of http or https" in what
    host.page(html(ANCHOR))
    host.answers[f"/files/{FILENAME}"] = http(
        "", status="302 Found", Location=f"{tmp_path.as_uri()}/{FILENAME}"
    )
    (what,) = errors(host.root)
    assert "dead link" in what


def test_a_host_without_head_is_asked_otherwise(host: Host) -> None:
    host.answers[f"HEAD /files/{FILENAME}"] = http("", status="405 Method Not Allowed")
    assert findings(host.root) == ()


SHORT = http("x", Content_Length="100").replace(b"Content-Length: 1\r\n", b"")
NONSENSE = {
    "short": (SHORT, "broke off before the end"),
    "silent": (b"", "closed connection without response"),
    "garbage": (b"garbage\r\n\r\n", "garbage"),
    "no URL": (http("", status="302 Found", Location="http://[bad/"), "Invalid IPv6 URL"),
    "a file": (http("", status="302 Found", Location="file:///etc/passwd"), "not an http or https URL"),
    "in circles": (http("", status="302 Found", Location="?"), "redirects"),
}


@pytest.mark.parametrize(("answer", "why"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_said_in_a_few_words(host: Host, answer: bytes, why: str) -> None:
    host.answers[f"/files/{FILENAME}.metadata"] = answer
    (what,) = errors(host.root)
    assert "promised on the page, but could not be downloaded" in what
    assert why in what
    host.answers["/simple/demo/"] = answer
    (what,) = errors(host.root)
    assert why in what
    host.answers["/simple/"] = answer
    with pytest.raises(IndexFault, match="no index here"):
        check_index(host.root)


def test_a_length_that_is_none_is_no_length(host: Host) -> None:
    host.page(document())
    length = f"Content-Length: {len(WHEEL)}".encode()
    whole = host.answers[f"/files/{FILENAME}"]
    assert length in whole
    host.answers[f"/files/{FILENAME}"] = whole.replace(length, b"Content-Length: abc")
    assert findings(host.root, hashes=True) == ()


def test_another_s_words_cannot_command_a_terminal(host: Host) -> None:
    host.answers["/simple/"] = http(html('<a href="demo/">demo</a><a href="\x1b[2J\x9b2J">a link</a>'))
    (found,) = findings(host.root)
    assert "[2J" in found.what
    assert found.what.isprintable()


def test_a_page_of_files_of_many_projects_serves_as_find_links(host: Host) -> None:
    other = ANCHOR.replace("demo-1.0", "other-1.0")
    host.answers["/simple/"] = http(html(ANCHOR.replace("../../", "../") + other.replace("../../", "../")))
    host.answers["/files/other-1.0-py3-none-any.whl"] = host.answers[f"/files/{FILENAME}"]
    host.answers["/files/other-1.0-py3-none-any.whl.metadata"] = host.answers[f"/files/{FILENAME}.metadata"]
    report = check_index(host.root)
    (found,) = report.findings
    assert report.files == 2
    assert (found.severity, "--find-links" in found.what) == ("warning", True)


def test_a_check_that_looked_at_nothing_fails(store: Store) -> None:
    store.draw()
    for root in ("simple", "simple-json"):
        (found,) = findings(str(store.root / "index" / root))
        assert (found.severity, found.what) == ("error", "lists no project: there was nothing to check")


@pytest.mark.parametrize("above", ["", '<a href="../">../</a><a href="?C=N;O=D">Name</a>'])
def test_the_list_that_a_web_server_makes_of_a_folder_is_an_index(host: Host, above: str) -> None:
    host.answers["/simple/"] = http(
        f'<!DOCTYPE html><h1>Index of /simple/</h1>{above}<a href="demo/">demo/</a>'
    )
    host.answers["/simple/demo/"] = http(f"<!DOCTYPE html>{above}{ANCHOR}")
    report = check_index(host.root)
    assert (report.projects, report.files, report.findings) == (1, 1, ())


def test_a_metadata_file_that_old_pips_refuse_is_found(host: Host) -> None:
    """Its Name is not spelled as installers ask, and the attribute is the one that pip 22.3 to 23.1.2 know."""
    metadata = b"Metadata-Version: 2.1\r\nName: De_Mo\r\nVersion: 1.0\r\n"
    digest = hashlib.sha256(metadata).hexdigest()
    host.answers[f"/files/{FILENAME}.metadata"] = http(metadata)
    old = f'data-dist-info-metadata="sha256={digest}"'
    page = html(ANCHOR.replace(METADATA_SHA256, digest))
    host.page(page)
    (found,) = findings(host.root)
    assert (found.severity, "Name is De_Mo" in found.what) == ("warning", True)
    host.page(page.replace(old, ""))
    assert findings(host.root) == ()


ANCHORS = 200_000 // 64
TAGS = "-".join(".".join(f"{letter}{n}" for n in range(7)) for letter in "abc")
COSTLY = {
    "comments": "<!--" * 50_000,
    "open tags": "<a " * 66_000,
    "quotes": "<a href='" * 22_000,
    "declarations": "<![" * 66_000,
    "long base": f'<base href="http://h/{"a" * 100_000}">' + '<a href="aaaaaaaa">x</a>' * 4_000,
    "long word": "<a href=x>" + "a" * 190_000 + "</a>",
    "tags of a wheel": f'<a href="a-1-{"a." * 40}a-{"b." * 40}b-{"c." * 40}c.whl">x</a>' * 700,
    "versions": json.dumps({"meta": {}, "name": "x", "versions": ["1" * 190_000], "files": [{}]}),
    "tags of many wheels": "".join(f'<a href="a-1.{n}-{TAGS}.whl">x</a>' for n in range(4000)),
    "api version": json.dumps({"meta": {"api-version": "1." + "1" * 5000}, "name": "x", "files": []}),
    "specifier": html(ANCHOR.replace("<a ", f'<a data-requires-python="{">=1," * 38_000}" ')),
    "nothings": json.dumps({"meta": {}, "projects": [{}] * 40_000}),
}


@pytest.mark.parametrize("text", COSTLY.values(), ids=COSTLY)
def test_a_hostile_page_costs_no_more_than_a_sound_one(text: str) -> None:
    """Of the same length: 5 times, and a second for a busy machine."""
    anchors = (
        f'<a href="demo-1.{n}-py3-none-any.whl">demo-1.{n}-py3-none-any.whl</a>' for n in range(ANCHORS)
    )
    page = Fetched(url="http://h/simple/demo/", type="text/html", body="".join(anchors).encode())
    hostile = replace(page, body=text.encode())
    assert judging(hostile) < 5 * judging(page) + 1


def judging(page: Fetched) -> float:
    """Return the seconds of CPU that reading and judging a page takes."""
    start = time.process_time()
    _, listing = read(page)
    if listing is not None:
        list(judge_root(listing, page.url))
        bounded(judge_project(listing, page.url, "demo"), page.url)
    return time.process_time() - start


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (http("<h1>Welcome</h1>"), "it lists nothing and names no API version"),
        (http("# A title", "text/plain"), "it lists nothing"),
        (http("{}", JSON), "meta is missing"),
        (http("[" * 100_000, JSON), "cannot be read"),
        (http("<a href>" * 100_000), "cannot be read"),
        (http("", status="403 Forbidden"), "403 Forbidden"),
    ],
)
def test_what_is_no_index_is_said(host: Host, page: bytes, why: str) -> None:
    host.answers["/simple/"] = page
    with pytest.raises(IndexFault, match="no index here") as raised:
        check_index(host.root)
    assert why in str(raised.value)


def test_a_folder_without_pages_is_no_index(tmp_path: Path) -> None:
    with pytest.raises(IndexFault, match="no index here: neither"):
        check_index(str(tmp_path))


@pytest.mark.parametrize(
    "where", ["README.md", "nothing/", "ftp://host/simple/", "http://[bad/", "file:///x"]
)
def test_what_is_no_address_is_a_slip_of_the_user(where: str) -> None:
    with pytest.raises(UsageError, match="URL"):
        check_index(where)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="netrc") as raised:
        check_index("https://me:secret@127.0.0.1/simple/")
    assert "secret" not in str(raised.value)


def test_a_password_on_a_page_is_not_repeated(host: Host) -> None:
    host.page(html(ANCHOR.replace("../../files", "http://me:secret@[bad")))
    (what,) = errors(host.root)
    assert "is not a URL" in what
    assert "secret" not in what


def test_the_verb_sums_up_and_has_a_status_of_its_own(host: Host) -> None:
    ran = invoke("check-index", host.root)
    assert ran.status == 0, ran.stderr
    assert [line.split() for line in ran.stdout.splitlines()[-4:]] == [
        ["projects", "1"],
        ["files", "1"],
        ["errors", "0"],
        ["warnings", "0"],
    ]
    del host.answers[f"/files/{FILENAME}"]
    ran = invoke("check-index", host.root, "--json")
    assert ran.status == 19
    assert "1 error" in ran.stderr
    report = json.loads(ran.stdout)
    assert (report["where"], report["projects"], report["files"]) == (host.root, 1, 1)
    assert [each["severity"] for each in report["findings"]] == ["error"]
    assert invoke("check-index", f"{host.root}nothing/").status == 15
    assert invoke("check-index", "README.md").status == 2
