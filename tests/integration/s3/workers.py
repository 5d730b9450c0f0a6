"""Publishers to S3 in processes of their own, and ways to kill them."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.integration.s3 import ceph
from tests.publish.sites import ONE, at, candidate
from workbench.care.reconcile import reconcile
from workbench.care.upkeep import clean
from workbench.errors import FilenameTaken
from workbench.publish.history import rollback
from workbench.publish.transaction import publish
from workbench.publish.withdraw import remove, yank
from workbench.store import multipart
from workbench.store.s3 import S3Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.settings import S3Settings

    Work = Callable[[Paths, S3Store, Path], None]


def _store(settings: S3Settings) -> S3Store:
    os.environ.update(AWS_ACCESS_KEY_ID=ceph.ACCESS_KEY, AWS_SECRET_ACCESS_KEY=ceph.SECRET_KEY)
    sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - open until the process ends
    return S3Store(settings)


def count_up(settings: S3Settings, times: int) -> None:
    store = _store(settings)
    for _ in range(times):
        while True:
            stored = store.read("counter")
            number = int(stored.content) if stored else 0
            if store.replace("counter", b"%d" % (number + 1), expected=stored.version if stored else None):
                break


def create_one(settings: S3Settings, key: str, content: bytes, barrier: Barrier) -> None:
    store = _store(settings)
    store.read(key)  # a connection, so that all begin at once
    barrier.wait()
    try:
        store.create(key, content, sha256=hashlib.sha256(content).hexdigest())
    except FilenameTaken:
        raise SystemExit(3) from None


def create_until_part(settings: S3Settings, key: str, path: Path, sha256: str, number: int) -> None:
    """Upload a file in parts, one after the other, and die before part `number`."""

    def watch(params: dict[str, Any], **_: object) -> None:
        if params["PartNumber"] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    multipart.PARALLEL = 1
    store = _store(settings)
    store.client.meta.events.register("provide-client-params.s3.UploadPart", watch)
    store.create(key, path, sha256=sha256)


class OneAtATime(S3Store):
    """A store that does one thing after the other, so that a number names one of its effects."""

    streams = 1


def work_until(paths: Paths, settings: S3Settings, work: Work, wheels: Path, effect: int) -> None:
    """Do some work and die before the `effect`-th request that changes something."""
    left = effect

    def watch(request: Any, **_: object) -> None:
        nonlocal left
        left -= request.method not in ("GET", "HEAD")
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    _store(settings)
    store = OneAtATime(settings, memory=wheels / "stores")
    store.client.meta.events.register("before-send.s3", watch)
    work(paths, store, wheels)


def publish_two(paths: Paths, store: S3Store, wheels: Path, *, version: str) -> None:
    publish(
        at(paths, store),
        [candidate(wheels, "demo", version), candidate(wheels, "demo", f"{version}+cu130")],
    )


def publish_large(paths: Paths, store: S3Store, wheels: Path, *, version: str) -> None:
    """Publish a wheel that goes up in three parts, one after the other."""
    multipart.PARALLEL, multipart.PART, multipart.THRESHOLD = 1, 5 << 20, 10 << 20
    publish(at(paths, store), [candidate(wheels, "large", version)])


def yank_one(paths: Paths, store: S3Store, _: Path) -> None:
    yank(at(paths, store), [ONE], reason="broken")


def remove_one(paths: Paths, store: S3Store, _: Path) -> None:
    remove(at(paths, store), [ONE], after_days=0)


def roll_back(paths: Paths, store: S3Store, _: Path) -> None:
    rollback(at(paths, store), 1)


def clean_up(paths: Paths, store: S3Store, _: Path) -> None:
    clean(at(paths, store), apply=True, now=datetime.now(UTC) + timedelta(days=9))


def heal(paths: Paths, store: S3Store, _: Path) -> None:
    reconcile(at(paths, store))


def publish_many(paths: Paths, settings: S3Settings, wheels: Path, local: str, barrier: Barrier) -> None:
    """Publish 50 wheels of 10 packages, five at a time."""
    store = _store(settings)
    every = [candidate(wheels, f"package-{n % 10}", f"1.{n // 10}+{local}") for n in range(50)]
    barrier.wait()
    for first in range(0, 50, 5):
        publish(at(paths, store), every[first : first + 5])
