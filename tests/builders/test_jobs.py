"""How many compilers a build runs at once, and that each kind of build hears of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.builders.raw import built
from tests.builders.test_cross import MESON, plan_of, write
from workbench.builders import memory
from workbench.builders.raw_wheel import jobs_of
from workbench.builders.workplace import Workplace
from workbench.plan.target import this_arch

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths


def test_compilers_for_cuda_are_capped_by_memory_though_a_recipe_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available", lambda: 16 * 10**9)
    cuda = plan_of(tmp_path / "demo", arch=this_arch(), compute="cu130", gpu=("sm_121",))
    plain = plan_of(tmp_path / "demo", arch=this_arch())
    assert jobs_of(cuda, 64) == 5
    assert jobs_of(plain, 64) == 64
    assert jobs_of(replace(cuda, recipe=replace(cuda.recipe, memory_per_job=8)), 64) == 2


@pytest.mark.needs("gcc")
def test_meson_is_told_how_many(paths: Paths, tmp_path: Path) -> None:
    here = plan_of(write(tmp_path / "small", MESON, arch=this_arch()), arch=this_arch())
    built(here, paths, jobs=3)
    assert "ninja -j3" in Workplace.of(here, paths).log.read_text()
