"""What runs in a container is measured and limited in the control group that its engine makes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from workbench.build_group import build_group
from workbench.container.cibw import groups_of_containers
from workbench.process import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workbench.cgroup import ControlGroup
    from workbench.container.engine import Engine

pytestmark = pytest.mark.needs("podman")

MB = 1_000_000

TAKES = """\
import os, sys, time

first = b"x" * 50_000_000
until = time.monotonic() + 60
while not os.path.exists("/seen/container"):
    if time.monotonic() > until:
        sys.exit("the container is not seen")
    time.sleep(0.01)
second = b"y" * 100_000_000
while not os.path.exists("/seen/memory"):
    time.sleep(0.01)
"""
HELD = (
    'python3 -c "$0"; status=$?; while [ -e /seen/container -a ! -e /seen/memory ]; do sleep 0.01; done; '
    "exit $status"
)
"""Keeps the container when what takes the memory is killed: its control group, which tells of that, goes with it."""


@pytest.mark.parametrize("limit", [None, 100 * MB], ids=["free", "limited"])
def test_a_container_is_measured_and_limited(
    engine: Engine, image: Callable[..., str], tmp_path: Path, limit: int | None
) -> None:
    name = f"{tmp_path.name}-{limit}"
    limits = [f"--memory={limit}", f"--memory-swap={limit}"] if limit else []
    seen = tmp_path / "seen"
    seen.mkdir()

    def told(used: int, groups: tuple[ControlGroup, ...]) -> None:
        if len(groups) > 1:  # the engine's own, and the container's
            (seen / "container").touch()
        if used > 150 * MB or group.killed:
            (seen / "memory").touch()

    options = ["--rm", "--network=none", f"--label=test={name}", f"--volume={seen}:/seen", *limits]
    with build_group(told=told) as group:
        group.includes(partial(groups_of_containers, engine, f"test={name}"))
        words = [engine.name, "run", *options, image("x86_64"), "/bin/sh", "-c", HELD, TAKES]
        # podman's monitor leaves a file named oom where it stands
        done = run(words, cwd=tmp_path, log=tmp_path / "log", group=group, check=False, timeout=300)
    if not group.apart:
        pytest.skip("the engine makes no control groups here")
    assert (done.status != 0, group.killed) == (bool(limit), bool(limit))
    if not limit:
        assert 150 * MB < group.peak < 250 * MB
        assert 150 * MB < group.largest < 200 * MB
