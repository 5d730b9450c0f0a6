from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.publish.sites import NOW, agreement, candidate, dead_links, registry_of
from tests.publish.workers import publish_second, remove_all, run_until, yank_all
from workbench.errors import FilenameTaken, RegistryError, StoreError, UsageError
from workbench.publish.changes import remove, unyank, yank
from workbench.publish.history import history, rollback
from workbench.publish.registry import amend
from workbench.publish.transaction import publish
from workbench.publish.upkeep import clean, prune, reconcile
from workbench.registry.file import dumps, loads
from workbench.registry.model import BuildFacts
from workbench.site import Site
from workbench.store.folder import FolderStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workbench.registry.model import Registry

ONE = "demo-1.0-py3-none-any.whl"
TWO = "demo-2.0-py3-none-any.whl"
LATER = NOW + timedelta(days=8)


@pytest.fixture
def store(site: Site, tmp_path: Path) -> FolderStore:
    """Return a store in which two versions were published, one after the other."""
    store = FolderStore(site.root)
    for version in ("1.0", "2.0"):
        publish(site, store, [candidate(tmp_path, "demo", version)])
    return store


def filenames(store: FolderStore) -> list[str]:
    return [wheel.filename for _, wheel in registry_of(store).wheels()]


def page(store: FolderStore) -> str:
    stored = store.read("index/simple/demo/index.html")
    assert stored is not None
    return stored.content.decode()


def overwrite(store: FolderStore, registry: Registry) -> None:
    stored = store.read("packages.json")
    assert store.replace(
        "packages.json", dumps(registry).encode(), expected=stored.version if stored else None
    )


def test_a_yank_is_on_the_page_with_its_reason_until_it_is_taken_back(site: Site, store: FolderStore) -> None:
    assert yank(site, store, [ONE], reason="broken <b>").done == (f"yank {ONE}",)
    assert 'data-yanked="broken &lt;b&gt;"' in page(store)
    assert yank(site, store, [ONE], reason="broken <b>").lines() == ("nothing to do",)
    unyank(site, store, [ONE])
    assert "data-yanked" not in page(store)
    assert registry_of(store).generation == 4


def test_a_yank_without_a_reason_keeps_the_one_that_was_given(site: Site, store: FolderStore) -> None:
    yank(site, store, [ONE], reason="broken")
    assert yank(site, store, [ONE]).lines() == ("nothing to do",)
    assert 'data-yanked="broken"' in page(store)
    yank(site, store, [ONE], reason="very broken")
    assert 'data-yanked="very broken"' in page(store)


def test_what_nobody_could_read_again_is_not_written(site: Site, store: FolderStore) -> None:
    before = registry_of(store)
    with pytest.raises(RegistryError, match="not Unicode text"):
        yank(site, store, [ONE], reason="\udcff")  # as a byte of an argument arrives that is no UTF-8
    odd = replace(before.packages["demo"].wheels[0], filename="x y")
    with pytest.raises(RegistryError, match=r"as it would become: .*: 'x y' has characters"):
        amend(store, lambda registry: registry.with_wheel("demo", odd), "add what has no name")
    assert registry_of(store) == before


def test_a_dry_yank_changes_nothing(site: Site, store: FolderStore) -> None:
    assert yank(site, store, [ONE], dry_run=True).done == (f"yank {ONE}",)
    assert "data-yanked" not in page(store)


def test_a_filename_that_is_not_published_is_named_with_the_nearest(site: Site, store: FolderStore) -> None:
    with pytest.raises(
        UsageError, match=r"demo-1\.0-py2-none-any\.whl is not published \(did you mean 'demo-1"
    ):
        yank(site, store, ["demo-1.0-py2-none-any.whl"])


def test_a_removed_wheel_leaves_the_pages_now_and_the_store_later(site: Site, store: FolderStore) -> None:
    remove(site, store, [ONE], after_days=7, now=NOW)
    assert filenames(store) == [TWO]
    assert ONE not in page(store)
    assert store.read(f"files/demo/{ONE}") is not None
    assert clean(site, store, apply=True, now=NOW + timedelta(days=6)).done == ()
    cleaned = clean(site, store, apply=True, now=LATER)
    assert cleaned.done == (f"delete files/demo/{ONE}, removed on 2026-11-21",)
    assert [entry.key for entry in store.entries("files/")] == [
        f"files/demo/{TWO}",
        f"files/demo/{TWO}.metadata",
    ]
    assert agreement(store) == []


def test_a_wheel_can_be_removed_at_once(site: Site, store: FolderStore) -> None:
    remove(site, store, [ONE], after_days=0)
    assert store.read(f"files/demo/{ONE}") is None
    assert registry_of(store).removed[0].state == "deleted"


