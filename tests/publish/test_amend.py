from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.publish.sites import (
    ONE,
    TWO,
    Eventful,
    agreement,
    at,
    candidate,
    filenames,
    overwrite,
    registry_of,
)
from workbench.care.reconcile import reconcile
from workbench.care.upkeep import prune
from workbench.errors import RegistryError
from workbench.evidence.root import ROOT
from workbench.publish.amend import FilesMissing, amend
from workbench.publish.history import rollback
from workbench.publish.transaction import publish
from workbench.publish.withdraw import remove, yank
from workbench.registry.file import dumps, loads
from workbench.registry.model import Registry
from workbench.store.folder import FolderStore
from workbench.store.layout import history_key

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths


def kept(store: FolderStore) -> dict[str, bytes]:
    stored = {entry.key: store.read(entry.key) for entry in store.entries("history/")}
    return {key: each.content for key, each in stored.items() if each is not None}


def go_on(paths: Paths, store: FolderStore, wheels: Path) -> None:
    """Publish twice and reconcile; nothing that was kept changes, and no number comes twice."""
    before = kept(store)
    versions = ("8.0", "9.0")
    numbers = [registry_of(store).generation]
    numbers += [publish(at(paths, store), [candidate(wheels, "other", each)]).generation for each in versions]
    reconcile(at(paths, store))
    assert numbers == sorted(set(numbers))
    assert before.keys().isdisjoint(history_key(number) for number in numbers[1:])
    assert kept(store).items() >= before.items()
    assert agreement(store) == []


def test_changes_go_on_after_a_registry_was_lost_and_left_behind(
    paths: Paths, store: Eventful, tmp_path: Path
) -> None:
    publish(at(paths, store), [candidate(tmp_path, "demo", "3.0")])
    store.delete("packages.json")
    publish(at(paths, store), [candidate(tmp_path, "other")], may_shrink=True)
    go_on(paths, store, tmp_path)


def test_changes_go_on_after_a_registry_was_lost_and_rolled_back(
    paths: Paths, store: Eventful, tmp_path: Path
) -> None:
    publish(at(paths, store), [candidate(tmp_path, "demo", "3.0")])
    store.delete("packages.json")
    assert rollback(at(paths, store), 1).done == (
        "make the registry anew",
        f"take {TWO} off the index",
    )
    assert filenames(store) == [ONE]
    assert [gone.filename for gone in registry_of(store).removed] == [TWO]
    go_on(paths, store, tmp_path)


def test_the_first_change_of_a_fresh_checkout_makes_generation_1(paths: Paths, tmp_path: Path) -> None:
    paths.registry.write_text(dumps(Registry()))
    store = FolderStore(paths.root)
    assert publish(at(paths, store), [candidate(tmp_path)]).generation == 1
    assert kept(store) == {}


@pytest.mark.parametrize("times", [1, 2])
def test_changes_go_on_after_a_registry_was_set_back(
    paths: Paths, store: Eventful, tmp_path: Path, times: int
) -> None:
    first = paths.registry.read_bytes()
    for version in ("3.0", "4.0", "5.0"):
        publish(at(paths, store), [candidate(tmp_path, "demo", version)])
    for number in range(times):
        paths.registry.write_bytes(first)
        publish(at(paths, store), [candidate(tmp_path, "another", f"1.{number}")])
    go_on(paths, store, tmp_path)


@pytest.mark.parametrize("back", [1, 2])
def test_a_generation_that_was_signed_is_never_that_of_another_registry(
    paths: Paths, store: Eventful, tmp_path: Path, back: int
) -> None:
    """Also where the registry was set back by hand, by one generation or by more."""
    kept_at: dict[int, bytes] = {}
    for version in ("3.0", "4.0"):
        publish(at(paths, store), [candidate(tmp_path, "demo", version)])
        kept_at[registry_of(store).generation] = paths.registry.read_bytes()
    newest = max(kept_at)
    (paths.root / "trust").mkdir()
    (paths.root / ROOT).write_text(json.dumps({"signed": {"version": newest}}))
    paths.registry.write_bytes(kept_at.get(newest - back) or kept(store)[history_key(newest - back)])
    done = publish(at(paths, store), [candidate(tmp_path, "demo", "6.0")])
    assert done.generation > newest
    go_on(paths, store, tmp_path)


def test_a_registry_with_the_number_of_another_is_kept_under_one_of_its_own(
    paths: Paths, store: Eventful, tmp_path: Path
) -> None:
    publish(at(paths, store), [candidate(tmp_path, "demo", "3.0")])
    yanked = registry_of(store)
    yank(at(paths, store), [ONE], reason="kept as 4")
    yank(at(paths, store), [ONE], reason=None)
    # as after a merge of two branches, of which both went on from generation 3
    overwrite(store, loads(dumps(yanked).replace('"generation": 3', '"generation": 4'), where="merged"))
    go_on(paths, store, tmp_path)
    assert registry_of(store).generation > 5
    assert any(b'"generation": 6' in document for document in kept(store).values())


def test_no_change_names_a_wheel_whose_files_are_not_whole(paths: Paths, store: Eventful) -> None:
    whole = registry_of(store)
    overwrite(store, whole.without_wheel("demo", ONE))
    path = paths.root / f"files/demo/{ONE}"
    content = path.read_bytes()
    for damage in (path.unlink, lambda: path.write_bytes(content[:-1])):
        damage()
        with pytest.raises(FilesMissing, match=ONE):
            amend(
                store, lambda registry: registry.with_wheel("demo", whole.packages["demo"].wheels[0]), "add"
            )
    assert filenames(store) == [TWO]


def test_verbs_that_need_a_registry_say_that_it_is_lost(paths: Paths, store: Eventful) -> None:
    store.delete("packages.json")
    for verb in (yank, remove):
        with pytest.raises(RegistryError, match=r"is gone.*invoke store.reconcile"):
            verb(at(paths, store), [ONE])
    with pytest.raises(RegistryError, match=r"is gone.*invoke store.reconcile"):
        prune(at(paths, store), keep=1)


def test_a_store_is_not_behind_for_what_another_process_here_published_since(
    paths: Paths, tmp_path: Path
) -> None:
    class Shared(FolderStore):
        def prepare(self) -> None:
            # the registry was read to plan with
            publish(at(paths, bucket), [candidate(tmp_path, "demo", "2.0")])

    bucket = FolderStore(tmp_path / "bucket")
    publish(at(paths, bucket), [candidate(tmp_path, "demo", "1.0")])
    publish(at(paths, Shared(tmp_path / "bucket")), [candidate(tmp_path, "demo", "3.0")])
    assert len(filenames(bucket)) == 3


def test_a_store_that_lost_its_registry_is_not_taken_for_the_wrong_store(
    paths: Paths, tmp_path: Path
) -> None:
    bucket = FolderStore(tmp_path / "bucket")
    publish(at(paths, bucket), [candidate(tmp_path)])
    bucket.delete("packages.json")
    with pytest.raises(RegistryError, match=r"is gone.*invoke store.reconcile"):
        publish(at(paths, bucket), [candidate(tmp_path, "other")])


def test_a_dry_publish_is_refused_as_the_real_one(paths: Paths, store: Eventful, tmp_path: Path) -> None:
    store.delete("packages.json")
    for dry_run in (True, False):
        with pytest.raises(RegistryError, match=r"invoke store\.reconcile"):
            publish(at(paths, store), [candidate(tmp_path, "other")], dry_run=dry_run)
