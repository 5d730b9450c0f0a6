from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.publish.sites import (
    LATER,
    ONE,
    TWO,
    Eventful,
    agreement,
    at,
    candidate,
    dead_links,
    filenames,
    registry_of,
)
from workbench.care.reconcile import reconcile
from workbench.care.upkeep import clean, prune
from workbench.errors import RegistryError, StoreError, UsageError
from workbench.evidence.facts import BuildFacts, PatchApplied
from workbench.publish.history import rollback
from workbench.publish.transaction import publish
from workbench.publish.withdraw import remove, yank
from workbench.registry.file import dumps
from workbench.store.folder import FolderStore
from workbench.store.layout import log_key, patch_key

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.publish.publication import Candidate


def test_prune_keeps_the_newest_of_every_target(paths: Paths, store: Eventful, tmp_path: Path) -> None:
    wheels = [
        candidate(tmp_path, "demo", "1.0", tag="cp311-cp311-linux_x86_64"),
        candidate(tmp_path, "demo", "1.0+cu126"),
        candidate(tmp_path, "demo", "1.0+cu130"),
        candidate(tmp_path, "demo", "1.5+cu130"),
    ]
    publish(at(paths, store), wheels)
    yank(at(paths, store), [TWO])
    dry = prune(at(paths, store), keep=1)
    assert dry.dry_run
    assert len(filenames(store)) == 6
    prune(at(paths, store), keep=1, apply=True)
    # of the plain ones 2.0 goes, for it is yanked
    assert filenames(store) == [
        "demo-1.0+cu126-py3-none-any.whl",
        "demo-1.0-cp311-cp311-linux_x86_64.whl",
        ONE,
        "demo-1.5+cu130-py3-none-any.whl",
    ]
    with pytest.raises(UsageError, match="never pruned"):
        prune(at(paths, store), keep=0)


def test_prune_tells_variants_apart(paths: Paths, store: Eventful, tmp_path: Path) -> None:
    """Neither a recipe's variant nor a labelled wheel (PEP 825) is an older one of the usual build."""
    usual, variant = (candidate(tmp_path, "kernels", f"1.0+cu130{end}") for end in ("", ".hdim128"))
    build = BuildFacts(source="kernels==1.0", pin="a" * 64, compute="cu130", variant="hdim128")
    publish(
        at(paths, store),
        [usual, replace(variant, wheel=replace(variant.wheel, build=build))],
    )
    labelled = replace(usual.wheel, filename="kernels-1.0+cu130-py3-none-any-cu130.whl")
    (paths.root / "packages.json").write_text(dumps(registry_of(store).with_wheel("kernels", labelled)))
    prune(at(paths, store), keep=1, apply=True)
    assert filenames(store) == sorted(
        [TWO, *(wheel.filename for wheel in (usual.wheel, labelled, variant.wheel))]
    )


def test_prune_leaves_the_last_wheel_of_a_target_whatever_goes_meanwhile(
    paths: Paths, store: Eventful
) -> None:
    def remove_the_newest() -> None:
        remove(at(paths, FolderStore(paths.root)), [TWO])

    # after the older one was yanked to go, and before it went
    store.before("create", "history/00000003", remove_the_newest)
    prune(at(paths, store), keep=1, apply=True)
    assert [(wheel.filename, wheel.yanked) for _, wheel in registry_of(store).wheels()] == [(ONE, None)]
    assert agreement(store) == []


def with_texts(made: Candidate, *, log: bytes = b"gcc -O2\n") -> Candidate:
    """Return a candidate whose build left a log, and used a patch."""
    patch = b"--- a\n+++ b\n"
    log_sha256, patch_sha256 = (hashlib.sha256(text).hexdigest() for text in (log, patch))
    texts = {
        log_key(made.project, made.wheel.filename, log_sha256): log,
        patch_key(made.project, "fix.patch", patch_sha256): patch,
    }
    build = BuildFacts(
        source="demo==9.9",
        pin="a" * 64,
        log=next(iter(texts)),
        patches=(PatchApplied(name="fix.patch", sha256=patch_sha256, url=list(texts)[1]),),
    )
    return replace(made, wheel=replace(made.wheel, build=build), texts=texts)


def test_the_log_of_a_build_goes_with_its_wheel_and_patches_stay(
    paths: Paths, store: Eventful, tmp_path: Path
) -> None:
    made = with_texts(candidate(tmp_path, "demo", "9.9"))
    publish(at(paths, store), [made])
    log, patch = made.texts
    assert reconcile(at(paths, store)).lines() == ("registry, pages and files agree",)
    assert clean(at(paths, store), apply=True, now=LATER + timedelta(days=99999)).done == ()
    assert publish(at(paths, store), [made]).plan.is_done
    store.delete(patch)
    assert not publish(at(paths, store), [made]).plan.is_done
    assert store.read(patch) is not None
    (paths.root / patch).write_bytes(b"--- a\n+++ c\n")
    assert reconcile(at(paths, store)).problems == ()
    (problem,) = reconcile(at(paths, store), deep=True).problems
    assert problem.startswith(f"{patch} has other bytes than its name says")
    store.delete(patch)
    publish(at(paths, store), [made])
    assert reconcile(at(paths, store), deep=True).problems == ()
    remove(at(paths, store), [made.wheel.filename], after_days=0)
    assert store.read(log) is None
    # others may have been built with it, and a rollback may bring one back
    assert store.read(patch) is not None
    assert reconcile(at(paths, store)).lines() == ("registry, pages and files agree",)


