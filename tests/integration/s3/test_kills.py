"""Processes that are killed before each of their effects in turn, and the bucket that they leave."""

from __future__ import annotations

import os
import signal
import zipfile
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.forked import FORKSERVER
from tests.integration.s3.conftest import describe, store_of
from tests.integration.s3.workers import (
    clean_up,
    heal,
    publish_large,
    publish_two,
    remove_one,
    roll_back,
    work_until,
    yank_one,
)
from tests.publish.sites import (
    ONE,
    TWO,
    agreement,
    at,
    begin_deletion,
    candidate,
    dead_links,
    filenames,
    overwrite,
    registry_of,
)
from workbench.care.reconcile import reconcile
from workbench.errors import UsageError
from workbench.paths import Paths
from workbench.publish.transaction import publish
from workbench.publish.withdraw import remove, yank
from workbench.store import multipart

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.s3.workers import Work
    from workbench.paths import Paths
    from workbench.store.s3 import S3Store


@pytest.fixture
def place(bucket_paths: Paths, store: S3Store) -> tuple[Paths, S3Store]:
    """Return a site and its store, without pages for people, which are as many again."""
    settings = store.settings
    describe(bucket_paths, bucket=settings.bucket, endpoint=str(settings.endpoint), people=False)
    paths = bucket_paths
    return paths, store_of(paths)


def killed(paths: Paths, store: S3Store, work: Work, wheels: Path, effect: int) -> bool:
    """Do some work in a process that is killed before its `effect`-th change; False when it came to its end."""
    process = FORKSERVER.Process(target=work_until, args=(paths, store.settings, work, wheels, effect))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode != 0


def empty(paths: Paths, store: S3Store) -> None:
    """Delete all that a bucket holds, and the site's copy of the registry."""
    bucket = {"Bucket": store.settings.bucket}
    if held := store.client.list_objects_v2(**bucket).get("Contents"):
        store.client.delete_objects(**bucket, Delete={"Objects": [{"Key": each["Key"]} for each in held]})
    paths.registry.unlink(missing_ok=True)


@pytest.mark.parametrize("healed", [False, True])
@pytest.mark.parametrize("first", [1, 2])
def test_a_publisher_killed_before_any_effect_leaves_a_bucket_that_publishing_again_completes(
    place: tuple[Paths, S3Store], tmp_path: Path, first: int, *, healed: bool
) -> None:
    paths, store = place
    work = partial(publish_two, version="1.0")
    for effect in range(first, 200, 2):
        empty(paths, store)  # what each finds is as small as can be
        publish(at(paths, store), [candidate(tmp_path, "demo", "0.9")])
        was_killed = killed(paths, store, work, tmp_path, effect)
        assert dead_links(store) == [], f"before effect {effect}"
        if healed:
            assert reconcile(at(paths, store)).problems == (), f"before effect {effect}"
            assert agreement(store) == [], f"before effect {effect}"
        work(paths, store, tmp_path)
        assert agreement(store) == [], f"before effect {effect}"
        assert len(filenames(store)) == 3
        if not was_killed:
            assert effect > 15
            return
    pytest.fail("it never came to an end")


def test_a_publisher_of_a_large_wheel_killed_before_any_effect_is_gone_on_from(
    place: tuple[Paths, S3Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("PARALLEL", 1), ("PART", 5 << 20), ("THRESHOLD", 10 << 20)):
        monkeypatch.setattr(multipart, name, value)
    paths, store = place
    content = os.urandom(11 << 20)
    for effect in range(1, 100):
        candidate(tmp_path, "large", f"1.{effect}", content=content, method=zipfile.ZIP_STORED)
        work = partial(publish_large, version=f"1.{effect}")
        was_killed = killed(paths, store, work, tmp_path, effect)
        assert reconcile(at(paths, store)).problems == (), f"before effect {effect}"
        work(paths, store, tmp_path)
        assert dead_links(store) == [], f"before effect {effect}"
        assert len(filenames(store)) == effect
        if not was_killed:
            assert effect > 15
            assert agreement(store) == []
            return
    pytest.fail("it never came to an end")


def something_to_take_back(paths: Paths, store: S3Store, wheels: Path) -> None:
    publish(at(paths, store), [candidate(wheels, "demo", "1.0")])
    publish(at(paths, store), [candidate(wheels, "demo", "2.0")])
    yank(at(paths, store), [ONE], reason=None)


def something_to_clean_up(paths: Paths, store: S3Store, wheels: Path) -> None:
    something_to_take_back(paths, store, wheels)
    remove(at(paths, store), [ONE], after_days=1)
    stray = candidate(wheels, "demo", "9.0")
    store.create(stray.wheel.url, stray.path, sha256=stray.wheel.sha256)


def something_to_heal(paths: Paths, store: S3Store, wheels: Path) -> None:
    something_to_take_back(paths, store, wheels)
    publish(at(paths, store), [candidate(wheels, "demo", "3.0")])
    remove(at(paths, store), ["demo-3.0-py3-none-any.whl"], after_days=1)
    begin_deletion(store, "demo-3.0-py3-none-any.whl")
    overwrite(store, registry_of(store).without_wheel("demo", TWO))
    store.delete(f"records/demo/{ONE}.json")


@pytest.mark.parametrize(
    ("prepare", "work"),
    [
        (something_to_take_back, yank_one),
        (something_to_take_back, remove_one),
        (something_to_take_back, roll_back),
        (something_to_clean_up, clean_up),
        (something_to_heal, heal),
    ],
    ids=["yank", "remove", "rollback", "store.clean", "reconcile"],
)
def test_a_verb_killed_before_any_effect_leaves_a_bucket_that_is_healed_and_the_verb_repeated(
    place: tuple[Paths, S3Store], tmp_path: Path, prepare: Work, work: Work
) -> None:
    paths, store = place
    for effect in range(1, 100):
        prepare(paths, store, tmp_path)
        was_killed = killed(paths, store, work, tmp_path, effect)
        assert dead_links(store) == [], f"before effect {effect}"
        assert reconcile(at(paths, store)).problems == (), f"before effect {effect}"
        assert agreement(store) == [], f"before effect {effect}"
        with suppress(UsageError):  # the wheel may be gone already
            work(paths, store, tmp_path)
        assert agreement(store) == [], f"before effect {effect}"
        if not was_killed:
            assert effect > 5
            return
    pytest.fail("it never came to an end")