def test_a_removed_filename_comes_back_only_with_its_own_bytes(
    site: Site, store: FolderStore, tmp_path: Path
) -> None:
    remove(site, store, [ONE], after_days=0)
    with pytest.raises(FilenameTaken, match="--version-suffix"):
        publish(site, store, [candidate(tmp_path / "other", "demo", "1.0", content=b"answer = 43\n")])
    publish(site, store, [candidate(tmp_path, "demo", "1.0")])
    assert filenames(store) == [ONE, TWO]
    assert registry_of(store).removed == ()
    assert agreement(store) == []


def test_a_wheel_published_again_before_its_deletion_is_not_deleted(
    site: Site, store: FolderStore, tmp_path: Path
) -> None:
    remove(site, store, [ONE], after_days=1, now=NOW)
    publish(site, store, [candidate(tmp_path, "demo", "1.0")])
    assert clean(site, store, apply=True, now=LATER).done == ()
    assert agreement(store) == []


def test_a_wheel_that_is_being_deleted_cannot_be_published_until_it_is_gone(
    site: Site, store: FolderStore, tmp_path: Path
) -> None:
    remove(site, store, [ONE], after_days=1, now=NOW)
    text = dumps(registry_of(store)).replace('"delete_after"', '"state": "deleting", "delete_after"')
    overwrite(store, loads(text, where="edited"))
    with pytest.raises(StoreError, match="is being deleted"):
        publish(site, store, [candidate(tmp_path, "demo", "1.0")])
    clean(site, store, apply=True, now=LATER)
    publish(site, store, [candidate(tmp_path, "demo", "1.0")])
    assert agreement(store) == []


def test_history_lists_what_was_done_the_last_first(site: Site, store: FolderStore) -> None:
    yank(site, store, [ONE])
    listed = history(store)
    assert [(g.number, g.wheels, g.is_current) for g in listed] == [
        (3, 2, True),
        (2, 2, False),
        (1, 1, False),
    ]
    assert [g.change for g in listed] == [f"yank {ONE}", f"publish {TWO}", f"publish {ONE}"]
    assert [g.number for g in history(store, limit=2)] == [3, 2]


def test_a_rollback_restores_registry_and_pages_and_deletes_nothing(site: Site, store: FolderStore) -> None:
    before = page(store)
    yank(site, store, [ONE])
    first = rollback(site, store, 1)
    assert first.done == (f"take {TWO} off the index", f"restore {ONE}")
    assert filenames(store) == [ONE]
    assert store.read(f"files/demo/{TWO}") is not None
    assert agreement(store) == []
    assert clean(site, store, apply=True, now=LATER + timedelta(days=999)).done == ()
    back = rollback(site, store, 2)
    assert back.done == (f"put {TWO} on the index",)
    assert page(store) == before
    assert registry_of(store).generation == 5


def test_no_rollback_to_what_is_not_there(site: Site, store: FolderStore) -> None:
    with pytest.raises(UsageError, match="invoke history"):
        rollback(site, store, 9)
    remove(site, store, [ONE], after_days=0)
    with pytest.raises(UsageError, match=f"generation 2 had {ONE}"):
        rollback(site, store, 2)
    assert filenames(store) == [TWO]


def test_prune_keeps_the_newest_of_every_target(site: Site, store: FolderStore, tmp_path: Path) -> None:
    wheels = [
        candidate(tmp_path, "demo", "1.0", tag="cp311-cp311-linux_x86_64"),
        candidate(tmp_path, "demo", "1.0+cu126"),
        candidate(tmp_path, "demo", "1.0+cu130"),
        candidate(tmp_path, "demo", "1.5+cu130"),
    ]
    publish(site, store, wheels)
    yank(site, store, [TWO])
    dry = prune(site, store, keep=1)
    assert dry.dry_run
    assert len(filenames(store)) == 6
    prune(site, store, keep=1, apply=True)
    # of the plain ones 2.0 goes, for it is yanked
    assert filenames(store) == [
        "demo-1.0+cu126-py3-none-any.whl",
        "demo-1.0-cp311-cp311-linux_x86_64.whl",
        ONE,
        "demo-1.5+cu130-py3-none-any.whl",
    ]
    with pytest.raises(UsageError, match="never pruned"):
        prune(site, store, keep=0)


def test_prune_tells_variants_apart(site: Site, store: FolderStore, tmp_path: Path) -> None:
    """Neither a recipe's variant nor a labelled wheel (PEP 825) is an older one of the usual build."""
    usual, variant = (candidate(tmp_path, "kernels", f"1.0+cu130{end}") for end in ("", ".hdim128"))
    build = BuildFacts(source="kernels==1.0", pin="a" * 64, compute="cu130", variant="hdim128")
    publish(site, store, [usual, replace(variant, wheel=replace(variant.wheel, build=build))])
    labelled = replace(usual.wheel, filename="kernels-1.0+cu130-py3-none-any-cu130.whl")
    (site.root / "packages.json").write_text(dumps(registry_of(store).with_wheel("kernels", labelled)))
    prune(site, store, keep=1, apply=True)
    assert filenames(store) == sorted(
        [TWO, *(wheel.filename for wheel in (usual.wheel, labelled, variant.wheel))]
    )


