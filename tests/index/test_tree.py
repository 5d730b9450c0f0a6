"""The index as a folder: what is written, what is left, and what two at once do."""

from __future__ import annotations

import errno
import multiprocessing
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.index.stores import Store, listed, registry_of, tree
from workbench.files import scratch, write_whole
from workbench.index.draw import STATE
from workbench.index.tree import LOCK, outdated, write
from workbench.registry.file import dumps
from workbench.registry.model import Package
from workbench.settings import IndexSettings, Settings

if TYPE_CHECKING:
    from pathlib import Path


def projects(count: int) -> dict[str, tuple[object, ...]]:
    return {f"p{n}": (listed(f"p{n}-1.0+cu130-py3-none-any.whl", f"p{n}"),) for n in range(count)}


@pytest.fixture
def drawn(store: Store) -> Store:
    store.registry = registry_of(
        demo=(listed("demo-1.0-py3-none-any.whl"), listed("demo-1.0+cu130torch2.11-py3-none-any.whl")),
        other=(listed("other-2.0-py3-none-any.whl", "other"),),
    )
    store.draw()
    return store


def full(store: Store, place: Path) -> dict[str, bytes]:
    """Return what a drawing from nothing gives."""
    write(store.root / "packages.json", place, store.settings)
    return tree(place)


def stamps(store: Store) -> dict[str, int]:
    return {
        str(path): path.stat().st_mtime_ns for path in (store.root / "index").rglob("*") if path.name != LOCK
    }


def test_everyone_can_read_the_pages_whatever_the_umask(store: Store) -> None:
    before = os.umask(0o077)
    try:
        store.registry = registry_of(demo=(listed("demo-1.0-py3-none-any.whl"),))
        store.draw()
    finally:
        os.umask(before)
    assert all(path.stat().st_mode & 0o044 for path in (store.root / "index").rglob("*"))


