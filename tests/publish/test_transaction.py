from __future__ import annotations

import dataclasses
import hashlib
import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.forked import FORKSERVER
from tests.publish.sites import NOW, agreement, at, candidate, dead_links, filenames, page, registry_of
from tests.publish.workers import publish_all, publish_each, publish_same, run_until
from workbench.care.reconcile import reconcile
from workbench.care.upkeep import clean
from workbench.errors import FilenameTaken, RegistryError, StoreError
from workbench.paths import Paths
from workbench.publish.amend import amend
from workbench.publish.history import rollback
from workbench.publish.transaction import publish
from workbench.publish.withdraw import remove, yank
from workbench.registry.file import dumps, loads
from workbench.store.folder import FolderStore
from workbench.store.layout import headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.store.protocol import Content, Listed


@pytest.fixture
def store(paths: Paths) -> FolderStore:
    return FolderStore(paths.root)


def snapshot(store: FolderStore) -> list[Listed]:
    return [entry for entry in store.entries("") if not entry.key.endswith("/.lock")]


def test_a_published_wheel_is_in_store_registry_and_pages(
    paths: Paths, store: FolderStore, tmp_path: Path
) -> None:
    wheel = candidate(tmp_path, "demo", "1.0+cu130")
    published = publish(at(paths, store), [wheel])
    assert published.generation == 1
    assert agreement(store) == []
    assert [w.filename for _, w in registry_of(store).wheels()] == [wheel.path.name]
    assert registry_of(store).change == f"publish {wheel.path.name}"
    record = store.read(f"records/demo/{wheel.path.name}.json")
    assert record is not None
    assert loads(record.content, where="record").find(wheel.path.name) == ("demo", wheel.wheel)


def test_publishing_again_changes_nothing_and_says_so(
    paths: Paths, store: FolderStore, tmp_path: Path
) -> None:
    publish(at(paths, store), [candidate(tmp_path)])
    before = snapshot(store)
    again = publish(at(paths, store), [candidate(tmp_path, now=NOW + timedelta(days=1))])
    assert again.plan.is_done
    assert again.generation == 1
    assert "published already" in again.lines()[0]
    assert snapshot(store) == before


def test_a_dry_run_changes_nothing_and_tells_what_the_run_then_does(
    paths: Paths, store: FolderStore, tmp_path: Path
) -> None:
    wheel = candidate(tmp_path)
    dry = publish(at(paths, store), [wheel], dry_run=True)
    assert list(store.entries("")) == []
    assert dry.lines()[0].startswith(f"create files/demo/{wheel.path.name} ")
    wet = publish(at(paths, store), [wheel])
    assert wet.plan == dry.plan
    for write in wet.plan.wheels[0].writes:
        assert store.read(write.key) is not None


def test_a_filename_keeps_its_bytes_even_after_it_was_lost_from_the_registry(
    paths: Paths, store: FolderStore, tmp_path: Path
) -> None:
    publish(at(paths, store), [candidate(tmp_path / "a")])
    other = candidate(tmp_path / "b", content=b"answer = 43\n")
    with pytest.raises(FilenameTaken, match="--version-suffix"):
        publish(at(paths, store), [other])
    stored = store.read("packages.json")
    assert stored is not None
    registry = registry_of(store)
    emptied = dumps(registry.without_wheel("demo", other.wheel.filename)).encode()
    store.replace("packages.json", emptied, expected=stored.version)
    with pytest.raises(FilenameTaken, match="--version-suffix"):
        publish(at(paths, store), [other])


def test_one_refused_wheel_keeps_the_others_out(paths: Paths, store: FolderStore, tmp_path: Path) -> None:
    publish(at(paths, store), [candidate(tmp_path / "a")])
    taken = candidate(tmp_path / "b", content=b"answer = 4_3\n")
    with pytest.raises(FilenameTaken):
        publish(at(paths, store), [candidate(tmp_path, "other"), taken])
    assert list(registry_of(store).packages) == ["demo"]
    assert agreement(store) == []


def test_other_publishers_wheels_and_yanks_stay(paths: Paths, store: FolderStore, tmp_path: Path) -> None:
    first = candidate(tmp_path, version="1.0")
    publish(at(paths, store), [first])
    stored = store.read("packages.json")
    assert stored is not None
    yanked = dataclasses.replace(first.wheel, yanked="broken")
    marked = dumps(registry_of(store).with_wheel("demo", yanked)).encode()
    store.replace("packages.json", marked, expected=stored.version)
    publish(at(paths, store), [first, candidate(tmp_path, version="1.1")])
    assert [wheel.yanked for _, wheel in registry_of(store).wheels()] == ["broken", None]


