from __future__ import annotations

from dataclasses import replace
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
    dead_links,
    filenames,
    page,
    registry_of,
)
from tests.publish.workers import remove_all, run_until, yank_all
from workbench.care.reconcile import reconcile
from workbench.care.upkeep import clean
from workbench.errors import FilenameTaken, RegistryError, StoreError, UsageError
from workbench.paths import Paths
from workbench.publish.amend import amend
from workbench.publish.history import history, rollback
from workbench.publish.transaction import publish
from workbench.publish.withdraw import delete, due, remove, yank
from workbench.store.folder import FolderStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workbench.registry.model import Registry, Removal


def test_a_yank_is_on_the_page_with_its_reason_until_it_is_taken_back(paths: Paths, store: Eventful) -> None:
    assert yank(at(paths, store), [ONE], reason="broken <b>").done == (f"yank {ONE}",)
    assert 'data-yanked="broken &lt;b&gt;"' in page(store)
    assert yank(at(paths, store), [ONE], reason="broken <b>").lines() == ("nothing to do",)
    yank(at(paths, store), [ONE], reason=None)
    assert "data-yanked" not in page(store)
    assert registry_of(store).generation == 4


def test_a_yank_without_a_reason_keeps_the_one_that_was_given(paths: Paths, store: FolderStore) -> None:
    yank(at(paths, store), [ONE], reason="broken")
    assert yank(at(paths, store), [ONE]).lines() == ("nothing to do",)
    assert 'data-yanked="broken"' in page(store)
    yank(at(paths, store), [ONE], reason="very broken")
    assert 'data-yanked="very broken"' in page(store)


def test_what_nobody_could_read_again_is_not_written(paths: Paths, store: FolderStore) -> None:
    before = registry_of(store)
    with pytest.raises(RegistryError, match="not Unicode text"):
        yank(at(paths, store), [ONE], reason="\udcff")  # as a byte of an argument arrives that is not UTF-8
    odd = replace(before.packages["demo"].wheels[0], filename="x y", url="https://example.com/x.whl")
    with pytest.raises(RegistryError, match=r"as it would become: .*: 'x y' has characters"):
        amend(store, lambda registry: registry.with_wheel("demo", odd), "add what has no name")
    assert registry_of(store) == before


def test_a_dry_yank_changes_nothing(paths: Paths, store: Eventful) -> None:
    assert yank(at(paths, store), [ONE], dry_run=True).done == (f"yank {ONE}",)
    assert "data-yanked" not in page(store)


def test_a_filename_that_is_not_published_is_named_with_the_nearest(paths: Paths, store: Eventful) -> None:
    with pytest.raises(
        UsageError, match=r"demo-1\.0-py2-none-any\.whl is not published \(did you mean 'demo-1"
    ):
        yank(at(paths, store), ["demo-1.0-py2-none-any.whl"])


def test_a_removed_wheel_leaves_the_pages_now_and_the_store_later(paths: Paths, store: Eventful) -> None:
    remove(at(paths, store), [ONE], after_days=7, now=NOW)
    assert filenames(store) == [TWO]
    assert ONE not in page(store)
    assert store.read(f"files/demo/{ONE}") is not None
    assert clean(at(paths, store), apply=True, now=NOW + timedelta(days=6)).done == ()
    cleaned = clean(at(paths, store), apply=True, now=LATER)
    assert cleaned.done == (f"delete files/demo/{ONE}, removed on 2026-11-21",)
    assert [entry.key for entry in store.entries("files/")] == [
        f"files/demo/{TWO}",
        f"files/demo/{TWO}.metadata",
    ]
    assert agreement(store) == []


def test_a_wheel_can_be_removed_at_once(paths: Paths, store: Eventful) -> None:
    remove(at(paths, store), [ONE], after_days=0)
    assert store.read(f"files/demo/{ONE}") is None
    assert registry_of(store).removed[0].state == "deleted"


def test_a_wheel_is_yanked_on_its_page_before_it_leaves_it(paths: Paths, store: Eventful) -> None:
    seen: list[str] = []
    # what the history keeps last is what the removal replaced
    store.before("create", "history/00000003", lambda: seen.append(page(store)))
    remove(at(paths, store), [ONE])
    assert f"{ONE}#" in seen[0]
    assert 'data-yanked="is being removed"' in seen[0]
    assert ONE not in page(store)
    assert [each.change for each in history(store)][:2] == [f"remove {ONE}", f"yank {ONE}"]


def test_a_removed_filename_comes_back_only_with_its_own_bytes(
    paths: Paths, store: Eventful, tmp_path: Path
) -> None:
    remove(at(paths, store), [ONE], after_days=0)
    with pytest.raises(FilenameTaken, match="--version-suffix"):
        publish(
            at(paths, store),
            [candidate(tmp_path / "other", "demo", "1.0", content=b"answer = 43\n")],
        )
    publish(at(paths, store), [candidate(tmp_path, "demo", "1.0")])
    assert filenames(store) == [ONE, TWO]
    assert registry_of(store).removed == ()
    assert agreement(store) == []


