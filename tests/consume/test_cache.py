"""The cache: what was kept is found, damaged files are told and missed, and nothing of others is touched."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from workbench.consume.cache import Cache, KeptFile
from workbench.events import LISTENER, Event, Noted

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "https://a.example/simple/demo/"
SHA256 = "ab" * 32
ROW = KeptFile("demo-1.0-py3-none-any.whl", "https://a.example/demo-1.0-py3-none-any.whl", SHA256, 12)


@pytest.fixture
def notes() -> Iterator[list[str]]:
    said: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Noted):
            said.append(event.text)

    token = LISTENER.set(listen)
    yield said
    LISTENER.reset(token)


def files(cache: Cache) -> list[Path]:
    assert cache.folder
    return [path for path in cache.folder.rglob("*") if path.is_file()]


def test_a_page_is_found_by_package(cache: Cache) -> None:
    assert cache.page(URL, "demo") is None
    other = KeptFile("other-1-py3-none-any.whl", "https://a.example/é.whl", yanked="")
    cache.keep_page(
        URL, {"demo": [ROW, ROW], "other": [other]}, etag='W/"1"', next_url="https://n", left_out=["x"]
    )
    page = cache.page(URL, "demo")
    assert page is not None
    assert (page.rows, page.etag, page.next, page.left_out) == ((ROW, ROW), 'W/"1"', "https://n", ("x",))
    assert 0 <= page.age < 60
    again, nothing = cache.page(URL, "other"), cache.page(URL, "third")
    assert again is not None
    assert nothing is not None
    assert (again.rows, nothing.rows) == ((other,), ())


def test_it_is_for_nobody_else_to_read(cache: Cache) -> None:
    cache.keep_page(URL, {"demo": [ROW]})
    cache.learn(SHA256, {"glibc": "2.34"})
    assert cache.folder
    for path in (cache.folder, *cache.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_what_is_renewed_is_young_again(tmp_path: Path) -> None:
    clock = [1_000_000.0]
    cache = Cache(tmp_path / "cache", now=lambda: clock[0])
    cache.keep_page(URL, {"demo": [ROW]})
    clock[0] += 1000
    page = cache.page(URL, "demo")
    assert page is not None
    assert page.age == 1000
    cache.renew(URL)
    page = cache.page(URL, "demo")
    assert page is not None
    assert (page.age, page.rows) == (0, (ROW,))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:0],
        lambda content: content[:-1],
        lambda content: content.replace(b"demo-1.0", b"evil-1.0"),
        lambda content: b"\xff" + content,
        lambda content: b"[]\n" + content,
        lambda content: b'{"format": 1}\n' + content,
        lambda content: bytes(len(content)),
    ],
)
def test_a_damaged_file_is_a_miss_that_is_told(cache: Cache, notes: list[str], damage: object) -> None:
    cache.keep_page(URL, {"demo": [ROW]})
    (path,) = files(cache)
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    assert cache.page(URL, "demo") is None
    assert notes == [f"{path}: damaged, and passed over: what it had is asked for again"]
    cache.keep_page(URL, {"demo": [ROW]})
    assert cache.page(URL, "demo") is not None


def test_a_file_under_another_name_is_not_taken(cache: Cache, notes: list[str]) -> None:
    cache.keep_page(URL, {"demo": [ROW]})
    cache.keep_page(f"{URL}2", {"demo": []})
    first, second = sorted(files(cache), key=lambda path: len(path.read_bytes()))
    first.write_bytes(second.read_bytes())
    assert cache.page(f"{URL}2", "demo") is None
    assert len(notes) == 1


def test_another_versions_file_is_a_miss(cache: Cache, notes: list[str]) -> None:
    cache.keep_page(URL, {"demo": [ROW]})
    (path,) = files(cache)
    path.write_bytes(path.read_bytes().replace(b'"format":1', b'"format":2'))
    assert cache.page(URL, "demo") is None
    assert notes == []


def test_facts_are_learnt_once_and_added_to(cache: Cache) -> None:
    assert cache.recall(SHA256) is None
    cache.learn(SHA256, {"requires_dist": ["torch==2.11.*"]})
    cache.learn(SHA256, {"gpu": ["sm_120"]})
    assert cache.recall(SHA256) == {"requires_dist": ["torch==2.11.*"], "gpu": ["sm_120"]}
    with pytest.raises(ValueError, match="is not a sha256"):
        cache.learn("../../etc/passwd", {})


def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path, notes: list[str]) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    cache = Cache(tmp_path / "cache")
    cache.keep_page(URL, {"demo": [ROW]})
    assert cache.page(URL, "demo") is None
    assert list((tmp_path / "cache").iterdir()) == []
    assert "others can write there: going on without the cache" in notes[0]


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path: Path, notes: list[str]) -> None:
    (tmp_path / "cache").write_text("a file")
    cache = Cache(tmp_path / "cache")
    cache.keep_page(URL, {"demo": [ROW]})
    cache.keep_page(URL, {"demo": [ROW]})
    assert len(notes) == 1
    assert notes[0].endswith("going on without the cache")


def test_where_it_is() -> None:
    assert Cache.here({"GPUWHEELS_CACHE": "/a/b"}).folder == Path("/a/b")
    assert Cache.here({"XDG_CACHE_HOME": "/caches"}).folder == Path("/caches/gpuwheels")
    home = Path("~/.cache/gpuwheels").expanduser()
    assert Cache.here({}).folder == Cache.here({"XDG_CACHE_HOME": "relative"}).folder == home


def test_only_what_is_older_goes_and_nothing_of_others(tmp_path: Path) -> None:
    now = 2_000_000.0
    clock = [now - 7200]
    cache = Cache(tmp_path / "cache", now=lambda: clock[0])
    cache.keep_page(URL, {"demo": [ROW]})
    cache.keep_registry("https://a.example/r.toml", b"text")
    clock[0] = now
    cache.learn(SHA256, {})
    mine = tmp_path / "cache" / "pages" / "notes.txt"
    mine.write_text("of the user's")
    os.utime(mine, (0, 0))
    info = cache.info()
    assert (info.pages, info.registries, info.facts, info.oldest) == (1, 1, 1, 7200)
    assert info.size == sum(path.stat().st_size for path in files(cache)) - len("of the user's")
    count, freed = cache.clean(older_than=3600)
    assert count == 2
    assert 0 < freed < info.size
    assert (cache.info().facts, cache.registry("https://a.example/r.toml")) == (1, None)
    assert cache.clean()[0] == 1
    assert mine.exists()
    assert Cache(None).info().pages == 0
