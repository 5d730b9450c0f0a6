"""Drawing into a store that is not a folder, while others publish there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tests.publish.sites import PAGE, Bucket, agreement, at, candidate, overwrite, registry_of
from workbench.errors import RegistryError
from workbench.paths import Paths
from workbench.publish import bucket_drawing
from workbench.publish.drawing import differing_pages, draw_pages
from workbench.publish.transaction import publish
from workbench.publish.withdraw import yank
from workbench.registry.file import load
from workbench.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path


def test_a_page_of_an_older_registry_never_replaces_one_of_a_newer(paths: Paths, tmp_path: Path) -> None:
    store = Bucket(tmp_path / "bucket")
    publish(at(paths, store), [candidate(tmp_path, "demo", "1.0")])
    page = tmp_path / "bucket" / PAGE
    page.write_bytes(b"<old>")

    def publish_two() -> None:
        publish(at(paths, store), [candidate(tmp_path, "demo", "2.0")])

    store.seen.clear()
    store.meanwhile = publish_two
    draw_pages(at(paths, store))
    assert all(b"demo-2.0" in content for content in store.seen)
    assert agreement(store) == []


def test_a_page_that_nothing_stands_behind_any_more_is_removed(paths: Paths, tmp_path: Path) -> None:
    store = Bucket(tmp_path / "bucket")
    publish(
        at(paths, store),
        [candidate(tmp_path, "demo", "1.0"), candidate(tmp_path, "other", "1.0")],
    )
    registry = store.read("packages.json")
    assert registry is not None
    gone = registry.content.replace(b'"other"', b'"another"')
    store.replace("packages.json", gone, expected=registry.version)
    drawn = draw_pages(at(paths, store))
    assert drawn.removed
    assert store.read("index/simple/other/index.html") is None
    assert store.read("index/simple/another/index.html") is not None
    assert draw_pages(at(paths, store)).written == 0


def test_the_pages_for_people_go_when_they_are_not_wanted(paths: Paths, tmp_path: Path) -> None:
    store = Bucket(tmp_path / "bucket")
    publish(at(paths, store), [candidate(tmp_path, "demo", "1.0")])
    with (paths.root / "workbench.yaml").open("a") as settings:
        settings.write("\nindex:\n  people: false\n")
    installers_only = paths
    assert not read_settings(installers_only).index.people
    draw_pages(at(installers_only, store))
    left = {entry.key for entry in store.entries("index/")} - {"index/.drawn.json"}
    assert "index/simple/demo/" in left
    assert [key for key in left if not key.startswith(("index/simple/", "index/simple-json/"))] == []


def test_what_others_put_below_the_index_stays(paths: Paths, tmp_path: Path) -> None:
    store = Bucket(tmp_path / "bucket")
    publish(
        at(paths, store),
        [candidate(tmp_path, "demo", "1.0"), candidate(tmp_path, "other", "1.0")],
    )
    others = {f"index/{path}" for path in ("about/index.html", "about/", ".well-known/x/index.json")}
    for key in others:
        store.replace(key, b"mine", expected=None)
    registry = registry_of(store)
    del registry.packages["other"]
    overwrite(store, registry)
    store.delete("index/.drawn.json")
    assert {key for key in differing_pages(read_settings(paths), store) if "other" in key} >= {
        "index/other/index.html",
        "index/other/",
    }
    draw_pages(at(paths, store))
    left = {entry.key for entry in store.entries("index/")}
    assert others <= left
    assert [key for key in left if "other" in key] == []
    assert differing_pages(read_settings(paths), store) == ()


def refuse(*_: object, **__: object) -> NoReturn:
    raise AssertionError


def test_what_has_not_changed_is_not_drawn(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Bucket(tmp_path / "bucket")
    publish(
        at(paths, store),
        [candidate(tmp_path, "demo", "1.0"), candidate(tmp_path, "other", "1.0")],
    )
    drawn = draw_pages(at(paths, store))
    assert (drawn.written, drawn.unchanged, drawn.removed) == (0, 0, 0)
    with monkeypatch.context() as patched:
        patched.setattr(bucket_drawing, "draw", refuse)
        draw_pages(at(paths, store))
        assert publish(at(paths, store), [candidate(tmp_path, "demo", "1.0")]).plan.is_done
    written: list[str] = []
    replacing = store.replace

    def note(key: str, *arguments: Any, **named: Any) -> str | None:
        written.append(key)
        return replacing(key, *arguments, **named)

    monkeypatch.setattr(store, "replace", note)
    publish(at(paths, store), [candidate(tmp_path, "demo", "2.0")])
    assert "index/simple/demo/index.html" in written
    assert [path for path in written if "other" in path] == []
    assert agreement(store) == []


@pytest.mark.parametrize("damage", ["changed", "gone", "new", "note"])
def test_pages_that_somebody_changed_are_drawn_again_with_the_next(
    paths: Paths, tmp_path: Path, damage: str
) -> None:
    store = Bucket(tmp_path / "bucket")
    publish(
        at(paths, store),
        [candidate(tmp_path, "demo", "1.0"), candidate(tmp_path, "other", "1.0")],
    )
    page = tmp_path / "bucket/index/simple/other/index.html"
    if damage == "changed":
        page.write_text("<html>")
    elif damage == "gone":
        page.unlink()
    elif damage == "new":
        (tmp_path / "bucket/index/simple/ghost").mkdir()
        (tmp_path / "bucket/index/simple/ghost/index.html").write_text("<html>")
    else:
        (tmp_path / "bucket/index/.drawn.json").write_text("damaged")
        page.write_text("<html>")
    draw_pages(at(paths, store))
    assert agreement(store) == []
    assert store.read("index/simple/ghost/index.html") is None
    assert differing_pages(read_settings(paths), store) == ()


def test_a_drawing_that_was_cut_short_is_undone_when_its_registry_is(
    quick_path: Path, tmp_path: Path
) -> None:
    paths, store = Paths(quick_path), Bucket(quick_path / "bucket")
    publish(at(paths, store), [candidate(tmp_path, "demo", "1.0")])
    registry = registry_of(store)
    page = store.read(PAGE)
    for left in range(1, 20):
        store.left = left
        try:
            publish(at(paths, store), [candidate(tmp_path, "demo", "2.0")])
        except InterruptedError:
            ended = False
        else:
            ended = True
        store.left = -1
        # the very registry of which the last whole drawing left word
        overwrite(store, registry)
        draw_pages(at(paths, store))
        assert store.read(PAGE) == page
        assert agreement(store) == []
        if ended:
            assert left > 3
            return
    pytest.fail("it never came to an end")


def test_a_copy_of_the_older_form_is_kept_where_the_stores_takes_its_place(
    paths: Paths, tmp_path: Path
) -> None:
    store = Bucket(tmp_path / "bucket")
    publish(at(paths, store), [candidate(tmp_path, "demo", "1.0")])
    older = '{"packages": {"old": {"source_repo": "https://example.com/old"}}}'
    paths.registry.write_text(older)
    yank(at(paths, store), ["demo-1.0-py3-none-any.whl"])
    assert registry_of(store) == load(paths.registry)
    kept = paths.root / "packages.json.older"
    assert kept.read_text() == older
    paths.registry.write_text(older.replace("old", "other"))
    with pytest.raises(RegistryError, match="move it away"):
        yank(at(paths, store), ["demo-1.0-py3-none-any.whl"], reason=None)
    assert kept.read_text() == older