def test_reconcile_has_nothing_to_say_of_a_store_in_order(site: Site, store: FolderStore) -> None:
    remove(site, store, [ONE])
    rollback(site, store, 1)
    before = [entry for entry in store.entries("") if not entry.key.startswith("index/.")]
    healed = reconcile(site, store)
    assert healed.lines() == ("registry, pages and files agree",)
    assert [entry for entry in store.entries("") if not entry.key.startswith("index/.")] == before


def test_reconcile_registers_what_was_recorded(site: Site, store: FolderStore) -> None:
    overwrite(store, registry_of(store).without_wheel("demo", TWO))
    healed = reconcile(site, store)
    assert healed.done[0] == f"registered {TWO}"
    assert filenames(store) == [ONE, TWO]
    assert agreement(store) == []


def test_reconcile_makes_a_lost_registry_anew(site: Site, store: FolderStore) -> None:
    yank(site, store, [ONE], reason="old")
    remove(site, store, [TWO])
    lost = registry_of(store)
    store.delete("packages.json")
    healed = reconcile(site, store)
    assert healed.problems == ()
    # what the last change did is lost with the registry: the wheel that it removed is back
    assert filenames(store) == [ONE, TWO]
    assert registry_of(store).packages["demo"].wheels[0].yanked == "old"
    assert registry_of(store).generation > lost.generation
    assert agreement(store) == []


def test_reconcile_puts_a_missing_file_back_or_says_what_to_do(
    site: Site, store: FolderStore, tmp_path: Path
) -> None:
    store.delete(f"files/demo/{ONE}")
    assert f"invoke remove {ONE}" in reconcile(site, store).problems[0]
    site.wheels.mkdir()
    (site.wheels / ONE).write_bytes((tmp_path / ONE).read_bytes())
    assert reconcile(site, store).problems == ()
    assert agreement(store) == []


def test_reconcile_mends_pages_that_somebody_edited(site: Site, store: FolderStore) -> None:
    path = site.root / "index/simple/demo/index.html"
    path.write_text("<h1>nothing here</h1>")
    assert reconcile(site, store).done == ("drew 1 pages, removed 0",)
    assert agreement(store) == []


def test_strays_are_named_and_go_only_when_they_are_old(site: Site, store: FolderStore) -> None:
    stray = "files/demo/demo-9.9-py3-none-any.whl"
    store.create(stray, b"x", sha256="2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881")
    (site.root / ".workbench/incoming/half.abc").write_bytes(b"half")
    assert stray in reconcile(site, store).problems[0]
    assert clean(site, store, apply=True).done == ()
    assert len(clean(site, store, apply=True, now=LATER + timedelta(days=99999)).done) == 2
    assert store.read(stray) is None
    assert agreement(store) == []


@pytest.mark.parametrize("work", [yank_all, remove_all])
def test_a_change_killed_at_any_point_is_completed_by_reconcile_and_repeating_it(
    work: Callable[[Path, FolderStore], None], quick_path: Path
) -> None:
    for effect in range(1, 100):
        root = quick_path / str(effect) / "site"
        root.mkdir(parents=True)
        site, store = Site(root), FolderStore(root)
        publish(site, store, [candidate(quick_path, "demo", "1.0"), candidate(quick_path, "demo", "2.0")])
        killed = run_until(work, root, effect)
        assert dead_links(store) == [], f"after effect {effect}"
        assert reconcile(site, store).problems == (), f"after effect {effect}"
        assert agreement(store) == [], f"after effect {effect}"
        if not killed:
            assert effect > 10
            return
        if ONE in filenames(store):
            work(root, store)
        assert agreement(store) == [], f"after effect {effect}"
    pytest.fail("it never came to an end")


def test_a_publish_killed_while_it_drew_is_undone_by_a_rollback_in_the_pages_too(quick_path: Path) -> None:
    candidate(quick_path, "demo", "2.0")
    for effect in range(1, 200):
        root = quick_path / str(effect) / "site"
        root.mkdir(parents=True)
        site, store = Site(root), FolderStore(root)
        publish(site, store, [candidate(quick_path, "demo", "1.0")])
        killed = run_until(publish_second, root, effect)
        if registry_of(store).generation > 1:
            rollback(site, store, 1)
            assert agreement(store) == [], f"after effect {effect}"
        if not killed:
            return
    pytest.fail("it never came to an end")
