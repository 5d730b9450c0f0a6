from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import pathlib
import resource
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.publish.sites import agreement, at, candidate, registry_of
from workbench.care.reconcile import reconcile
from workbench.errors import FilenameTaken, StoreError
from workbench.publish.transaction import publish
from workbench.store.folder import FolderStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.paths import Paths


KEY = "files/demo/demo-1.0-py3-none-any.whl"
SPAWN = multiprocessing.get_context("forkserver")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def test_what_was_created_is_read_again_as_it_was(store: FolderStore, tmp_path: Path) -> None:
    wheel = tmp_path / "demo.whl"
    wheel.write_bytes(b"wheel" * 1_000_000)
    assert store.read(KEY) is None
    assert store.create(KEY, wheel, sha256=sha256(wheel.read_bytes()))
    stored = store.read(KEY)
    assert stored is not None
    assert stored.content == wheel.read_bytes()
    assert store.check(KEY, sha256=sha256(wheel.read_bytes()), size=5_000_000) is None
    assert [(entry.key, entry.size) for entry in store.entries("files/")] == [(KEY, 5_000_000)]


def test_a_file_that_is_put_in_its_place_meanwhile_is_no_leftover(store: FolderStore, tmp_path: Path) -> None:
    store.replace("packages.json", b"{}", expected=None)
    incoming = tmp_path / "store/.workbench/incoming"
    for name in ("a", "b", "c"):
        (incoming / name).write_bytes(b"half")
    leftovers = store.leftovers()
    assert next(leftovers).key == "a"
    (incoming / "b").rename(tmp_path / "store" / "b")
    assert [leftover.key for leftover in leftovers] == ["c"]


def test_a_file_edited_after_it_was_published_leaves_the_published_one_alone(
    store: FolderStore, tmp_path: Path
) -> None:
    wheel = tmp_path / "demo.whl"
    wheel.write_bytes(b"before")
    store.create(KEY, wheel, sha256=sha256(b"before"))
    wheel.write_bytes(b"after!")
    assert store.check(KEY, sha256=sha256(b"before"), size=6) is None


def test_the_same_bytes_again_are_there_already(store: FolderStore) -> None:
    assert store.create(KEY, b"wheel", sha256=sha256(b"wheel"))
    assert not store.create(KEY, b"wheel", sha256=sha256(b"wheel"))


def test_other_bytes_are_refused_with_the_way_out(store: FolderStore) -> None:
    store.create(KEY, b"wheel", sha256=sha256(b"wheel"))
    with pytest.raises(FilenameTaken, match=r"demo-1\.0-py3-none-any\.whl.*--version-suffix"):
        store.create(KEY, b"other", sha256=sha256(b"other"))
    stored = store.read(KEY)
    assert stored is not None
    assert stored.content == b"wheel"


def test_a_wheel_that_changed_since_it_was_verified_is_not_published(store: FolderStore) -> None:
    with pytest.raises(StoreError, match="changed after it was verified"):
        store.create(KEY, b"tampered", sha256=sha256(b"verified"))
    assert store.read(KEY) is None


def test_a_key_is_replaced_only_in_the_version_that_was_read(store: FolderStore) -> None:
    assert store.replace("packages.json", b"1", expected=None)
    first = store.read("packages.json")
    assert first is not None
    assert not store.replace("packages.json", b"2", expected=None)
    assert store.replace("packages.json", b"2", expected=first.version)
    assert not store.replace("packages.json", b"3", expected=first.version)
    second = store.read("packages.json")
    assert second is not None
    assert second.content == b"2"


@pytest.mark.parametrize("key", ["../outside", "/etc/passwd", "files/../../outside", ""])
def test_no_key_leads_out_of_the_store(store: FolderStore, key: str) -> None:
    with pytest.raises(StoreError, match="not the key"):
        store.read(key)


@pytest.mark.parametrize("key", [KEY, "packages.json"])
def test_deleting_is_done_once_or_twice(store: FolderStore, key: str) -> None:
    store.create(key, b"x", sha256=sha256(b"x"))
    store.delete(key)
    store.delete(key)
    assert store.read(key) is None


def test_the_stores_own_corner_is_no_part_of_it(store: FolderStore) -> None:
    store.prepare()
    store.create(KEY, b"x", sha256=sha256(b"x"))
    assert store.replace("packages.json", b"1", expected=None)
    assert [entry.key for entry in store.entries("")] == [KEY, "packages.json"]


def count_up(store: FolderStore, times: int) -> None:
    for _ in range(times):
        while True:
            stored = store.read("counter")
            number = int(stored.content) if stored else 0
            if store.replace("counter", b"%d" % (number + 1), expected=stored.version if stored else None):
                break


