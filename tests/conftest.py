"""What every test shares: programs that may be missing, and sites of their own."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from workbench.console import listening
from workbench.paths import Paths
from workbench.process import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


CI = os.environ.get("CI") == "true"

os.environ["PATH"] = environment()["PATH"]
"""The programs of the workbench's own environment are there for tests that start them themselves."""

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
"""With it every process of a test would compile what it imports anew: three quarters of its time."""

for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        # a shell starts what it runs in the background so, nohup what it runs, and no child would ever hear of them
        signal.signal(number, handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose programs are missing, with the reason; under CI that is a failure."""
    import shutil

    path = environment()["PATH"]
    for marker in item.iter_markers("needs"):
        missing = [program for program in marker.args if shutil.which(program, path=path) is None]
        if missing:
            why = (
                f"{', '.join(missing)} not on this machine: .ci/setup installs what the tests need, and "
                "tests/fleet/setup what those of SSH and Slurm need besides (root, Debian)"
            )
            if CI:
                pytest.fail(why, pytrace=False)
            pytest.skip(why)
    for marker in item.iter_markers("long"):
        if not CI:
            pytest.skip(f"{marker.args[0]}: CI=true runs it")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each worker begin with what takes longest: xdist cuts the list into a piece for each, of one length."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in items if item.get_closest_marker("long")]
    rest = [item for item in items if not item.get_closest_marker("long")]
    pieces: list[pytest.Item] = []
    for worker in range(workers):
        first = long[worker::workers]
        others = max(0, (len(items) - len(pieces)) // (workers - worker) - len(first))
        pieces += [*first, *rest[:others]]
        rest = rest[others:]
    items[:] = [*pieces, *rest]


@pytest.fixture(autouse=True)
def _listening() -> Iterator[None]:
    """What a test's code tells of is shown, as it is where a verb runs it."""
    with listening():
        yield


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """Return an empty site of the test's own."""
    root = tmp_path / "site"
    (root / "recipes").mkdir(parents=True)
    (root / "patches").mkdir()
    monkeypatch.setenv("WORKBENCH_SITE", str(root))
    return Paths(root)