def test_strays_are_told_of_and_go_only_when_they_are_old(
    paths: Paths, store: Eventful, tmp_path: Path
) -> None:
    wheel = candidate(tmp_path, "demo", "9.9")
    store.create(wheel.wheel.url, wheel.path, sha256=wheel.wheel.sha256)
    (paths.root / ".workbench/incoming/half.abc").write_bytes(b"half")
    healed = reconcile(at(paths, store))
    assert healed.problems == ()
    assert wheel.wheel.url in healed.notes[0]
    assert clean(at(paths, store), apply=True).done == ()
    before = registry_of(store)
    assert len(clean(at(paths, store), apply=True, now=LATER + timedelta(days=99999)).done) == 2
    assert store.read(wheel.wheel.url) is None
    after = registry_of(store)
    assert (after.packages, after.removed) == (before.packages, before.removed)
    publish(
        at(paths, store),
        [candidate(tmp_path / "other", "demo", "9.9", content=b"another = 1\n")],
    )
    assert agreement(store) == []


@pytest.mark.parametrize("moment", ["delete", "read", "create"])
def test_an_old_stray_that_is_published_while_it_is_cleaned_up_is_whole_or_not_there(
    paths: Paths, store: Eventful, tmp_path: Path, moment: str
) -> None:
    wheel = candidate(tmp_path, "demo", "9.9")
    store.create(wheel.wheel.url, wheel.path, sha256=wheel.wheel.sha256)
    told: list[str] = []

    def publish_it() -> None:
        try:
            publish(at(paths, FolderStore(paths.root)), [wheel])
        except StoreError as error:
            told.append(str(error))

    store.before(
        moment, {"delete": "files/", "read": "packages.json", "create": "history/"}[moment], publish_it
    )
    clean(at(paths, store), apply=True, now=LATER + timedelta(days=99999))
    assert dead_links(store) == []
    assert agreement(store) == []
    assert (wheel.path.name in filenames(store)) is not bool(told)
    publish(at(paths, store), [wheel])
    assert agreement(store) == []


def test_what_the_workbench_has_not_written_is_not_cleaned_up(paths: Paths, store: Eventful) -> None:
    (paths.root / "files/notes.txt").write_text("mine")
    assert clean(at(paths, store), apply=True, now=LATER + timedelta(days=99999)).done == ()
    assert (paths.root / "files/notes.txt").read_text() == "mine"


def test_a_store_that_lost_its_registry_is_not_cleaned_up(paths: Paths, store: Eventful) -> None:
    store.delete("packages.json")
    with pytest.raises(RegistryError, match=r"invoke store\.reconcile"):
        clean(at(paths, store), apply=True, now=LATER + timedelta(days=99999))
    assert store.read(f"files/demo/{ONE}") is not None


def test_a_wheel_that_is_published_again_does_not_link_to_the_log_that_was_deleted(
    paths: Paths, store: Eventful, tmp_path: Path
) -> None:
    plain = candidate(tmp_path, "demo", "9.9")
    for again in (plain, with_texts(plain, log=b"gcc -O3\n")):
        publish(at(paths, store), [with_texts(plain)])
        before = registry_of(store).generation
        remove(at(paths, store), [plain.wheel.filename], after_days=0)
        publish(at(paths, store), [again])
        assert dead_links(store) == []
        assert bool(logs(store)) is bool(again.texts)
        rollback(at(paths, store), before)
        assert dead_links(store) == []
        remove(at(paths, store), [plain.wheel.filename], after_days=0)


def logs(store: Eventful) -> list[str]:
    return [wheel.build.log for _, wheel in registry_of(store).wheels() if wheel.build and wheel.build.log]


def test_what_others_laid_beside_a_wheel_stays_when_it_goes(paths: Paths, store: Eventful) -> None:
    signature = paths.root / f"files/demo/{ONE}.asc"
    signature.write_text("mine")
    remove(at(paths, store), [ONE], after_days=0)
    assert store.read(f"files/demo/{ONE}") is None
    assert signature.read_text() == "mine"


@pytest.mark.parametrize("days", [-1, 99_999_999_999])
def test_days_that_no_calendar_has_are_refused(paths: Paths, store: Eventful, days: int) -> None:
    with pytest.raises(UsageError, match="--after"):
        remove(at(paths, store), [ONE], after_days=days)
    with pytest.raises(UsageError, match="--older"):
        clean(at(paths, store), older_days=days)