def test_processes_that_replace_at_once_lose_no_update(store: FolderStore) -> None:
    workers = [SPAWN.Process(target=count_up, args=(store, 40)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    stored = store.read("counter")
    assert stored is not None
    assert stored.content == b"120"


def create_one(store: FolderStore, content: bytes, barrier: object) -> None:
    barrier.wait()  # type: ignore[attr-defined] # a Barrier, which has no public type
    try:
        store.create(KEY, content, sha256=sha256(content))
    except FilenameTaken:
        raise SystemExit(3) from None


def test_of_processes_that_create_the_same_key_one_wins(store: FolderStore) -> None:
    contents = [bytes([65 + number]) * 300_000 for number in range(4)]
    barrier = SPAWN.Barrier(4)
    workers = [SPAWN.Process(target=create_one, args=(store, content, barrier)) for content in contents]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(worker.exitcode or 0 for worker in workers) == [0, 3, 3, 3]
    stored = store.read(KEY)
    assert stored is not None
    assert stored.content in contents


def create_without_room(store: FolderStore, wheel: Path, message: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    try:
        store.create(KEY, wheel, sha256=sha256(wheel.read_bytes()))
    except StoreError as error:
        message.write_text(str(error))


def test_a_full_disk_is_one_message_and_leaves_nothing(store: FolderStore, tmp_path: Path) -> None:
    wheel, message = tmp_path / "demo.whl", tmp_path / "message"
    wheel.write_bytes(bytes(3_000_000))
    worker = SPAWN.Process(target=create_without_room, args=(store, wheel, message))
    worker.start()
    worker.join()
    assert "no room for it on the disk" in message.read_text()
    assert list(store.entries("")) == []
    assert list((tmp_path / "store/.workbench/incoming").iterdir()) == []
    assert store.create(KEY, wheel, sha256=sha256(wheel.read_bytes()))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of two megabytes of the test's own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a file system")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_what_a_full_disk_stopped_is_completed_when_there_is_room(
    small_disk: Path, paths: Paths, tmp_path: Path
) -> None:
    (paths.root / "workbench.yaml").write_text(f"store: {{folder: '{small_disk}/store'}}\n")
    store = FolderStore(small_disk / "store")
    publish(at(paths, store), [candidate(tmp_path, "demo", "1.0")])
    wheels = [candidate(tmp_path, "demo", f"2.{n}", content=os.urandom(600_000)) for n in range(4)]
    with pytest.raises(StoreError, match=r"no room for it on the disk.*run the same command again"):
        publish(at(paths, store), wheels)
    assert [path.name for path in (small_disk / "store/.workbench/incoming").iterdir()] == []
    assert agreement(store) == []
    assert reconcile(at(paths, store)).problems == ()
    subprocess.run(["mount", "-o", "remount,size=16m", small_disk], check=True)
    publish(at(paths, store), wheels)
    assert agreement(store) == []
    assert len(list(registry_of(store).wheels())) == 5


def test_a_file_system_without_hard_links_is_told_as_such(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM), str(self), None, str(target))

    monkeypatch.setattr(pathlib.Path, "hardlink_to", refuse)
    with pytest.raises(StoreError, match=r"no hard links.*another file system"):
        store.create(KEY, b"x", sha256=sha256(b"x"))
    assert list(store.entries("")) == []


def test_a_new_folder_is_on_the_disk_as_its_files_are(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: set[str] = set()
    fsync = os.fsync

    def note(descriptor: int) -> None:
        flushed.add(str(pathlib.Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    store.create(KEY, b"x", sha256=sha256(b"x"))
    folders = [tmp_path, tmp_path / "store", tmp_path / "store/files", tmp_path / "store/files/demo"]
    assert flushed >= set(map(str, folders))


def test_a_store_that_cannot_be_read_is_an_error_and_not_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "packages.json").mkdir()
    with pytest.raises(StoreError, match="Is a directory"):
        FolderStore(tmp_path).read("packages.json")


def test_others_may_read_a_store_whatever_the_users_umask_is(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        store = FolderStore(tmp_path / "new" / "store")
        store.prepare()
        store.create(KEY, b"wheel", sha256=sha256(b"wheel"))
        store.replace("packages.json", b"{}", expected=None)
    finally:
        os.umask(before)
    published = [
        *(tmp_path / "new" / "store" / "files").rglob("*"),
        tmp_path / "new" / "store" / "packages.json",
    ]
    modes = {
        path.name: path.stat().st_mode & 0o777 for path in (*published, tmp_path / "new" / "store" / "files")
    }
    assert modes == {"files": 0o755, "demo": 0o755, KEY.rpartition("/")[2]: 0o644, "packages.json": 0o644}
