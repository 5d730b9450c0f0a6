from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.publish.sites import (
    NOW,
    ONE,
    TWO,
    Bucket,
    Eventful,
    agreement,
    at,
    begin_deletion,
    candidate,
    dead_links,
    filenames,
    overwrite,
    page,
    registry_of,
)
from workbench.care.reconcile import reconcile
from workbench.errors import RegistryError
from workbench.paths import Paths
from workbench.publish.amend import amend
from workbench.publish.drawing import draw_pages
from workbench.publish.history import rollback
from workbench.publish.transaction import publish
from workbench.publish.withdraw import remove, yank
from workbench.registry.model import Package, PublishedWheel
from workbench.store.folder import FolderStore

if TYPE_CHECKING:
    from pathlib import Path


def test_reconcile_has_nothing_to_say_of_a_store_in_order(paths: Paths, store: Eventful) -> None:
    remove(at(paths, store), [ONE])
    rollback(at(paths, store), 1)
    before = [entry for entry in store.entries("") if not entry.key.startswith("index/.")]
    healed = reconcile(at(paths, store))
    assert healed.lines() == ("registry, pages and files agree",)
    assert [entry for entry in store.entries("") if not entry.key.startswith("index/.")] == before


def test_reconcile_registers_what_was_recorded(paths: Paths, store: Eventful) -> None:
    overwrite(store, registry_of(store).without_wheel("demo", TWO))
    healed = reconcile(at(paths, store))
    assert healed.done[0] == f"register {TWO}"
    assert filenames(store) == [ONE, TWO]
    assert agreement(store) == []


def test_reconcile_makes_a_lost_registry_anew(paths: Paths, store: Eventful) -> None:
    yank(at(paths, store), [ONE], reason="old")
    remove(at(paths, store), [TWO])
    lost = registry_of(store)
    store.delete("packages.json")
    healed = reconcile(at(paths, store))
    assert healed.problems == ()
    # what the last change did is lost with the registry: the wheel that it removed is back
    assert filenames(store) == [ONE, TWO]
    assert registry_of(store).packages["demo"].wheels[0].yanked == "old"
    assert registry_of(store).generation > lost.generation
    assert agreement(store) == []


def test_a_damaged_registry_is_made_anew_and_its_bytes_are_kept(paths: Paths, store: Eventful) -> None:
    yank(at(paths, store), [ONE], reason="old")
    (paths.root / "packages.json").write_text('{"schema"')
    with pytest.raises(RegistryError, match="not JSON"):
        yank(at(paths, store), [TWO])
    healed = reconcile(at(paths, store))
    assert healed.problems == ()
    assert filenames(store) == [ONE, TWO]
    assert registry_of(store).generation == 4
    (kept,) = (paths.root / "history").glob("damaged-*.json")
    assert kept.read_text() == '{"schema"'
    assert agreement(store) == []


def test_a_registry_of_a_newer_program_is_not_taken_for_a_damaged_one(paths: Paths, store: Eventful) -> None:
    newer = (paths.root / "packages.json").read_text().replace('"schema": 2', '"schema": 3')
    (paths.root / "packages.json").write_text(newer)
    with pytest.raises(RegistryError, match="schema 3"):
        reconcile(at(paths, store))
    assert (paths.root / "packages.json").read_text() == newer


def test_another_stores_wheels_are_not_taken_for_ones_own(paths: Paths, tmp_path: Path) -> None:
    publish(at(paths, FolderStore(tmp_path / "elsewhere")), [candidate(tmp_path)])
    assert filenames(FolderStore(paths.root)) == ["demo-1.0-py3-none-any.whl"]
    empty = FolderStore(tmp_path / "empty")
    reconcile(at(paths, empty))
    assert empty.read("packages.json") is None
    other = FolderStore(tmp_path / "other")
    publish(
        at(Paths(tmp_path / "other"), other),
        [candidate(tmp_path, "other")],
    )
    other.delete("packages.json")
    reconcile(at(paths, other))
    assert filenames(other) == ["other-1.0-py3-none-any.whl"]
    assert agreement(other) == []