def test_a_full_disk_names_the_page_and_the_next_drawing_is_whole(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    store.registry = registry_of(demo=(listed("demo-1.0-py3-none-any.whl"),))
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", no_room)
        with pytest.raises(OSError, match="No space left") as error:
            store.draw()
    assert error.value.filename.startswith(str(store.root / "index"))
    store.draw()
    assert tree(store.root / "index") == full(store, tmp_path / "full")


def test_nothing_changed_writes_nothing(drawn: Store) -> None:
    before = stamps(drawn)
    again = drawn.draw()
    assert (again.written, again.unchanged, again.removed) == (0, 0, 0)
    assert stamps(drawn) == before


def test_one_wheel_more_writes_its_project_s_pages_and_those_that_tell_of_it(drawn: Store) -> None:
    before = tree(drawn.root / "index")
    drawn.registry = drawn.registry.with_wheel("other", listed("other-2.1-py3-none-any.whl", "other"))
    drawn.draw()
    after = tree(drawn.root / "index")
    assert {path for path in after if after[path] != before.get(path)} == {
        "simple/other/index.html",
        "simple-json/other/index.json",
        "other/index.html",
        "index.html",
        "feed.atom",
        STATE,
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.with_wheel("demo", listed("demo-1.1+cu126-py3-none-any.whl")),
        lambda r: r.with_wheel("demo", replace(r.packages["demo"].wheels[0], yanked="bad")),
        lambda r: r.without_wheel("demo", "demo-1.0+cu130torch2.11-py3-none-any.whl"),
        lambda r: r.with_package("new", Package(source_repo="pypi:new")),
        lambda r: r.without_wheel("other", "other-2.0-py3-none-any.whl"),
        lambda r: replace(r, packages={k: v for k, v in r.packages.items() if k != "demo"}),
        lambda r: replace(r, packages={}),
    ],
    ids=[
        "another channel",
        "yank",
        "last of a channel",
        "new project",
        "last of a project",
        "project gone",
        "all gone",
    ],
)
def test_incremental_equals_full(drawn: Store, tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    drawn.registry = change(drawn.registry)
    drawn.draw()
    assert tree(drawn.root / "index") == full(drawn, tmp_path / "full")


def test_the_same_registry_gives_the_same_bytes(drawn: Store, tmp_path: Path) -> None:
    assert full(drawn, tmp_path / "one") == full(drawn, tmp_path / "two") == tree(drawn.root / "index")


def test_a_project_that_went_leaves_no_page_and_no_folder(drawn: Store) -> None:
    del drawn.registry.packages["demo"]
    assert drawn.draw().removed == 7  # simple, simple-json and people's; a channel's two roots and two pages
    left = {path.name for path in (drawn.root / "index").iterdir()}
    assert left == {
        "simple",
        "simple-json",
        "other",
        "index.html",
        "feed.atom",
        "style.css",
        "script.js",
        LOCK,
        STATE,
    }


def test_without_its_state_everything_is_compared_and_what_is_stale_goes(drawn: Store) -> None:
    index = drawn.root / "index"
    before = tree(index)
    (index / STATE).unlink()
    (index / "simple" / "gone").mkdir()
    (index / "simple" / "gone" / "index.html").write_text("stale")
    (index / "CNAME").write_text("wheels.example.com")
    (index / ".well-known").mkdir()
    (index / ".well-known" / "security.txt").write_text("mine")
    (index / "simple" / "demo" / "index.html").write_text("damaged")
    done = drawn.draw()
    assert (done.written, done.removed) == (1, 1)
    assert tree(index) == {**before, "CNAME": b"wheels.example.com", ".well-known/security.txt": b"mine"}


def test_what_others_put_there_stays_whatever_is_drawn_again(drawn: Store, tmp_path: Path) -> None:
    index = drawn.root / "index"
    front = (index / "index.html").read_text()
    others = {
        "about/index.html": "<title>about · mine</title>",
        "cu130/index.html": "",
        ".well-known/x/index.json": "{}",
        "notes/cu130/simple/index.html": "",
        "mirror/index.html": front,  # another index that the workbench drew
    }
    for path, text in others.items():
        (index / path).parent.mkdir(parents=True, exist_ok=True)
        (index / path).write_text(text)
    drawn.settings = Settings(index=IndexSettings(title="another"))
    assert outdated(drawn.root / "packages.json", index, drawn.settings).removed == ()
    assert drawn.draw().removed == 0
    assert tree(index) == {
        **full(drawn, tmp_path / "full"),
        **{path: text.encode() for path, text in others.items()},
    }


def test_the_pages_of_a_project_that_went_go_though_the_state_is_lost(drawn: Store, tmp_path: Path) -> None:
    drawn.registry = drawn.registry.with_package("simple", drawn.registry.packages["other"])
    drawn.draw()
    (drawn.root / "index" / STATE).unlink()
    del drawn.registry.packages["demo"]
    del drawn.registry.packages["simple"]
    assert drawn.draw().removed == 7 + 3
    assert tree(drawn.root / "index") == full(drawn, tmp_path / "full")


@pytest.mark.parametrize("lost", [False, True])
def test_what_would_be_drawn_and_removed_is_told_before(drawn: Store, lost: bool) -> None:
    index = drawn.root / "index"
    drawn.registry = drawn.registry.with_wheel("other", listed("other-2.1-py3-none-any.whl", "other"))
    del drawn.registry.packages["demo"]
    (index / "about").mkdir()
    (index / "about" / "index.html").write_text("mine")
    if lost:
        (index / STATE).unlink()
    (drawn.root / "packages.json").write_text(dumps(drawn.registry))
    told = outdated(drawn.root / "packages.json", index, drawn.settings)
    before = tree(index)
    drawn.draw()
    after = tree(index)
    assert set(told.removed) == before.keys() - after.keys()
    assert set(told.written) == {path for path in after if after[path] != before.get(path)} - {STATE}
    again = outdated(drawn.root / "packages.json", index, drawn.settings, afresh=True)
    assert (again.written, again.removed) == ((), ())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"drawn_by": 1, "projects": {"demo": 7}}'])
def test_a_broken_state_is_as_none(drawn: Store, content: bytes) -> None:
    before = tree(drawn.root / "index")
    (drawn.root / "index" / STATE).write_bytes(content)
    drawn.draw()
    assert tree(drawn.root / "index") == before


def test_other_settings_draw_everything_again(drawn: Store) -> None:
    drawn.settings = Settings(public_url="https://wheels.example.com", index=IndexSettings(urls="absolute"))
    assert drawn.draw().written > 0
    assert (
        b"https://wheels.example.com/files/demo/"
        in (drawn.root / "index/simple/demo/index.html").read_bytes()
    )


