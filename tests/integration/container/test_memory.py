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

    from workbench.container.engine import Engine

pytestmark = pytest.mark.needs("podman")

MB = 1_000_000

TAKES = "import time; first = b'x' * 50_000_000; time.sleep(4); second = b'y' * 100_000_000; time.sleep(1)"


@pytest.mark.parametrize("limit", [None, 100 * MB], ids=["free", "limited"])
def test_a_container_is_measured_and_limited(
    engine: Engine, image: Callable[..., str], tmp_path: Path, limit: int | None
) -> None:
    name = f"{tmp_path.name}-{limit}"
    limits = [f"--memory={limit}", f"--memory-swap={limit}"] if limit else []
    create = [engine.name, "run", "--rm", "--network=none", f"--label=test={name}", *limits]
    with build_group() as group:
        group.includes(partial(groups_of_containers, engine, f"test={name}"))
        words = [*create, image("x86_64"), "/usr/bin/python3", "-c", TAKES]
        done = run(words, log=tmp_path / "log", group=group, check=False)
    if not group.apart:
        pytest.skip("the engine makes no control groups here")
    assert (done.status != 0, group.killed) == (bool(limit), bool(limit))
    if not limit:
        assert 150 * MB < group.peak < 250 * MB
        assert 150 * MB < group.largest < 200 * MB
