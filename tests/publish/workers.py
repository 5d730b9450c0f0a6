"""Publishers in processes of their own, and the way to kill one before any of its effects."""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.forked import FORKSERVER
from tests.publish.sites import NOW, at, candidate
from workbench.paths import Paths
from workbench.publish.transaction import publish
from workbench.publish.withdraw import remove, yank
from workbench.store.folder import FolderStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EFFECTS = {"os.rename", "os.link", "os.remove", "os.truncate"}
WRITING = os.O_WRONLY | os.O_RDWR


def run_until(work: Callable[[Path, FolderStore], object], root: Path, effect: int) -> bool:
    """Do some work in a process that is killed (SIGKILL) before its `effect`-th change below `root`.

    Returns False when it ended before it came so far.
    """
    process = FORKSERVER.Process(target=_work, args=(work, root, effect))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode != 0


def _work(work: Callable[[Path, FolderStore], object], root: Path, effect: int) -> None:
    left = effect

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        opens_for_writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if (event in EFFECTS or opens_for_writing) and str(arguments[0]).startswith(str(root)):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    # the interpreter tells of every file that is opened for writing, renamed, linked or removed, before it is
    sys.addaudithook(watch)
    sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - open until the process ends
    work(root, FolderStore(root))


def publish_all(root: Path, store: FolderStore) -> None:
    wheels = root.parents[1]
    publish(
        at(Paths(root), store),
        [candidate(wheels, "demo", "1.0"), candidate(wheels, "demo", "2.0")],
    )


def publish_each(root: Path, store: FolderStore, prefix: str) -> None:
    for number in range(12):
        name = f"package-{number % 4}"
        publish(
            at(Paths(root), store),
            [candidate(root.parent / prefix, name, f"1.{number}+{prefix}")],
        )


def publish_same(root: Path, store: FolderStore, days: int) -> None:
    wheels = [
        candidate(root.parent / "same", f"package-{number}", now=NOW + timedelta(days=days))
        for number in range(6)
    ]
    publish(at(Paths(root), store), wheels)


def yank_all(root: Path, store: FolderStore) -> None:
    yank(at(Paths(root), store), ["demo-1.0-py3-none-any.whl"], reason="broken")


def remove_all(root: Path, store: FolderStore) -> None:
    remove(at(Paths(root), store), ["demo-1.0-py3-none-any.whl"], after_days=0)


def publish_second(root: Path, store: FolderStore) -> None:
    publish(at(Paths(root), store), [candidate(root.parents[1], "demo", "2.0")])