def test_a_missing_file_of_a_registered_wheel_is_put_back(
    paths: Paths, store: FolderStore, tmp_path: Path
) -> None:
    wheel = candidate(tmp_path)
    publish(at(paths, store), [wheel])
    store.delete(wheel.wheel.url)
    assert dead_links(store)
    publish(at(paths, store), [wheel])
    assert agreement(store) == []


def test_a_lost_registry_is_not_taken_for_an_empty_one(
    paths: Paths, store: FolderStore, tmp_path: Path
) -> None:
    publish(at(paths, store), [candidate(tmp_path)])
    store.delete("packages.json")
    with pytest.raises(RegistryError, match=r"invoke store.reconcile.*--allow-shrink"):
        publish(at(paths, store), [candidate(tmp_path, "other")])
    publish(at(paths, store), [candidate(tmp_path, "other")], may_shrink=True)
    assert list(registry_of(store).packages) == ["other"]


def test_a_store_that_is_behind_the_checkout_is_not_published_to(paths: Paths, tmp_path: Path) -> None:
    (paths.root / "workbench.yaml").write_text("store: {folder: ../elsewhere}\n")
    elsewhere = FolderStore(tmp_path / "elsewhere")
    publish(at(paths, elsewhere), [candidate(tmp_path)])
    assert paths.registry.read_bytes() == (tmp_path / "elsewhere/packages.json").read_bytes()
    wrong = FolderStore(tmp_path / "wrong")
    with pytest.raises(RegistryError, match=r"is this the right store\?"):
        publish(at(paths, wrong), [candidate(tmp_path, "other")])
    assert list(wrong.entries("")) == []


def test_no_change_of_another_store_replaces_the_registry_of_the_sites_own(
    paths: Paths, tmp_path: Path
) -> None:
    publish(at(paths, FolderStore(paths.root)), [candidate(tmp_path)])
    own = paths.registry.read_bytes()
    elsewhere = Paths(tmp_path / "elsewhere")
    other = FolderStore(elsewhere.root)
    for version in ("7.0", "7.1", "7.2"):
        publish(at(elsewhere, other), [candidate(tmp_path, version=version)])
    wheel = "demo-7.0-py3-none-any.whl"
    changes: tuple[Callable[[], object], ...] = (
        lambda: publish(at(paths, other), [candidate(tmp_path, "other")]),
        lambda: yank(at(paths, other), [wheel]),
        lambda: remove(at(paths, other), [wheel]),
        lambda: rollback(at(paths, other), 1),
        lambda: reconcile(at(paths, other)),
        lambda: clean(at(paths, other), apply=True),
    )
    for change in changes:
        with pytest.raises(RegistryError, match=r"demo-1\.0.*is this the right store\?"):
            change()
    assert paths.registry.read_bytes() == own
    assert registry_of(other).generation == 3


def test_a_copy_from_before_a_rollback_is_of_the_same_store(paths: Paths, tmp_path: Path) -> None:
    store, elsewhere = FolderStore(tmp_path / "elsewhere"), Paths(tmp_path / "another")
    for version in ("1.0", "1.1"):
        publish(at(paths, store), [candidate(tmp_path, version=version)])
    rollback(at(elsewhere, store), 1)
    yank(at(paths, store), ["demo-1.0-py3-none-any.whl"])
    assert paths.registry.read_bytes() == (tmp_path / "elsewhere/packages.json").read_bytes()


def test_a_store_that_loses_what_it_was_given_is_found_out(paths: Paths, tmp_path: Path) -> None:
    class Forgetful(FolderStore):
        def create(self, key: str, *arguments: object, **named: object) -> bool:  # noqa: ARG002 - it forgets
            return True

    store = Forgetful(paths.root)
    with pytest.raises(StoreError, match="is not there, just after it was written"):
        publish(at(paths, store), [candidate(tmp_path)])
    assert not paths.registry.exists()


def test_a_wheel_that_was_written_over_since_it_was_verified_is_not_published(
    paths: Paths, store: FolderStore, tmp_path: Path
) -> None:
    wheel = candidate(tmp_path)
    wheel.path.write_bytes(bytes(wheel.wheel.size))
    with pytest.raises(StoreError, match="changed after it was verified"):
        publish(at(paths, store), [wheel])
    assert list(store.entries("files/")) == []


def test_a_wheel_that_is_written_over_while_it_goes_up_does_not_stay(paths: Paths, tmp_path: Path) -> None:
    class Trusting(FolderStore):
        """Takes what it is sent for what it was said to be, as some S3 stores do."""

        def create(self, key: str, content: Content, **named: Any) -> bool:
            if isinstance(content, Path):
                content.write_bytes(bytes(wheel.wheel.size))
                named["sha256"] = hashlib.sha256(content.read_bytes()).hexdigest()
            return super().create(key, content, **named)

    wheel = candidate(tmp_path)
    with pytest.raises(StoreError, match="changed after it was verified"):
        publish(at(paths, Trusting(paths.root)), [wheel])
    assert filenames(FolderStore(paths.root)) == []
    assert FolderStore(paths.root).read(wheel.wheel.url) is None


