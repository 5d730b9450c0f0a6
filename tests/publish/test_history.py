from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.publish.sites import (
    LATER,
    NOW,
    ONE,
    TWO,
    Eventful,
    agreement,
    at,
    begin_deletion,
    candidate,
    filenames,
    page,
    registry_of,
)
from tests.publish.workers import publish_second, run_until
from workbench.care.upkeep import clean
from workbench.errors import StoreError, UsageError
from workbench.paths import Paths
from workbench.publish.amend import FilesMissing
from workbench.publish.history import history, rollback
from workbench.publish.transaction import publish
from workbench.publish.withdraw import remove, yank
from workbench.store.folder import FolderStore

if TYPE_CHECKING:
    from pathlib import Path


def test_history_lists_what_was_done_the_last_first(paths: Paths, store: Eventful) -> None:
    yank(at(paths, store), [ONE])
    listed = history(store)
    assert [(g.generation, g.wheels, g.current) for g in listed] == [
        (3, 2, True),
        (2, 2, False),
        (1, 1, False),
    ]
    assert [g.change for g in listed] == [f"yank {ONE}", f"publish {TWO}", f"publish {ONE}"]
    assert [g.generation for g in history(store, limit=2)] == [3, 2]


def test_a_generation_is_shown_or_more(store: Eventful) -> None:
    with pytest.raises(UsageError, match="--limit 0"):
        history(store, limit=0)


@pytest.mark.parametrize("damaged", [False, True])
def test_the_history_of_a_lost_registry_is_what_was_kept(
    paths: Paths, store: Eventful, *, damaged: bool
) -> None:
    store.delete("packages.json")
    if damaged:
        paths.registry.write_text("{")
    assert [(g.generation, g.current) for g in history(store)] == [(1, False)]


def test_what_lies_in_the_history_and_is_none_of_ours_is_passed_over(paths: Paths, store: Eventful) -> None:
    (paths.root / "history/notes.txt").write_text("mine")
    assert [g.generation for g in history(store)] == [2, 1]


def test_a_rollback_restores_registry_and_pages_and_deletes_nothing(paths: Paths, store: Eventful) -> None:
    before = page(store)
    yank(at(paths, store), [ONE])
    first = rollback(at(paths, store), 1)
    assert first.done == (f"take {TWO} off the index", f"restore {ONE}")
    assert filenames(store) == [ONE]
    assert store.read(f"files/demo/{TWO}") is not None
    assert agreement(store) == []
    assert clean(at(paths, store), apply=True, now=LATER + timedelta(days=999)).done == ()
    back = rollback(at(paths, store), 2)
    assert back.done == (f"put {TWO} on the index",)
    assert page(store) == before
    assert registry_of(store).generation == 5


def test_no_rollback_to_what_is_not_there(paths: Paths, store: Eventful) -> None:
    with pytest.raises(UsageError, match=r"invoke store\.history"):
        rollback(at(paths, store), 9)
    remove(at(paths, store), [ONE], after_days=0)
    with pytest.raises(UsageError, match=f"generation 2 had what is not whole.*{ONE}"):
        rollback(at(paths, store), 2)
    assert filenames(store) == [TWO]


def test_a_rollback_to_the_current_generation_is_nothing_to_do(paths: Paths, store: Eventful) -> None:
    assert rollback(at(paths, store), 2).lines() == ("nothing to do",)
    assert registry_of(store).generation == 2


def test_a_dry_rollback_says_what_a_wet_one_does(paths: Paths, store: Eventful) -> None:
    dry = rollback(at(paths, store), 1, dry_run=True)
    assert registry_of(store).generation == 2
    assert rollback(at(paths, store), 1).done == dry.done == (f"take {TWO} off the index",)


def test_no_rollback_to_a_wheel_whose_metadata_is_gone(paths: Paths, store: Eventful) -> None:
    remove(at(paths, store), [ONE])
    store.delete(f"files/demo/{ONE}.metadata")
    with pytest.raises(UsageError, match=f"generation 2 had what is not whole.*{ONE}"):
        rollback(at(paths, store), 2)


def test_no_rollback_to_a_wheel_that_is_being_deleted(paths: Paths, store: Eventful) -> None:
    refused: list[str] = []

    def roll_back() -> None:
        with pytest.raises(StoreError, match="being deleted") as caught:
            rollback(at(paths, FolderStore(paths.root)), 2)
        refused.append(str(caught.value))

    # between its being marked and the first file's going
    store.before("delete", "files/", roll_back)
    remove(at(paths, store), [ONE], after_days=0)
    assert refused
    assert filenames(store) == [TWO]
    assert agreement(store) == []


def test_a_rollback_puts_nothing_back_whose_deletion_begins_meanwhile(paths: Paths, store: Eventful) -> None:
    remove(at(paths, store), [ONE], after_days=1, now=NOW)
    store.before("create", "history/", lambda: begin_deletion(store, ONE))
    with pytest.raises(StoreError, match="being deleted"):
        rollback(at(paths, store), 2)
    assert filenames(store) == [TWO]


def test_a_rollback_that_meets_a_deletion_puts_nothing_back_that_goes(paths: Paths, store: Eventful) -> None:
    remove(at(paths, store), [ONE], after_days=1, now=NOW)
    store.before(
        "create",
        "history/",
        lambda: clean(at(paths, FolderStore(paths.root)), apply=True, now=LATER),
    )
    with pytest.raises(FilesMissing, match="only while its files are there, whole"):
        rollback(at(paths, store), 2)
    assert filenames(store) == [TWO]
    assert agreement(store) == []


def test_a_publish_killed_while_it_drew_is_undone_by_a_rollback_in_the_pages_too(quick_path: Path) -> None:
    candidate(quick_path, "demo", "2.0")
    for effect in range(1, 200):
        root = quick_path / str(effect) / "site"
        root.mkdir(parents=True)
        paths, store = Paths(root), FolderStore(root)
        publish(at(paths, store), [candidate(quick_path, "demo", "1.0")])
        killed = run_until(publish_second, root, effect)
        if registry_of(store).generation > 1:
            rollback(at(paths, store), 1)
            assert agreement(store) == [], f"after effect {effect}"
        if not killed:
            return
    pytest.fail("it never came to an end")
