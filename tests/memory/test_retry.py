"""A build that memory kills is tried once more with half the compilers, and the next build of it knows better."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.builders.test_host import plan_of
from workbench.build_group import BuildGroup, why_not
from workbench.builders.raw_wheel import build_raw
from workbench.builders.workplace import Workplace
from workbench.errors import BuildFailed
from workbench.memory import peaks
from workbench.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.builders.raw_wheel import RawWheel
    from workbench.paths import Paths
    from workbench.plan.plan import Plan

COUNT = 3

COMPILER = """
import os, pathlib, sys, time

def will_take(unit):
    if unit.with_suffix(".taken").exists() or unit.with_suffix(".seen").exists():
        return False
    try:
        os.kill(int(unit.read_text() or os.getpid()), 0)
    except ProcessLookupError:
        return False
    return True

out = pathlib.Path(sys.argv[1])
out.with_suffix(".seen").unlink(missing_ok=True)
out.write_text(str(os.getpid()))
together = min({count}, int(os.environ["MAX_JOBS"]))
while len([*out.parent.glob("*.o")]) < together:
    time.sleep(0.01)
taken = b"x" * {size}
out.with_suffix(".taken").touch()
while not out.with_suffix(".seen").exists() or together > 1 and any(map(will_take, out.parent.glob("*.o"))):
    time.sleep(0.01)
"""
"""Holds its memory until it was measured, and until all others that may run at once have taken theirs or died."""

NINJA = "rule take\n  command = python compiler.py $out\n" + "".join(
    f"build {i}.o: take\n" for i in range(COUNT)
)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no other build of this machine count towards the site's gigabyte."""
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))


real = pytest.mark.skipif(bool(why_not()), reason=f"no control group can be made here: {why_not()}")


def heavy(tmp_path: Path, size: int) -> Plan:
    """Plan a package with three units, each of which takes so many bytes, though its recipe says a tenth.

    It runs the very Ninja with a number of its own, so that no jobserver spares it.
    """
    script = (
        f"open('compiler.py', 'w').write({COMPILER.format(size=size, count=COUNT)!r}), "
        f"open('build.ninja', 'w').write({NINJA!r}), "
        "subprocess.run([sys.prefix + '/bin/ninja', '-j', os.environ['MAX_JOBS']], check=True)"
    )
    plan = plan_of(tmp_path, before=f"import subprocess, sys; {script}", requires=("ninja>=1.13",))
    return replace(plan, recipe=replace(plan.recipe, memory_per_job=size / 1e10))


def build(plan: Plan, paths: Paths, jobs: int = COUNT) -> RawWheel:
    """Build a plan, and let its compilers know that they were measured."""
    place = Workplace.of(plan, paths)
    look = BuildGroup._look

    def look_and_tell(group: BuildGroup) -> None:
        taken = [*place.tree.glob("*.taken")]
        group._sample()
        look(group)
        for each in taken:
            each.rename(each.with_suffix(".seen"))

    with pytest.MonkeyPatch.context() as patch, place.opened(paths):
        patch.setattr(BuildGroup, "_look", look_and_tell)
        return build_raw(place, paths, Settings(max_memory=1), jobs=jobs)


@real
def test_the_second_build_of_a_recipe_is_not_killed(
    paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = heavy(tmp_path, 450_000_000)
    first = build(plan, paths)
    said = capsys.readouterr().err
    assert "memory ran out: once more with 1 job instead of 3" in said
    assert first.took.killed
    assert (first.took.jobs, 450_000_000 < first.took.peak < 600_000_000) == (1, True)
    recorded = peaks.recorded(plan, paths)
    assert recorded == replace(first.took, killed=False)

    second = build(plan, paths)
    assert "once more" not in capsys.readouterr().err
    assert not second.took.killed
    assert second.took.peak < 1_000_000_000


@real
def test_one_that_is_killed_with_one_compiler_at_work_is_not_tried_again(
    paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = heavy(tmp_path, 1_200_000_000)
    with pytest.raises(BuildFailed, match="memory ran out with a single compiler at work"):
        build(plan, paths, jobs=1)
    assert "once more" not in capsys.readouterr().err
    recorded = peaks.recorded(plan, paths)
    assert recorded
    assert recorded.killed
