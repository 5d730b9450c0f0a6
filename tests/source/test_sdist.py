"""Sdists from a package index: the real one, and one on loopback that does everything wrong."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from workbench.errors import SourceError
from workbench.paths import CHECKOUT, Paths
from workbench.recipe.load import load
from workbench.recipe.model import Sdist
from workbench.simple import JSON
from workbench.source.sdist import fetch_sdist, pin_sdist

from .conftest import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Index

BODY = b"the source" * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def refusal(cache: Path, version: str = "1.0", sha256: str = SHA256) -> str:
    """Fetch what is refused, see that the cache got nothing, and return the message."""
    with pytest.raises(SourceError) as raised:
        fetch_sdist("thing", version, sha256, cache)
    assert [path for path in cache.rglob("*") if path.name != "sources"] == []
    return str(raised.value)


def test_fetched_once_and_then_from_the_cache(index: Index, cache: Path) -> None:
    index.page("thing", f"thing-1.0.tar.gz#sha256={SHA256}", f"thing-0.9.tar.gz#sha256={OTHER}")
    index.file("thing-1.0.tar.gz", BODY)

    first = fetch_sdist("thing", "1.0", SHA256, cache)
    asked = len(index.asked)

    assert first == cache / "sources" / SHA256 / "thing-1.0.tar.gz"
    assert first.read_bytes() == BODY
    assert fetch_sdist("thing", "1.0", SHA256, cache) == first
    assert len(index.asked) == asked
    assert [path.name for path in cache.rglob("*") if path.is_file()] == ["thing-1.0.tar.gz"]


def test_names_and_versions_are_compared_as_the_index_does(index: Index, cache: Path) -> None:
    index.page("my-thing", f"My_Thing-1.0.0.zip#sha256={SHA256}", f"my_thing-1.0.0.tar.gz#sha256={SHA256}")
    index.file("my_thing-1.0.0.tar.gz", BODY)
    assert fetch_sdist("My.Thing", "1.0", SHA256, cache).name == "my_thing-1.0.0.tar.gz"


@pytest.mark.parametrize(
    ("version", "filename"),
    [
        ("1.0+cu130", "thing-1.0%2Bcu130.tar.gz"),
        ("1.0+cu130", "thing-1.0+cu130.tar.gz"),
        ("1.0", "thing-1.0.tar.bz2"),
        ("1.0", "thing-1.0.tar.xz"),
        ("1.0", "thing-1.0.tgz"),
        ("1.0rc1", "thing-1.0-rc1.tar.gz"),
        ("1.0.post2", "Thing-01.0-2.tar.gz"),
        ("1.0+local.1", "thing-v1.0+Local_1.zip"),
    ],
)
def test_an_sdist_is_found_however_it_is_named(
    index: Index, cache: Path, version: str, filename: str
) -> None:
    index.page("thing", f"{filename}#sha256={SHA256}")
    index.file(filename, BODY)
    assert fetch_sdist("thing", version, SHA256, cache).name == unquote(filename)


def test_of_two_archives_the_usual_one_is_taken(index: Index, cache: Path) -> None:
    index.page("thing", *(f"thing-1.0{each}#sha256={SHA256}" for each in (".zip", ".tar.gz", ".tar.xz")))
    index.file("thing-1.0.tar.gz", BODY)
    assert fetch_sdist("thing", "1.0", SHA256, cache).name == "thing-1.0.tar.gz"


def test_a_version_that_is_there_only_with_a_local_part_is_named(index: Index, cache: Path) -> None:
    index.page("thing", f"thing-1.0+cu126.tar.gz#sha256={SHA256}", f"thing-1.0+cu130.tar.gz#sha256={SHA256}")
    assert "no sdist of version 1.0 itself, but of 1.0+cu126, 1.0+cu130" in refusal(cache)


def test_an_index_in_json_and_a_login_of_its_own(
    index: Index, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = {
        "filename": "thing-1.0.tar.gz",
        "url": "../../files/thing-1.0.tar.gz",
        "hashes": {"sha256": SHA256},
    }
    page = {"meta": {"api-version": "1.1"}, "name": "thing", "files": [file]}
    index.answers["/simple/thing/"] = Answer(json.dumps(page).encode(), content_type=JSON)
    index.file("thing-1.0.tar.gz", BODY)
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.url.replace("://", "://ada:s3cret@"))
    assert fetch_sdist("thing", "1.0", SHA256, cache).read_bytes() == BODY
    assert index.logins == ["ada:s3cret", "ada:s3cret"]


def test_an_index_that_tells_no_hash(index: Index, cache: Path) -> None:
    index.page("thing", "thing-1.0.tar.gz")
    index.file("thing-1.0.tar.gz", BODY)
    with pytest.raises(SourceError, match="the index gives no sha256 of it"):
        pin_sdist("thing", "1.0")
    assert OTHER in refusal(cache, sha256=OTHER)
    assert fetch_sdist("thing", "1.0", SHA256, cache).read_bytes() == BODY


def test_two_at_once(index: Index, cache: Path) -> None:
    index.page("thing", f"thing-1.0.tar.gz#sha256={SHA256}")
    index.file("thing-1.0.tar.gz", BODY)
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: fetch_sdist("thing", "1.0", SHA256, cache), range(8)))
    assert {path.read_bytes() for path in paths} == {BODY}
    assert [path.name for path in cache.rglob("*") if path.is_file()] == ["thing-1.0.tar.gz"]


def test_another_hash_names_both_and_downloads_nothing(index: Index, cache: Path) -> None:
    index.page("thing", f"thing-1.0.tar.gz#sha256={OTHER}")
    message = refusal(cache)
    assert f"its sha256 is\n  {OTHER}, and the recipe says\n  {SHA256}." in message
    assert "source.sha256" in message
    assert index.asked == ["/simple/thing/"]


def test_a_truncated_download(index: Index, cache: Path) -> None:
    index.page("thing", f"thing-1.0.tar.gz#sha256={SHA256}")
    index.file("thing-1.0.tar.gz", BODY[:-1], length=len(BODY))
    assert "/files/thing-1.0.tar.gz: the connection broke off before the end; try again" in refusal(cache)


def test_a_short_download_that_claims_to_be_whole(index: Index, cache: Path) -> None:
    index.page("thing", f"thing-1.0.tar.gz#sha256={SHA256}")
    index.file("thing-1.0.tar.gz", BODY[:-1])
    assert "thing-1.0.tar.gz arrived damaged" in refusal(cache)


def test_no_such_project(index: Index, cache: Path) -> None:
    assert f"thing: the package index {index.url} has no such project" in refusal(cache)


def test_a_file_that_the_page_names_and_the_index_lacks(index: Index, cache: Path) -> None:
    index.page("thing", f"thing-1.0.tar.gz#sha256={SHA256}")
    assert "404" in (message := refusal(cache))
    assert "/files/thing-1.0.tar.gz" in message


def test_a_server_error_is_tried_again_and_then_told(index: Index, cache: Path) -> None:
    index.answers["/simple/thing/"] = Answer(status=503)
    assert "503" in refusal(cache)
    assert len(index.asked) == 3


def test_what_is_no_index(index: Index, cache: Path) -> None:
    index.answers["/simple/thing/"] = Answer(b"hello", content_type="text/plain")
    assert "not a page of a package index: its type is text/plain" in refusal(cache)
    index.answers["/simple/thing/"] = Answer(b'<meta name="pypi:repository-version" content="9.0">')
    assert "API version 9.0, which this program does not know" in refusal(cache)


def test_a_dead_network_is_one_line_without_the_password(
    cache: Path, monkeypatch: pytest.MonkeyPatch, refusing: int
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://ada:s3cret@127.0.0.1:{refusing}/simple/")
    message = refusal(cache)
    assert (
        f"the package index http://***@127.0.0.1:{refusing}/simple/: Connection refused; try again" in message
    )
    assert "s3cret" not in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("version", "near"),
    [
        ("1.5.1", "has nothing of version 1.5.1; the nearest sdists: 1.4, 1.5, 1.6, 1.7, 1.8"),
        ("0.1", "the nearest sdists: 1.0, 1.1, 1.2, 1.3, 1.4"),
        ("9", "the nearest sdists: 1.5, 1.6, 1.7, 1.8, 1.9"),
        ("2.0", "has only wheels, no sdist, of version 2.0; the nearest"),
    ],
)
def test_no_such_version(index: Index, cache: Path, version: str, near: str) -> None:
    sdists = [f"thing-1.{minor}.tar.gz#sha256={SHA256}" for minor in range(10)]
    index.page("thing", *sdists, f"thing-2.0-py3-none-any.whl#sha256={SHA256}", "thing-odd.tar.gz", "README")
    assert near in refusal(cache, version)


def test_only_wheels(index: Index, cache: Path) -> None:
    index.page("thing", f"thing-1.0-py3-none-any.whl#sha256={SHA256}")
    assert "thing: the package index has no sdist of any version" in refusal(cache)


def test_a_yanked_version_is_told(index: Index, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index.page("thing", f'thing-1.0.tar.gz#sha256={SHA256} data-yanked="breaks numpy"')
    index.file("thing-1.0.tar.gz", BODY)
    fetch_sdist("thing", "1.0", SHA256, cache)
    assert "thing-1.0.tar.gz is yanked from the package index: breaks numpy" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["hnswlib", "annoy", "xatlas"])
def test_the_pins_of_the_shipped_recipes_are_the_package_index_s(name: str) -> None:
    recipe = load(Paths(CHECKOUT).recipes, name)
    assert isinstance(recipe.source, Sdist)
    assert pin_sdist(name, recipe.version) == recipe.source.sha256
