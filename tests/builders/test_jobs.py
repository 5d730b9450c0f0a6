"""How many compilers a build runs at once, and that each kind of build hears of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.builders.raw import built
from tests.builders.test_cross import MESON, plan_of, write
from workbench.builders.raw_wheel import admitted
from workbench.builders.workplace import Workplace
from workbench.memory import free, peaks
from workbench.memory.peaks import Peak
from workbench.plan.target import this_arch
from workbench.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.plan.plan import Plan

GB = 1_000_000_000


def test_compilers_are_capped_by_memory_as_recorded_stated_or_guessed(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(free, "available", lambda: 16 * GB * 20 // 19 + 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(64))
    cuda = plan_of(tmp_path / "demo", arch=this_arch(), compute="cu130", gpu=("sm_121",))
    plain = plan_of(tmp_path / "demo", arch=this_arch())

    def jobs(plan: Plan, asked: int | None = None, settings: Settings | None = None) -> int:
        with admitted(plan, paths, settings or Settings(), jobs=asked) as grant:
            return grant.jobs

    assert jobs(cuda) == 5
    assert jobs(cuda, 3) == 3
    assert jobs(plain) == 10
    assert jobs(replace(cuda, recipe=replace(cuda.recipe, memory_per_job=7))) == 2
    assert jobs(cuda, settings=Settings(max_memory=7)) == 2
    peaks.keep(cuda, paths, Peak(peak=4 * GB, largest=GB, jobs=4))
    assert jobs(cuda) == 15  # 4.4 GB for four, one more for each other
    other = replace(cuda, target=replace(cuda.target, python="3.12"))
    assert jobs(other) == 15  # what is known of another Python is more than a guess
    assert jobs(plain) == 10


@pytest.mark.needs("gcc")
def test_meson_is_told_how_many(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free, "available", lambda: 100 * GB)  # whatever else this machine does
    here = plan_of(write(tmp_path / "small", MESON, arch=this_arch()), arch=this_arch())
    built(here, paths, jobs=3)
    assert "ninja -j3" in Workplace.of(here, paths).log.read_text()