def test_the_checkouts_copy_is_what_a_lost_registry_is_made_anew_from(paths: Paths, tmp_path: Path) -> None:
    bucket = FolderStore(tmp_path / "bucket")
    publish(at(paths, bucket), [candidate(tmp_path)])
    yank(
        at(paths, bucket),
        ["demo-1.0-py3-none-any.whl"],
        reason="known to the last generation alone",
    )
    bucket.delete("packages.json")
    healed = reconcile(at(paths, bucket))
    assert "the copy of generation 2" in healed.done[0]
    assert registry_of(bucket).packages["demo"].wheels[0].yanked == "known to the last generation alone"
    assert registry_of(bucket).generation == 3


def test_a_wheel_whose_file_is_not_there_is_not_registered(paths: Paths, store: Eventful) -> None:
    remove(at(paths, store), [ONE], after_days=0)
    for entry in list(store.entries("history/")):
        store.delete(entry.key)
    store.delete("packages.json")
    healed = reconcile(at(paths, store))
    assert healed.problems == ()
    assert f"note that {ONE}, which was recorded, is deleted" in healed.done
    assert filenames(store) == [TWO]
    assert agreement(store) == []
    assert reconcile(at(paths, store)).lines() == ("registry, pages and files agree",)


def test_what_a_lost_registry_named_and_is_gone_is_left_out_and_told(paths: Paths, store: Eventful) -> None:
    store.delete("packages.json")
    store.delete(f"files/demo/{ONE}")
    healed = reconcile(at(paths, store))
    assert healed.problems == (
        f"files/demo/{ONE} is not there, so {ONE} is not registered: publish it again",
    )
    assert filenames(store) == [TWO]
    assert agreement(store) == []


def test_what_is_published_meanwhile_is_no_disagreement(
    paths: Paths, store: Eventful, tmp_path: Path
) -> None:
    def publish_three() -> None:
        publish(at(paths, FolderStore(paths.root)), [candidate(tmp_path, "demo", "3.0")])

    for prefix in ("records/", "files/"):
        store.before("entries", prefix, publish_three)
    assert reconcile(at(paths, store)).lines() == ("registry, pages and files agree",)
    assert agreement(store) == []


def test_what_is_removed_meanwhile_is_no_disagreement(paths: Paths, store: Eventful) -> None:
    paths.wheels.mkdir()
    (paths.wheels / ONE).write_bytes((paths.root / f"files/demo/{ONE}").read_bytes())
    store.before(
        "entries",
        "records/",
        lambda: remove(at(paths, FolderStore(paths.root)), [ONE], after_days=0),
    )
    assert reconcile(at(paths, store)).lines() == ("registry, pages and files agree",)
    assert store.read(f"files/demo/{ONE}") is None


def test_what_is_none_of_ours_is_named_and_left_alone(paths: Paths, store: Eventful) -> None:
    theirs = ["files/notes.txt", "records/demo/readme.txt", "records/notes.txt", "history/notes.txt"]
    for key in theirs:
        (paths.root / key).write_text("mine")
    healed = reconcile(at(paths, store))
    assert (healed.done, healed.problems) == ((), ())
    assert sorted(note.partition(" ")[0] for note in healed.notes) == sorted(theirs)


@pytest.mark.parametrize("content", [b"", b"{}", b"not a record"])
def test_a_record_that_is_none_is_told_of_and_keeps_nobody_up(
    paths: Paths, store: Eventful, content: bytes
) -> None:
    overwrite(store, registry_of(store).without_wheel("demo", TWO))
    (paths.root / "records/demo/demo-9.0-py3-none-any.whl.json").write_bytes(content)
    healed = reconcile(at(paths, store))
    assert healed.done[0] == f"register {TWO}"
    assert "records/demo/demo-9.0-py3-none-any.whl.json" in healed.problems[0]
    assert agreement(store) == []


def test_reconcile_puts_a_missing_file_back_or_says_what_to_do(
    paths: Paths, store: Eventful, tmp_path: Path
) -> None:
    store.delete(f"files/demo/{ONE}")
    assert f"invoke remove {ONE}" in reconcile(at(paths, store)).problems[0]
    paths.wheels.mkdir()
    (paths.wheels / ONE).write_bytes((tmp_path / ONE).read_bytes())
    assert reconcile(at(paths, store)).problems == ()
    assert agreement(store) == []


def test_missing_metadata_is_written_again_out_of_the_wheel(paths: Paths, store: Eventful) -> None:
    store.delete(f"files/demo/{ONE}.metadata")
    assert dead_links(store)
    assert reconcile(at(paths, store)).done == (f"put files/demo/{ONE}.metadata back from the wheel",)
    assert agreement(store) == []


