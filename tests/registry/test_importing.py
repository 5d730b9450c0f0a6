from __future__ import annotations

import http.server
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.serving import serving
from workbench.errors import RegistryError
from workbench.registry.file import dumps, loads
from workbench.registry.importing import Remark, import_older, merge
from workbench.registry.model import Package, PublishedWheel, Registry, Removal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOOD = "open3d-0.19.0-cp310-cp310-linux_aarch64.whl"


@pytest.fixture
def files(tmp_path: Path) -> Iterator[str]:
    """Serve a folder that holds one wheel of 123 bytes and return its URL."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / GOOD).write_bytes(b"x" * 123)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, directory=str(folder), **kwargs)

        def log_message(self, *_: object) -> None: ...

    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


def read(packages: object, **more: object) -> tuple[Registry, list[tuple[str, str, str]]]:
    """Read an older registry with these packages, and see that ours can be read again."""
    registry, remarks = import_older(json.dumps({"packages": packages, **more}).encode(), where="older.json")
    assert loads(dumps(registry).encode(), where="x") == registry
    return registry, [(remark.entry, remark.outcome, remark.why) for remark in remarks]


def facts(**more: object) -> dict[str, object]:
    return {"source_repo": "https://example.com/me", "description": "d", **more}


def entry(base: str, **changes: object) -> dict[str, object]:
    return {
        "filename": GOOD,
        "url": f"{base}/{GOOD}",
        "python_version": "3.10",
        "platform": "linux_aarch64",
        "upload_date": "2025-03-01T12:00:00",
        "sha256": "A" * 64,
    } | changes


def test_what_is_usable_is_taken_and_mended(files: str) -> None:
    registry, remarks = read({"Open3D": {"source_repo": "https://example.com/me", "wheels": [entry(files)]}})
    (name, wheel) = next(registry.wheels())
    assert (name, wheel.size, wheel.sha256, wheel.upload_time) == (
        "open3d",
        123,
        "a" * 64,
        "2025-03-01T00:00:00Z",
    )
    assert remarks == [
        ("Open3D", "mended", "its name is normalised to open3d"),
        ("Open3D", "mended", "no description: left empty"),
    ]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sha256": ""}, "an empty sha256"),
        ({"sha256": "xyz"}, "sha256 'xyz' is not 64 hexadecimal digits"),
        ({"sha256": 5}, "its sha256 is not text: 5"),
        ({"filename": "open3d.zip"}, "Invalid wheel filename"),
        ({"filename": "other-1.0-py3-none-any.whl"}, "the filename is of other"),
        ({"filename": "open3d-1.0 -py3-none-any.whl"}, "has characters that no index may offer"),
        ({"filename": "open3d-1.0-py3-none-any-cu130.whl"}, "Invalid build number"),
        ({"filename": ["a"]}, "its filename is not text: ['a']"),
        ({"url": "files/x.whl"}, "url 'files/x.whl' is not an absolute http URL"),
        ({"url": "http://[/x.whl"}, "is not an absolute http URL"),
        ({"url": "https://me:pw4you@example.com/x.whl"}, "its url has a login or a secret in it"),
        ({"url": f"http://{'a' * 70}.example/{GOOD}"}, "label empty or too long"),
        ({"url": "MISSING"}, "404 "),
        ({"size": 99}, "its entry says 99 bytes, and it has 123"),
    ],
)
def test_what_an_index_cannot_use_is_refused_with_the_reason(
    files: str, changes: dict[str, str], why: str
) -> None:
    if changes.get("url") == "MISSING":
        changes = {"url": f"{files}/missing.whl"}
    registry, (remark,) = read({"open3d": facts(wheels=[entry(files, **changes)])})
    assert not list(registry.wheels())
    assert "open3d" in registry.packages
    assert remark[1] == "refused"
    assert why in remark[2]
    assert "pw4you" not in remark[2]


@pytest.mark.parametrize(
    ("changes", "field", "value", "remark"),
    [
        ({"upload_date": 20240506}, "upload_date", "2024-05-06", None),
        ({"upload_date": "2024-05-06 10:00"}, "upload_date", "2024-05-06", None),
        (
            {"upload_date": "2024-99-99"},
            "upload_date",
            "1970-01-01",
            "upload_date '2024-99-99' is not a date",
        ),
        ({"upload_date": None}, "upload_date", "1970-01-01", "no upload_date: taken as 1970-01-01"),
        ({"platform": ["a", "b"]}, "platform", "linux_aarch64", "platform ['a', 'b'] is not text: taken as"),
        ({"platform": ""}, "platform", "linux_aarch64", None),
        (
            {"python_version": 3.1},
            "python_version",
            "3.10",
            "python_version 3.1 is not text: taken as '3.10'",
        ),
        ({"size": 123}, "size", 123, None),
        ({"requires_python": ">=3.9"}, "requires_python", ">=3.9", None),
        ({"requires_python": "three"}, "requires_python", None, "is not a version specifier"),
        ({"yanked": True}, "yanked", "", None),
        ({"yanked": "broken"}, "yanked", "broken", None),
        ({"yanked": False}, "yanked", None, None),
        ({"yanked": 1}, "yanked", "", "yanked 1 is neither true nor a reason: taken as yanked"),
        ({"glibc": "2.34"}, "yanked", None, "keys that are not of a registry: glibc: '2.34'"),
    ],
)
def test_a_fact_is_taken_or_mended_with_a_remark(
    files: str, changes: dict[str, object], field: str, value: object, remark: str | None
) -> None:
    registry, remarks = read({"open3d": facts(wheels=[entry(files, **changes)])})
    (_, wheel) = next(registry.wheels())
    assert getattr(wheel, field) == value
    assert wheel.upload_time.startswith(wheel.upload_date)
    assert [remark in why for _, _, why in remarks if remark] == ([True] if remark else [])
    assert {where for where, _, _ in remarks} <= {f"open3d/{GOOD}"}


@pytest.mark.parametrize("name", ["../../evil", "a b", "", "é", "-x"])
def test_a_name_that_no_project_can_have_is_refused(name: str) -> None:
    assert read({name: facts()}) == (
        Registry(),
        [(name, "refused", "not a project name: letters, digits, '.', '_' and '-'")],
    )


def test_facts_that_are_not_text_are_left_empty() -> None:
    entry = {"source_repo": 123, "description": ["a"], "upstream": 5, "license": "MIT", "stars": 9}
    registry, remarks = read({"foo-bar": entry}, generated="today", schema=1)
    assert registry.packages == {"foo-bar": Package(source_repo="", license="MIT")}
    assert [(where, outcome) for where, outcome, _ in remarks] == [
        ("older.json", "ignored"),
        ("foo-bar", "ignored"),
        *[("foo-bar", "mended")] * 3,
    ]
    assert "generated: 'today'" in remarks[0][2]
    assert "stars: 9" in remarks[1][2]


def test_wheels_that_are_no_list_are_refused_and_the_package_is_taken() -> None:
    registry, remarks = read({"demo": facts(wheels=5), "other": facts(wheels=[7])})
    assert list(registry.packages) == ["demo", "other"]
    assert remarks == [
        ("demo", "refused", "its wheels are not a list: 5"),
        ("other/7", "refused", "not a mapping"),
    ]


def test_half_a_surrogate_pair_is_no_text() -> None:
    registry, remarks = read({"demo": facts(description="\ud800!"), "\udc00": facts()})
    assert registry.packages["demo"].description == "?!"
    assert remarks[0] == ("older.json", "mended", "what is not Unicode text in it is now a '?'")
    assert remarks[1][:2] == ("?", "refused")


def test_two_spellings_of_a_name_are_one_package(files: str) -> None:
    registry, remarks = read(
        {
            "open3d": facts(wheels=[]),
            "Open3D": facts(source_repo="https://example.com/you", upstream="u", wheels=[entry(files)]),
        }
    )
    assert list(registry.packages) == ["open3d"]
    package = registry.packages["open3d"]
    assert (package.source_repo, package.upstream, len(package.wheels)) == ("https://example.com/me", "u", 1)
    assert [(where, outcome) for where, outcome, _ in remarks] == [
        ("Open3D", "mended"),
        ("Open3D", "ignored"),
    ]
    assert "source_repo 'https://example.com/you'" in remarks[1][2]


def test_a_list_of_packages_is_read_by_the_name_of_each_entry(files: str) -> None:
    wheel = entry(files)
    del wheel["filename"]
    registry, remarks = read(
        [
            {"name": "Open3D", **facts(), "wheel": GOOD, **wheel},
            {"name": "Open3D", "version": "0.18.0", "wheel": GOOD.replace("0.19", "0.18")},
            {"name": "demo", **facts(wheels=[])},
            "triton",
        ]
    )
    assert list(registry.packages) == ["demo", "open3d"]
    assert [wheel.filename for _, wheel in registry.wheels()] == [GOOD]
    assert [remark[:2] for remark in remarks] == [
        ("Open3D", "mended"),
        ("Open3D", "ignored"),
        (f"Open3D/{GOOD.replace('0.19', '0.18')}", "refused"),
        ("packages[3]", "refused"),
    ]
    assert "version: '0.18.0'" in remarks[1][2]


def test_a_key_that_is_twice_is_refused_before_anything_is_asked_for() -> None:
    with pytest.raises(RegistryError, match=r"f\.json: the key 'demo' is there twice"):
        import_older(b'{"packages": {"demo": {"wheels": []}, "demo": {}}}', where="f.json")


class _NoHead(http.server.BaseHTTPRequestHandler):
    """Refuses each HEAD, as some do, and answers a GET with 123 bytes."""

    def do_HEAD(self) -> None:
        self.send_error(405)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "123")
        self.end_headers()
        self.wfile.write(b"x" * 123)

    def log_message(self, *_: object) -> None: ...


def test_a_server_that_refuses_head_is_asked_with_get() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _NoHead) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        registry, remarks = read({"open3d": facts(wheels=[entry(f"http://127.0.0.1:{server.server_port}")])})
        server.shutdown()
    assert not remarks
    assert [wheel.size for _, wheel in registry.wheels()] == [123]


def test_a_host_that_is_down_is_told_in_words() -> None:
    _, (remark,) = read({"open3d": facts(wheels=[entry("http://127.0.0.1:9")])})
    assert remark[2] == f"its size is not known: http://127.0.0.1:9/{GOOD}: Connection refused"


@pytest.mark.parametrize(
    ("text", "why"),
    [("{", "not JSON"), ("[]", 'no "packages"'), ('{"schema": 2, "packages": {}}', "not of the older form")],
)
def test_a_file_that_is_no_older_registry(text: str, why: str) -> None:
    with pytest.raises(RegistryError, match=why):
        import_older(text.encode(), where="f.json")


def published(filename: str, sha256: str) -> PublishedWheel:
    return PublishedWheel(
        filename=filename,
        url=f"https://example.com/{filename}",
        python_version="3",
        platform="any",
        upload_date="2025-03-01",
        sha256=sha256,
        size=1,
        upload_time="2025-03-01T00:00:00Z",
    )


def test_what_ours_has_stays_and_what_it_does_not_have_is_new() -> None:
    names = [f"demo-{version}.0-py3-none-any.whl" for version in range(4)]
    same, other, gone, new = (published(name, "a" * 64) for name in names)
    ours = Registry(
        packages={
            "demo": Package(source_repo="mine", description="d", wheels=(same, published(names[1], "b" * 64)))
        },
        removed=(
            Removal(project="demo", filename=names[2], sha256="a" * 64, removed="2025-04-01T10:00:00Z"),
        ),
    )
    theirs = Registry(
        packages={
            "demo": Package(source_repo="theirs", description="d", wheels=(same, other, gone, new)),
            "fresh": Package(source_repo="theirs"),
        }
    )
    merged = merge(ours, theirs)
    assert (merged.new, merged.already) == ((names[3],), (names[0],))
    assert list(merged.registry.packages) == ["demo", "fresh"]
    assert merged.registry.packages["demo"].source_repo == "mine"
    assert [wheel.sha256[0] for wheel in merged.registry.packages["demo"].wheels] == ["a", "b", "a"]
    assert merged.registry.removed == ours.removed
    assert merged.remarks == (
        Remark(entry="demo", outcome="ignored", why="source_repo 'theirs': here it is 'mine'"),
        Remark(entry=f"demo/{names[1]}", outcome="refused", why="it is published here with other bytes"),
        Remark(
            entry=f"demo/{names[2]}",
            outcome="refused",
            why="it was removed here on 2025-04-01; 'invoke upload' brings it back",
        ),
    )