def test_people_s_pages_can_be_left_out(drawn: Store, tmp_path: Path) -> None:
    drawn.settings = Settings(index=IndexSettings(people=False))
    drawn.draw()
    assert not (drawn.root / "index" / "demo").exists()
    assert (drawn.root / "index" / "simple" / "demo").exists()
    assert tree(drawn.root / "index") == full(drawn, tmp_path / "full")


def test_a_drawing_that_was_cut_short_is_made_good(store: Store, tmp_path: Path) -> None:
    store.registry = registry_of(
        demo=(listed("demo-1.0-py3-none-any.whl"),),
        bad=(listed("bad-1.0-py3-none-any.whl", "bad", sha256=""),),
    )
    with pytest.raises(Exception, match="has no sha256"):
        store.draw()
    assert not (store.root / "index" / "simple").exists()  # a first drawing is shown when it is whole
    store.registry = registry_of(demo=(listed("demo-1.0-py3-none-any.whl"),))
    store.draw()
    assert tree(store.root / "index") == full(store, tmp_path / "full")


def test_a_drawing_that_fails_leaves_the_pages_that_were_there_and_nothing_else(drawn: Store) -> None:
    with scratch(drawn.root / ".workbench", "drawing-") as killed:
        pass
    write_whole(killed / "simple" / "index.html", "by one that was killed")
    before = tree(drawn.root)
    good = drawn.registry
    drawn.registry = good.with_wheel("demo", listed("demo-3.0-py3-none-any.whl")).with_wheel(
        "other", listed("other-3.0-py3-none-any.whl", "other", sha256="")
    )
    with pytest.raises(Exception, match="has no sha256"):
        drawn.draw()
    drawn.registry = good
    drawn.draw()
    assert tree(drawn.root / "index") == {
        path.removeprefix("index/"): content for path, content in before.items() if path.startswith("index/")
    }
    assert not any((drawn.root / ".workbench").iterdir())


def test_no_registry_is_an_empty_index(tmp_path: Path) -> None:
    write(tmp_path / "packages.json", tmp_path / "index", Settings())
    assert b"Nothing is published." in (tmp_path / "index" / "index.html").read_bytes()


def test_projects_named_like_our_own_folders_take_nothing_from_installers(store: Store) -> None:
    store.registry = registry_of(
        simple=(listed("simple-1.0-py3-none-any.whl", "simple"),),
        simple_json=(listed("simple_json-1.0-py3-none-any.whl", "simple-json"),),
        cu130=(listed("cu130-1.0+cu130-py3-none-any.whl", "cu130"),),
    )
    store.draw()
    index = store.root / "index"
    assert '<a href="simple-json/">' in (index / "simple" / "index.html").read_text()
    assert (index / "simple_" / "index.html").exists()
    assert 'href="simple_/"' in (index / "index.html").read_text()
    assert (index / "cu130" / "index.html").exists()
    assert (index / "cu130" / "simple" / "cu130" / "index.html").exists()


def _draw(registry: Path, root: Path) -> None:
    write(registry, root, Settings())


def test_many_at_once_leave_the_index_of_the_last_registry(store: Store, tmp_path: Path) -> None:
    store.registry = registry_of(**projects(30))  # type: ignore[arg-type]
    registry = store.root / "packages.json"
    registry.write_text(dumps(store.registry))
    context = multiprocessing.get_context("spawn")
    running = [context.Process(target=_draw, args=(registry, store.root / "index")) for _ in range(3)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    assert [process.exitcode for process in running] == [0, 0, 0]
    assert tree(store.root / "index") == full(store, tmp_path / "full")


@pytest.mark.parametrize("layout", ["ours", "another"])
def test_half_a_character_which_json_can_say_is_left_out_of_the_pages(tmp_path: Path, layout: str) -> None:
    wheel = listed("demo-1.0-py3-none-any.whl", requires_python=">=3.9 HALF", yanked="why HALF")
    registry = registry_of(demo=(wheel,))
    package = replace(
        registry.packages["demo"], description="It is HALF", status="deprecated", status_reason="HALF"
    )
    text = dumps(registry.with_package("demo", package)).replace("HALF", "\\ud800")
    document = tmp_path / "packages.json"
    document.write_text(text if layout == "ours" else f" {text}")
    write(document, tmp_path / "index", Settings())
    pages = tree(tmp_path / "index")
    assert b"It is " in pages["demo/index.html"]
    assert b"&gt;=3.9 " in pages["simple/demo/index.html"]