def test_a_wheel_published_again_before_its_deletion_is_not_deleted(
    paths: Paths, store: Eventful, tmp_path: Path
) -> None:
    remove(at(paths, store), [ONE], after_days=1, now=NOW)
    publish(at(paths, store), [candidate(tmp_path, "demo", "1.0")])
    assert clean(at(paths, store), apply=True, now=LATER).done == ()
    assert agreement(store) == []


def test_a_wheel_that_is_being_deleted_cannot_be_published_until_it_is_gone(
    paths: Paths, store: Eventful, tmp_path: Path
) -> None:
    remove(at(paths, store), [ONE], after_days=1, now=NOW)
    begin_deletion(store, ONE)
    with pytest.raises(StoreError, match="being deleted"):
        publish(at(paths, store), [candidate(tmp_path, "demo", "1.0")])
    clean(at(paths, store), apply=True, now=LATER)
    publish(at(paths, store), [candidate(tmp_path, "demo", "1.0")])
    assert agreement(store) == []


def test_a_wheel_that_a_rollback_took_off_the_index_can_be_deleted(paths: Paths, store: Eventful) -> None:
    rollback(at(paths, store), 1)
    assert clean(at(paths, store), now=LATER + timedelta(days=9999)).done == ()
    removed = remove(at(paths, store), [TWO], after_days=7, now=NOW)
    assert removed.done == (f"delete files/demo/{TWO} after 2026-11-28",)
    assert clean(at(paths, store), apply=True, now=LATER + timedelta(days=8)).done
    assert store.read(f"files/demo/{TWO}") is None
    assert remove(at(paths, store), [TWO]).lines() == ("nothing to do",)


@pytest.mark.parametrize("moment", ["read", "create"])
def test_a_wheel_that_is_deleted_while_it_is_published_again_is_published_whole(
    paths: Paths, store: Eventful, tmp_path: Path, moment: str
) -> None:
    remove(at(paths, store), [ONE], after_days=1, now=NOW)
    # the plan found its files; they go before the registry is read that is to name them, and after that
    key, skip = {"read": ("packages.json", 2), "create": ("history/", 0)}[moment]
    store.before(
        moment,
        key,
        lambda: clean(at(paths, FolderStore(paths.root)), apply=True, now=LATER),
        skip=skip,
    )
    publish(at(paths, store), [candidate(tmp_path, "demo", "1.0")])
    assert [gone.filename for gone in registry_of(store).removed] == []
    assert filenames(store) == [ONE, TWO]
    assert agreement(store) == []


def test_who_ends_a_deletion_late_does_not_delete_what_was_published_since(
    paths: Paths, store: Eventful, tmp_path: Path
) -> None:
    def choose(registry: Registry) -> tuple[Removal, ...]:
        chosen = due(registry, now=LATER)
        if filenames(store) == [TWO]:
            clean(at(paths, FolderStore(paths.root)), apply=True, now=LATER)
            publish(at(paths, FolderStore(paths.root)), [candidate(tmp_path, "demo", "1.0")])
        return chosen

    remove(at(paths, store), [ONE], after_days=1, now=NOW)
    begin_deletion(store, ONE)
    delete(store, choose)
    assert filenames(store) == [ONE, TWO]
    assert agreement(store) == []


@pytest.mark.parametrize("work", [yank_all, remove_all])
def test_a_change_killed_at_any_point_is_completed_by_reconcile_and_repeating_it(
    work: Callable[[Path, FolderStore], None], quick_path: Path
) -> None:
    for effect in range(1, 200):
        root = quick_path / str(effect) / "site"
        root.mkdir(parents=True)
        paths, store = Paths(root), FolderStore(root)
        publish(
            at(paths, store),
            [candidate(quick_path, "demo", "1.0"), candidate(quick_path, "demo", "2.0")],
        )
        killed = run_until(work, root, effect)
        assert dead_links(store) == [], f"after effect {effect}"
        assert reconcile(at(paths, store)).problems == (), f"after effect {effect}"
        assert agreement(store) == [], f"after effect {effect}"
        if not killed:
            assert effect > 10
            return
        if ONE in filenames(store):
            work(root, store)
        assert agreement(store) == [], f"after effect {effect}"
    pytest.fail("it never came to an end")


def test_a_wheel_that_two_deleted_and_a_third_published_again_is_not_lost_without_a_word(
    paths: Paths, store: Eventful, tmp_path: Path
) -> None:
    remove(at(paths, store), [ONE], after_days=1, now=NOW)
    other = FolderStore(paths.root)

    def others() -> None:
        clean(at(paths, other), apply=True, now=LATER)
        publish(at(paths, other), [candidate(tmp_path, "demo", "1.0")])

    store.before("delete", "files/", others)
    with pytest.raises(StoreError, match=f"{ONE}: published again .* publish it again"):
        clean(at(paths, store), apply=True, now=LATER)
    publish(at(paths, store), [candidate(tmp_path, "demo", "1.0")])
    assert agreement(store) == []


def test_a_removal_whose_last_drawing_was_cut_short_is_ended_by_the_same_command(
    paths: Paths, store: Eventful
) -> None:
    before = page(store)
    remove(at(paths, store), [ONE], after_days=0)
    (paths.root / "index/simple/demo/index.html").write_text(before)
    (paths.root / "index/.drawn.json").unlink()
    assert remove(at(paths, store), [ONE], after_days=0).lines() == ("nothing to do",)
    assert dead_links(store) == []
