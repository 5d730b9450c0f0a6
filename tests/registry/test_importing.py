from __future__ import annotations

import http.server
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from workbench.errors import RegistryError
from workbench.registry.importing import import_older

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

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def older(tmp_path: Path, packages: object) -> Path:
    path = tmp_path / "older.json"
    path.write_text(json.dumps({"packages": packages}))
    return path


def entry(base: str, **changes: object) -> dict[str, object]:
    return {
        "filename": GOOD,
        "url": f"{base}/{GOOD}",
        "python_version": "3.10",
        "platform": "linux_aarch64",
        "upload_date": "2025-03-01T12:00:00",
        "sha256": "A" * 64,
    } | changes


def test_what_is_usable_is_taken_and_mended(tmp_path: Path, files: str) -> None:
    path = older(tmp_path, {"Open3D": {"source_repo": "https://example.com/me", "wheels": [entry(files)]}})
    registry, remarks = import_older(path)
    (name, wheel) = next(registry.wheels())
    assert (name, wheel.size, wheel.sha256, wheel.upload_time) == (
        "open3d",
        123,
        "a" * 64,
        "2025-03-01T00:00:00Z",
    )
    assert [(r.entry, r.outcome, r.why) for r in remarks] == [
        ("Open3D", "mended", "its name is normalised to open3d"),
        ("Open3D", "mended", "no description: left empty"),
    ]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sha256": ""}, "an empty sha256"),
        ({"sha256": "xyz"}, "sha256 'xyz' is not 64 hexadecimal digits"),
        ({"filename": "open3d.zip"}, "Invalid wheel filename"),
        ({"filename": "other-1.0-py3-none-any.whl"}, "the filename is of other"),
        ({"url": "files/x.whl"}, "url 'files/x.whl' is not an absolute http URL"),
        ({"url": "MISSING"}, "answers 404"),
    ],
)
def test_what_an_index_cannot_use_is_refused_with_the_reason(
    tmp_path: Path, files: str, changes: dict[str, str], why: str
) -> None:
    if changes.get("url") == "MISSING":
        changes = {"url": f"{files}/missing.whl"}
    package = {
        "source_repo": "https://example.com/me",
        "description": "d",
        "wheels": [entry(files, **changes)],
    }
    registry, (remark,) = import_older(older(tmp_path, {"open3d": package}))
    assert not list(registry.wheels())
    assert "open3d" in registry.packages
    assert remark.outcome == "refused"
    assert why in remark.why


def test_two_spellings_of_a_name_are_one_package(tmp_path: Path) -> None:
    facts = {"source_repo": "https://example.com/me", "description": "d"}
    registry, remarks = import_older(older(tmp_path, {"open3d": facts, "Open3D": facts}))
    assert list(registry.packages) == ["open3d"]
    assert [(r.entry, r.outcome) for r in remarks] == [("Open3D", "refused")]


@pytest.mark.parametrize(
    ("text", "why"),
    [("{", "not JSON"), ("[]", 'no "packages"'), ('{"schema": 2, "packages": {}}', "not of the older form")],
)
def test_a_file_that_is_no_older_registry(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "f.json"
    path.write_text(text)
    with pytest.raises(RegistryError, match=why):
        import_older(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="no such file"):
        import_older(tmp_path / "nothing.json")
