"""Real Ninja and real GNU Make take their jobs from a build's own jobserver, whatever number they are told."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.builders.raw import built
from tests.builders.test_host import plan_of
from workbench.builders.workplace import Workplace
from workbench.memory import free, jobserver
from workbench.memory.jobserver import Jobserver, why_not, write_wrappers
from workbench.memory.peaks import GB
from workbench.memory.share import FIRST
from workbench.process import run

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths

JOB = (
    "echo + >> log; for i in $$(seq 1500); do [ $$(grep -c + log) -ge {together} ] && break; sleep 0.02; done; "
    "sleep 0.2; echo - >> log"
)
"""Tells when it begins and ends: not before as many have begun as are to run together, and then takes a while."""

COUNT = 8

MAKEFILE = f"all: {' '.join(f'job{i}' for i in range(COUNT))}\njob%:\n\t@{JOB}\nsub:\n\t@$(MAKE) all\n"
NINJA = "rule job\n  command = " + JOB + "\n" + "".join(f"build job{i}: job\n" for i in range(COUNT))


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be memory for all jobs, whatever else this machine does."""
    monkeypatch.setattr(free, "available", lambda: 100 * GB)


def at_once(log: Path) -> int:
    """Return how many jobs ran at once at most; all have run."""
    running = most = 0
    lines = log.read_text().split()
    assert len(lines) == 2 * COUNT
    for line in lines:
        running += 1 if line == "+" else -1
        most = max(most, running)
    return most


@pytest.mark.needs("make")
@pytest.mark.parametrize(
    ("tokens", "goals"), [(0, ["all"]), (2, ["-j8"]), (2, ["-j", "8", "sub"]), (2, ["--jobs=8"])]
)
def test_make_takes_its_jobs_from_the_jobserver(tmp_path: Path, tokens: int, goals: list[str]) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE.format(together=tokens + 1))
    write_wrappers(tmp_path / "bin", os.environ["PATH"], str)
    server = Jobserver(tmp_path / "tokens")
    for _ in range(tokens):
        server.give()
    flags = f" -j9 --jobserver-auth=fifo:{server.pipe}"
    done = run([tmp_path / "bin" / "make", *goals], cwd=tmp_path, env={"MAKEFLAGS": flags}, timeout=300)
    assert "warning" not in done.output
    assert at_once(tmp_path / "log") == tokens + 1
    assert server.unused == server.given == tokens
    server.close()


def test_a_token_can_be_taken_back_while_nobody_has_it(tmp_path: Path) -> None:
    server = Jobserver(tmp_path / "tokens")
    server.give()
    assert (server.given, server.unused) == (1, 1)
    assert server.take()
    assert not server.take()
    assert (server.given, server.unused) == (0, 0)
    server.close()


@pytest.mark.needs("make", "ninja")
@pytest.mark.usefixtures("roomy")
def test_a_build_tells_its_tools_of_one_jobserver(paths: Paths, tmp_path: Path) -> None:
    """Isolated, with the package index's Ninja and this machine's make, both told another number."""
    makefile, ninja = (text.format(together=FIRST) for text in (MAKEFILE, NINJA))
    script = (
        f"open('Makefile', 'w').write({makefile!r}), open('build.ninja', 'w').write({ninja!r}), "
        "subprocess.run(['ninja', '-v', '-j', '8'], check=True), os.rename('log', 'ninja.log'), "
        "subprocess.run(['make', '-j8'], check=True)"
    )
    plan = plan_of(tmp_path, before=f"import subprocess; {script}", requires=("ninja>=1.13",))
    built(plan, paths, jobs=3)
    tree = Workplace.of(plan, paths).tree
    assert FIRST <= at_once(tree / "log") <= 3
    assert FIRST <= at_once(tree / "ninja.log") <= 3


@pytest.mark.usefixtures("roomy")
def test_a_ninja_that_knows_no_jobserver_is_told_a_number(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobserver, "NINJA", (99,))
    assert shutil.which("ninja") is None or "knows no jobserver" in why_not(os.environ["PATH"])
    assert why_not(str(tmp_path)) == "neither ninja nor make is there"
    names = ("MAX_JOBS", "MAKEFLAGS", "CMAKE_BUILD_PARALLEL_LEVEL")
    before = f"print({{name: os.environ.get(name) for name in {names}}})"
    plan = plan_of(tmp_path, before=before, requires=("ninja>=1.13",))
    built(plan, paths, jobs=3)
    said = "{'MAX_JOBS': '3', 'MAKEFLAGS': None, 'CMAKE_BUILD_PARALLEL_LEVEL': '3'}"
    assert said in Workplace.of(plan, paths).log.read_text()