@pytest.mark.parametrize("beside", ["", ".metadata"])
def test_a_damaged_file_is_found_by_reading_it_and_put_back(
    paths: Paths, store: Eventful, tmp_path: Path, beside: str
) -> None:
    damaged = paths.root / f"files/demo/{ONE}{beside}"
    damaged.write_bytes(bytes(damaged.stat().st_size))
    assert reconcile(at(paths, store)).lines() == ("registry, pages and files agree",)
    if not beside:
        assert (
            "put the wheel that was published into wheels/"
            in reconcile(at(paths, store), deep=True).problems[0]
        )
        paths.wheels.mkdir()
        (paths.wheels / ONE).write_bytes((tmp_path / ONE).read_bytes())
    healed = reconcile(at(paths, store), deep=True)
    assert healed.problems == ()
    assert healed.done[0].startswith(f"put files/demo/{ONE}{beside} back from")
    assert agreement(store) == []


def test_a_dry_run_says_what_a_wet_one_does_and_changes_nothing(paths: Paths, store: Eventful) -> None:
    overwrite(store, registry_of(store).without_wheel("demo", TWO))
    store.delete(f"records/demo/{ONE}.json")
    store.delete(f"files/demo/{ONE}.metadata")
    before = list(store.entries(""))
    dry = reconcile(at(paths, store), dry_run=True)
    assert list(store.entries("")) == before
    assert dry.lines()[0].startswith("would put ")
    wet = reconcile(at(paths, store))
    assert wet.done[:3] == dry.done[:3]
    assert agreement(store) == []


def test_reconcile_mends_pages_that_somebody_edited(paths: Paths, store: Eventful) -> None:
    path = paths.root / "index/simple/demo/index.html"
    path.write_text("<h1>nothing here</h1>")
    assert reconcile(at(paths, store)).done == ("draw 1 pages, remove 0",)
    assert agreement(store) == []


def test_no_file_is_deleted_while_a_page_still_leads_to_it(paths: Paths, store: Eventful) -> None:
    drawn = page(store)
    remove(at(paths, store), [ONE], after_days=1, now=NOW)
    begin_deletion(store, ONE)
    # as after two removers, of whom one was killed before it drew and the other before it deleted
    (paths.root / "index/simple/demo/index.html").write_text(drawn)
    seen: list[str] = []
    store.before("delete", "files/", lambda: seen.append(page(store)))
    assert reconcile(at(paths, store)).done == (
        "draw 1 pages, remove 0",
        f"end the deletion of {ONE}",
    )
    assert ONE not in seen[0]
    assert agreement(store) == []


IMPORTED = PublishedWheel(
    filename="other-1.0-py3-none-any.whl",
    url="https://example.com/other-1.0-py3-none-any.whl",
    python_version="3",
    platform="any",
    upload_date="2026-01-01",
    sha256="0" * 64,
    size=3,
    upload_time="2026-01-01T00:00:00Z",
)


@pytest.mark.parametrize("has_copy", [True, False])
def test_a_lost_registry_of_wheels_that_lie_elsewhere_comes_back_or_is_told_of(
    paths: Paths, tmp_path: Path, has_copy: bool
) -> None:
    store = Bucket(tmp_path / "bucket")
    other = Package(source_repo="https://example.com", wheels=(IMPORTED,))
    amend(store, lambda registry: registry.with_package("other", other), "import a registry")
    draw_pages(at(paths, store))
    pages = [entry.key for entry in store.entries("index/")]
    store.delete("packages.json")
    if not has_copy:
        paths.registry.unlink()
    healed = reconcile(at(paths, store))
    assert [entry.key for entry in store.entries("index/")] == pages
    assert (healed.problems == ()) is has_copy
    assert (store.read("packages.json") is not None) is has_copy


def test_what_is_damaged_in_the_history_is_passed_over(paths: Paths, store: Eventful) -> None:
    yank(at(paths, store), [ONE])
    store.delete("packages.json")
    (paths.root / "history/00000002.json").write_text("{")
    assert reconcile(at(paths, store)).problems == ()
    assert filenames(store) == [ONE, TWO]
    assert agreement(store) == []
