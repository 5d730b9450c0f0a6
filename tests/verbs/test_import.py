"""``store.import``, as a user runs it: nothing that it writes keeps another verb from reading."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.serving import serving
from workbench.registry.file import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.paths import Paths

WHEEL = "foo_bar-1.0-py3-none-any.whl"


class Answers(BaseHTTPRequestHandler):
    """Says of every file that it has 7 bytes."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def url() -> Iterator[str]:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Answers)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


def older(url: str, **changes: object) -> dict[str, object]:
    wheel = {"filename": WHEEL, "url": f"{url}/{WHEEL}", "upload_date": "2025-03-01", "sha256": "a" * 64}
    package = {"source_repo": "https://example.com/me", "description": "d", "wheels": [wheel | changes]}
    return {"packages": {"foo-bar": package}}


def test_what_is_imported_is_there_for_every_verb(paths: Paths, url: str) -> None:
    data = older(url, yanked=True, stars=3)
    data["packages"] |= {"../../evil": {}, "a b": {}, "other": {"source_repo": 123, "wheels": 5}}  # type: ignore[operator]
    file = paths.root / "older.json"
    file.write_text(json.dumps(data))
    done = invoke("store.import", file)
    assert done.status == 0, done.stderr
    assert "refused: ../../evil: not a project name" in done.stdout
    assert "ignored: foo-bar/" in done.stdout
    assert done.stdout.endswith("took in 2 packages with 1 new wheel\n")
    assert list(load(paths.registry).packages) == ["foo-bar", "other"]
    for verb in (["list"], ["show", "foo-bar"], ["index"], ["store.reconcile"], ["store.import", file]):
        again = invoke(*verb)
        assert again.status == 0, (verb, again.stderr)
    assert again.stdout.endswith("took in 2 packages with 0 new wheels; published here already: 1\n")
    assert "data-yanked" in (paths.index / "simple" / "foo-bar" / "index.html").read_text()


@pytest.mark.parametrize("schema", [{}, {"schema": 1}])
def test_the_sites_own_registry_of_the_older_form_is_replaced(
    paths: Paths, url: str, schema: dict[str, int]
) -> None:
    paths.registry.write_text(old := json.dumps(older(url) | schema))
    refused = invoke("list")
    assert refused.status == 14
    assert f"'invoke store.import {paths.registry}'" in refused.stderr

    shown = invoke("store.import", paths.registry, "--dry-run")
    assert shown.status == 0, shown.stderr
    assert "would keep the old content" in shown.stdout
    assert "would take in 1 package with 1 new wheel" in shown.stdout
    assert paths.registry.read_text() == old

    done = invoke("store.import", paths.registry)
    assert done.status == 0, done.stderr
    kept = paths.root / "packages.json.older"
    assert f"kept the old content of packages.json in {kept}" in done.stdout
    assert kept.read_text() == old
    assert [wheel.filename for _, wheel in load(paths.registry).wheels()] == [WHEEL]
    for verb in ("list", "store.history", "store.reconcile"):
        assert invoke(verb).status == 0

    again = invoke("store.import", paths.registry)
    assert again.status == 14
    assert "schema 2: not of the older form" in again.stderr


def test_what_was_put_aside_before_is_not_overwritten(paths: Paths, url: str) -> None:
    paths.registry.write_text(json.dumps(older(url)))
    kept = paths.root / "packages.json.older"
    kept.write_text("{}")
    refused = invoke("store.import", paths.registry)
    assert refused.status == 14
    assert "move it away" in refused.stderr
    assert kept.read_text() == "{}"


def test_a_dry_run_tells_of_the_conflicts_and_writes_nothing(paths: Paths, url: str) -> None:
    file = paths.root / "older.json"
    file.write_text(json.dumps(older(url)))
    assert invoke("store.import", file).status == 0
    before = paths.registry.read_bytes()
    file.write_text(json.dumps(older(url, sha256="b" * 64)))
    shown = invoke("store.import", file, "--dry-run", "--json")
    assert shown.status == 14, shown.stderr
    answer = json.loads(shown.stdout)
    assert (answer["new"], answer["already"], answer["dry_run"]) == ([], [], True)
    assert [(each["outcome"], each["why"]) for each in answer["remarks"]] == [
        ("refused", "it is published here with other bytes")
    ]
    assert paths.registry.read_bytes() == before


def test_an_import_of_which_every_wheel_is_refused_has_failed(paths: Paths) -> None:
    file = paths.root / "older.json"
    file.write_text(json.dumps(older("http://127.0.0.1:9")))
    done = invoke("store.import", file)
    assert done.status == 14
    assert "Connection refused" in done.stdout
    assert "no wheel was taken in: 1 refused" in done.stderr


@pytest.mark.parametrize(("name", "why"), [("nothing.json", "no such file"), (".", "is a folder")])
def test_a_file_that_is_not_there(paths: Paths, name: str, why: str) -> None:
    refused = invoke("store.import", paths.root / name)
    assert refused.status == 2
    assert why in refused.stderr


def test_text_of_others_commands_no_terminal(paths: Paths, url: str) -> None:
    hostile = "\x1b]0;owned\x07\x1b[31m\x9b32m"
    data = older(url, yanked=f"bad {hostile}")
    data["packages"]["foo-bar"]["description"] = f"good {hostile}"  # type: ignore[index]
    data["packages"] |= {f"evil {hostile}": {}}  # type: ignore[operator]
    (paths.root / "older.json").write_text(json.dumps(data))
    for verb in (
        ["store.import", paths.root / "older.json"], ["list"], ["show", "foo-bar"], ["show", hostile],
        ["show", "foo-bar", "--json"],
    ):  # fmt: skip
        done = invoke(*verb)
        said = done.stdout + done.stderr
        assert "owned" in said, verb
        assert not set(said) & {"\x1b", "\x07", "\x9b"}, verb
        if "--json" in verb:
            assert json.loads(done.stdout)["description"] == f"good {hostile}"
        else:
            assert r"\x1b]0;owned\x07" in said, verb
