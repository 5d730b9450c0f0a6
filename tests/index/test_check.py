"""check-index on a good index, and on copies of it that are broken in one way each."""

from __future__ import annotations

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from workbench.errors import IndexFault
from workbench.index.check import check_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.index.wheels import Store


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


@pytest.mark.parametrize(
    "root", ["index/simple/", "index/simple-json/", "index/simple", "index/cu130/simple/"]
)
def test_ours_has_no_finding(url: str, good: Store, root: str) -> None:
    assert check_index(f"{url}{root}", hashes=True) == ()
    assert check_index(str(good.root / root), hashes=True) == ()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


ROOT, DEMO = "simple/index.html", "simple/demo/index.html"
WHEEL = "demo-1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("page", "old", "new", "finding"),
    [
        (ROOT, 'content="1.4"', 'content="2.0"', "another major than 1"),
        (ROOT, 'content="1.4"', 'content="one"', "no MAJOR.MINOR"),
        (ROOT, "<!DOCTYPE html>", "", "DOCTYPE"),
        (ROOT, 'href="demo/"', 'href="demo"', "lacks the slash"),
        (ROOT, 'href="some-other/"', 'href="Some_Other/"', "does not lead to some-other/"),
        (ROOT, '<a href="demo/">demo</a>', '<a href="demo/">demo</a><a href="demo/">Demo</a>', "the same project"),
        (ROOT, ">demo<", ">-demo<", "is no project's name"),
        (ROOT, "</body>", '<a href="gone/">gone</a></body>', "not to be had: 404"),
        (DEMO, "#sha256=", "#md5=", "not by sha256"),
        (DEMO, "#sha256=", "#", "no hash"),
        (DEMO, "#sha256=", "#sha256=X", "not 64 lower-case hex"),
        (DEMO, f">{WHEEL}<", ">demo-1.0.tar.gz<", "its URL ends in"),
        (DEMO, "%2B", "+", "unquoted"),
        (DEMO, "&gt;=3.9", "&gt;=three", "no specifier"),
        (DEMO, 'data-core-metadata="sha256=', 'data-core-metadata="sha256=0', "differ"),
        (DEMO, "/demo-1.0-py3", "/demo-1.5-py3", "dead link"),
        (DEMO, "/demo-1.0-py3", "/demo-py3", "no valid name"),
        (DEMO, "</body>", '<a href="other-1.0-py3-none-any.whl#sha256=0">x</a></body>', "of the project other"),
        (DEMO, 'data-size="', 'data-size="1', "the page says"),
        (DEMO, "../../../files", "file:///files", "is not of http"),
        (DEMO, "data-size", 'data-provenance="x" data-size', "no absolute https URL"),
        (DEMO, "</body>", f'<a href="../../../files/demo/{WHEEL}#sha256=0">{WHEEL}</a></body>', "listed twice"),
    ],
)  # fmt: skip
def test_a_broken_page_is_found(  # noqa: PLR0917 - pytest passes them by name
    good: Store, url: str, page: str, old: str, new: str, finding: str
) -> None:
    edit(good.root / "index" / page, old, new)
    found = check_index(f"{url}index/simple/")
    assert any(finding in each.what for each in found), found


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda d: d["meta"].clear(), "api-version is missing"),
        (lambda d: d.update(name="Demo"), "not the normalised 'demo'"),
        (lambda d: d.pop("versions"), "versions is missing"),
        (lambda d: d.update(versions=["1.0"]), "versions lacks 1.1+cu130"),
        (lambda d: d["files"][0].pop("size"), "no number of bytes"),
        (lambda d: d["files"][0].update({"upload-time": "2026-11-20"}), "upload-time"),
        (lambda d: d["files"][0].update(yanked=1), "yanked is 1"),
        (lambda d: d["files"][0].update(hashes={}), "no hash"),
        (lambda d: d.update({"project-status": {"status": "sleeping"}}), "project-status"),
        (lambda d: d["files"][0].update({"core-metadata": {"sha256": "x"}}), "core-metadata sha256=x"),
        (lambda d: d["files"][0].update({"core-metadata": {"sha256": "0" * 64}}), "pip and uv stop here"),
        (lambda d: d.update(files=7), "neither a list of files"),
    ],
)
def test_a_broken_json_page_is_found(
    good: Store,
    url: str,
    change: Callable[[dict[str, Any]], object],
    finding: str,
) -> None:
    edit_json(good.root / "index" / "simple-json" / "demo" / "index.json", change)
    found = check_index(f"{url}index/simple-json/")
    assert any(finding in each.what for each in found), found


def test_missing_metadata_and_changed_files_are_found(good: Store, url: str) -> None:
    (good.root / "files" / "demo" / f"{WHEEL}.metadata").unlink()
    wheel = good.root / "files" / "demo" / "demo-1.1+cu130-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"x")
    found = {
        each.where.rpartition("/")[2]: each.what for each in check_index(f"{url}index/simple/", hashes=True)
    }
    assert "not to be had: 404" in found[f"{WHEEL}.metadata"]
    assert "does not have the sha256" in found["demo-1.1%2Bcu130-py3-none-any.whl"]


def test_json_as_a_plain_static_host_serves_it_is_found(good: Store) -> None:
    class Quiet(SimpleHTTPRequestHandler):
        index_pages = ("index.json",)

        def log_message(self, *_: object) -> None:
            pass

        def send_head(self):  # type: ignore[no-untyped-def] # noqa: ANN202 - a folder's index.json, as a host would be set to
            if self.path.endswith("/"):
                self.path += "index.json"
            return super().send_head()

    handler = partial(Quiet, directory=str(good.root))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        found = check_index(f"http://127.0.0.1:{server.server_port}/index/simple-json/")
        server.shutdown()
        thread.join()
    assert any("JSON as application/json" in each.what for each in found)


@pytest.mark.parametrize("where", ["nothing/", "index/simple-json/demo/"])
def test_no_index_is_an_error(url: str, good: Store, where: str) -> None:
    for place in (f"{url}{where}", str(good.root / where)):
        with pytest.raises(IndexFault):
            check_index(place)
