"""What goes wrong from outside: a kill, Ctrl-C, two at once. Nothing is lost, and the same command completes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.forked import invoke
from tests.pipes import read_by_somebody
from workbench.builders.workplace import Workplace
from workbench.evidence.notes import log_of
from workbench.make.build import build_wheel
from workbench.make.request import Request, plans
from workbench.paths import CHECKOUT
from workbench.process import environment
from workbench.registry.file import load
from workbench.repair.repair import Repaired, repair
from workbench.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verbs.conftest import Demo


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT), *words],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_release_that_was_ended_is_completed_by_the_same_command(
    demo: Demo, sent: signal.Signals, status: int
) -> None:
    late = demo.paths.cache / "late.h"
    late.parent.mkdir()
    os.mkfifo(late)
    text = demo.recipe.read_text()
    demo.recipe.write_text(
        text.replace("    smoke", f'    environment={{"CFLAGS": "-include {late}"}},\n    smoke')
    )
    with start("release", "demo") as process, read_by_somebody(late):  # by the compiler
        process.send_signal(sent)
        _, said = process.communicate()
    late.unlink()
    late.touch()
    assert process.returncode == status
    assert "Traceback" not in said
    assert not demo.wheels()
    assert not demo.paths.registry.exists()

    completed = invoke("release", "demo")
    assert completed.status == 0, completed.stderr
    assert len(list(load(demo.paths.registry).wheels())) == 1


def test_two_builds_of_one_plan_do_not_meet(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not while one repairs its wheel either: the other would clear that away, and the log with it."""
    met = []

    def repair_while_another_begins(wheel: Path, into: Path, **options: Any) -> Repaired:
        met.append(invoke("build", "demo"))
        return repair(wheel, into, **options)

    monkeypatch.setattr("workbench.make.build.repair", repair_while_another_begins)
    (plan,) = plans(Request(name="demo"), demo.paths, read_settings(demo.paths)).plans
    made = build_wheel(plan, demo.paths, read_settings(demo.paths))
    (refused,) = met
    assert refused.status == 2
    assert "is under way in another process" in refused.stderr
    assert "demo.c" in (log_of(made.path) or b"").decode()


def test_what_another_process_builds_by_now_is_not_cleared_away(demo: Demo) -> None:
    (plan,) = plans(Request(name="demo"), demo.paths, read_settings(demo.paths)).plans
    place = Workplace.of(plan, demo.paths)
    with place.opened(demo.paths):
        Workplace.of(plan, demo.paths).clear()
        assert (place.tree / "demo.c").exists()
    place.clear()
    assert not place.tree.exists()


def test_a_damaged_wheel_is_not_published(demo: Demo) -> None:
    assert invoke("build", "demo").status == 0
    (wheel,) = demo.wheels()
    wheel.write_bytes(wheel.read_bytes()[:-300])
    refused = invoke("upload", wheel)
    assert refused.status == 11, refused.stderr
    assert not demo.paths.registry.exists()


def test_a_folder_that_cannot_be_written_is_named(demo: Demo) -> None:
    demo.paths.state.write_text("a file where a folder belongs")
    refused = invoke("build", "demo")
    assert refused.status == 1
    assert str(demo.paths.state) in refused.stderr
    assert "Traceback" not in refused.stderr