def test_attestations_lie_beside_their_wheel_and_come_before_its_record(paths: Paths, tmp_path: Path) -> None:
    class Noting(FolderStore):
        def create(self, key: str, content: Content, **named: Any) -> bool:
            created.append(key)
            return super().create(key, content, **named)

    created: list[str] = []
    (paths.root / "workbench.yaml").write_text("public_url: https://wheels.example.com/\n")
    store = Noting(paths.root)
    wheel = dataclasses.replace(candidate(tmp_path, "demo", "1.0+cu130"), provenance=b'{"version": 1}')
    publish(at(paths, store), [wheel])
    key = f"{wheel.wheel.url}.provenance"
    assert created[:4] == [
        wheel.wheel.url,
        f"{wheel.wheel.url}.metadata",
        key,
        f"records/demo/{wheel.path.name}.json",
    ]
    stored = store.read(key)
    assert stored is not None
    assert stored.content == b'{"version": 1}'
    url = "https://wheels.example.com/files/demo/demo-1.0%2Bcu130-py3-none-any.whl.provenance"
    assert registry_of(store).packages["demo"].wheels[0].provenance == url
    assert url in page(store)
    assert headers(key).content_type == "application/vnd.pypi.integrity.v1+json"

    store.delete(key)
    assert key in reconcile(at(paths, store)).problems[0]
    publish(at(paths, store), [wheel])
    assert reconcile(at(paths, store)).problems == ()
    remove(at(paths, store), [wheel.path.name], after_days=0)
    assert list(store.entries("files/")) == []


def test_a_record_keeps_its_upload_time(paths: Paths, store: FolderStore, tmp_path: Path) -> None:
    publish(at(paths, store), [candidate(tmp_path)])
    store.delete("packages.json")
    publish(
        at(paths, store),
        [candidate(tmp_path, now=NOW + timedelta(days=9))],
        may_shrink=True,
    )
    ((_, wheel),) = registry_of(store).wheels()
    assert wheel.upload_time == "2026-11-21T12:00:00Z"


def test_a_publisher_killed_at_any_point_leaves_a_store_that_publishing_again_completes(
    quick_path: Path,
) -> None:
    for version in ("1.0", "2.0"):
        candidate(quick_path, "demo", version)
    for effect in range(1, 200):
        root = quick_path / str(effect) / "site"
        root.mkdir(parents=True)
        store = FolderStore(root)
        publish(
            at(Paths(root), store),
            [candidate(quick_path, "demo", "0.9"), candidate(quick_path, "other")],
        )
        killed = run_until(publish_all, root, effect)
        assert dead_links(store) == [], f"after effect {effect}"
        healed = root.parent / "healed"
        shutil.copytree(root, healed)
        assert reconcile(at(Paths(healed), FolderStore(healed))).problems == (), f"after effect {effect}"
        assert agreement(FolderStore(healed)) == [], f"after effect {effect}"
        for place in (root, healed):
            publish_all(place, FolderStore(place))
            assert agreement(FolderStore(place)) == [], f"after effect {effect}"
            assert len(list(registry_of(FolderStore(place)).wheels())) == 4
        assert registry_of(store).generation == 2
        if not killed:
            assert effect > 20
            return
    pytest.fail("it never came to an end")


def test_two_publishers_at_once_lose_nothing(paths: Paths, store: FolderStore) -> None:
    workers = [
        FORKSERVER.Process(target=publish_each, args=(paths.root, store, prefix)) for prefix in ("a", "b")
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(list(registry_of(store).wheels())) == 24
    assert registry_of(store).generation == 24
    assert agreement(store) == []


def test_two_publishers_of_the_same_wheels_both_succeed(paths: Paths, store: FolderStore) -> None:
    for number in range(6):
        candidate(paths.root.parent / "same", f"package-{number}")
    workers = [FORKSERVER.Process(target=publish_same, args=(paths.root, store, days)) for days in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(list(registry_of(store).wheels())) == 6
    assert agreement(store) == []


def test_a_wheel_that_is_registered_elsewhere_is_not_sent(
    paths: Paths, store: FolderStore, tmp_path: Path
) -> None:
    made = candidate(tmp_path)
    elsewhere = dataclasses.replace(made.wheel, url="https://example.com/demo-1.0-py3-none-any.whl")
    package = dataclasses.replace(made.package, wheels=(elsewhere,))
    amend(store, lambda registry: registry.with_package("demo", package), "import a registry")
    assert publish(at(paths, store), [made]).plan.is_done
    assert list(store.entries("files/")) == []
