"""``build-all`` on one machine: every cell to its end, and a journal that the next run goes on from."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fleet.dask import wait_for
from tests.fleet.packages import HOLD
from tests.forked import invoke
from workbench.errors import ToolMissing
from workbench.fleet.building import journal_of
from workbench.make.build import build_wheel
from workbench.make.request import Request, plans
from workbench.paths import CHECKOUT
from workbench.process import environment
from workbench.repair.repair import Repaired, repair
from workbench.settings import read_settings

if TYPE_CHECKING:
    from tests.fleet.conftest import Adds
    from workbench.paths import Paths


def states(answer: str) -> dict[str, str]:
    return {each["package"]: each["state"] for each in json.loads(answer)["cells"]}


def test_what_fails_stops_only_what_needs_it(add: Adds, paths: Paths) -> None:
    """And a build gets a wheel that it requires from the same run, not from an index; nothing is built twice."""
    add("first")
    add("second", before="import first; assert first.name == 'first'", requires=("first==1.0",))
    add("broken", before="raise SystemExit('fatal error: first.h: No such file')")
    add("third", requires=("broken",))
    (paths.recipes / "typo.py").write_text("recipe = 1\n")
    done = invoke("build-all", "--json")
    assert states(done.stdout) == {
        "first": "built",
        "second": "built",
        "broken": "failed",
        "third": "not tried",
    }, done.stderr
    assert done.status == 9
    told = json.loads(done.stdout)
    (broken,) = (each for each in told["cells"] if each["package"] == "broken")
    assert (broken["status"], broken["attempts"]) == (9, 1)
    assert "broken 1.0" in broken["message"]
    assert broken["brief"] == "fatal error: first.h: No such file"
    (typo,) = told["broken"]
    assert typo["package"] == "typo"
    assert "3 of 5 cells have no wheel" in done.stderr
    assert sorted(each.name for each in paths.wheels.glob("*.whl")) == [
        "first-1.0-py3-none-any.whl",
        "second-1.0-py3-none-any.whl",
    ]

    again = invoke("build-all", "second", "--json")
    assert (again.status, states(again.stdout)) == (0, {"first": "there", "second": "there"})
    runs = invoke("fleet.builds").stdout.splitlines()
    assert "2 there" in runs[-1]
    assert runs[-1].endswith("invoke build-all second")
    dry = invoke("build-all", "third", "--dry-run")
    assert re.search(r"third +1.0 +cp311 x86_64 cpu +build \(host\) +broken 1.0", dry.stdout)
    dry = invoke("build-all", "--dry-run")
    assert f"\ncannot be planned: typo: {paths.recipes / 'typo.py'}" in dry.stdout
    assert len(journal_of(paths).runs()) == 2


def test_what_a_build_requires_of_the_sites_own_recipes_is_in_its_key(add: Adds, paths: Paths) -> None:
    """Once such a recipe is another, what requires it is built anew, with that wheel, whichever command builds it."""
    add("first")
    add("second", before="import first; assert first.name == 'first'", requires=("first",))
    # what is published, as far as a build reads it, was made of another recipe than the one that the key names
    wheel = {"filename": "first-1.0-py3-none-any.whl", "build_key": "0" * 64}
    paths.registry.write_text(json.dumps({"packages": {"first": {"wheels": [wheel]}}}))
    (paths.root / "share").mkdir()
    shared = ("--cache", paths.root / "share")
    dry = invoke("build", "second", "--dry-run")
    assert re.search(r"needs +first\n", dry.stdout), dry.stdout
    alone = invoke("build", "second", *shared)
    assert alone.status == 0, alone.stderr
    assert "requires first 1.0 cp311 x86_64 cpu: that is built first" in alone.stderr
    done = invoke("build-all", "second", "--json", *shared)
    assert states(done.stdout) == {"first": "there", "second": "there"}

    paths.registry.unlink()
    add("first", before="print('otherwise')")
    why = json.loads(invoke("matrix", "second", "--why", "--json").stdout)["second"]
    assert [[changed["name"] for changed in each["changed"]] for each in why] == [["needs"]]
    done = invoke("build-all", "second", "--json", *shared)
    assert states(done.stdout) == {"first": "built", "second": "built"}
    assert "was built earlier" in invoke("build", "second").stdout


def test_what_was_built_with_a_wheel_of_the_site_is_built_again_with_that_very_wheel(
    add: Adds, paths: Paths
) -> None:
    """The package index may have another one of its name, which is not asked for."""
    add("first")
    add("second", before="import first", requires=("first",))
    assert invoke("build", "second").status == 0
    needed, wheel = (paths.wheels / f"{name}-1.0-py3-none-any.whl" for name in ("first", "second"))
    again = invoke("evidence.reproduce", wheel, "--json")
    assert again.status == 0, again.stderr
    assert json.loads(again.stdout)["identical"]
    needed.unlink()
    again = invoke("evidence.reproduce", wheel, "--any-tools")
    assert again.status == ToolMissing.exit_code, again.stderr
    assert f"and it is not here: put it into {paths.wheels}" in again.stderr


def test_a_wheel_that_serves_other_pythons_is_built_once(add: Adds) -> None:
    add("pure")
    done = invoke("build-all", "pure", "--python", "3.11,3.12", "--json")
    cells = [(each["state"], each["wheel"]) for each in json.loads(done.stdout)["cells"]]
    assert cells == [("built", "pure-1.0-py3-none-any.whl"), ("there", "pure-1.0-py3-none-any.whl")]


SEEN = """\
import re, time
taken = b"x" * 300_000_000
until = time.monotonic() + 300
while time.monotonic() < until and not re.search('"memory": 3[0-9]{{8}}', open("{events}").read()):
    time.sleep(0.05)
"""


def test_one_sees_what_each_build_takes_while_it_runs(add: Adds, tmp_path: Path) -> None:
    """The build goes on once it reads that; of this machine's folders it sees the cache."""
    events = tmp_path / "cache" / "events"
    events.parent.mkdir()
    add("large", before=SEEN.format(events=events))
    done = invoke("build-all", "--events", events)
    assert done.status == 0, done.stderr
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    (cell,) = (each["step"] for each in lines if each.get("title", "").startswith("large 1.0"))
    seen = [each["memory"] for each in lines if each["event"] == "moved" and each["step"] == cell]
    assert 300_000_000 < max(seen) < 600_000_000


def test_what_a_build_requires_and_another_process_builds_is_waited_for(
    add: Adds, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("first")
    add("second", before="import first; assert first.name == 'first'", requires=("first",))
    started: list[subprocess.Popen[str]] = []

    def repair_while_another_waits(wheel: Path, into: Path, **options: Any) -> Repaired:
        line = [sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT), "build", "second"]
        other = subprocess.Popen(
            line, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        started.append(other)
        for said in other.stderr or ():
            if said.startswith("… wait for the build of first 1.0"):
                break
        return repair(wheel, into, **options)

    monkeypatch.setattr("workbench.make.build.repair", repair_while_another_waits)
    (plan,) = plans(Request(name="first"), paths, read_settings(paths)).plans
    build_wheel(plan, paths, read_settings(paths))
    _, said = started[0].communicate()
    assert started[0].returncode == 0, said
    assert "✓ wait for the build of first 1.0" in said
    assert "build first" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_the_next_run_goes_on(add: Adds, paths: Paths, tmp_path: Path, number: int) -> None:
    """No process is left; what was built is not built again, nor is what had failed."""
    add("quick")
    add("failing", before="raise SystemExit('no')")
    held = tmp_path / "held"
    held.touch()
    add("slow", recipe=HOLD.format(held=held))
    line = [sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT), "build-all", "--at-once", "1"]
    run = subprocess.Popen(
        [*line], cwd=CHECKOUT, env=environment(), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    wait_for(lambda: {"quick", "failing"} <= ended(paths) and left(held))
    run.send_signal(number)
    assert run.wait() == (130 if number == signal.SIGINT else -9)
    wait_for(lambda: not left(held))
    assert ended(paths) == {"quick", "failing"}

    held.unlink()
    done = invoke("build-all", "--at-once", "1", "--json")
    assert states(done.stdout) == {"quick": "there", "failing": "failed", "slow": "built"}
    assert "failing 1.0 cp311 x86_64 cpu failed before this run was interrupted" in done.stderr
    third = invoke("build-all", "--at-once", "1", "--json")
    (failing,) = (each for each in json.loads(third.stdout)["cells"] if each["package"] == "failing")
    assert failing["attempts"] == 1  # that run came to its end, so this one tries again


def ended(paths: Paths) -> set[str]:
    return {each.package for run in journal_of(paths).runs() for each in run.cells}


def left(mark: Path) -> list[int]:
    """Return the processes of an attempt at the package that waits for a file."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            words = each.read_bytes()
            if b"fleet.attempt" in words and str(mark.parent).encode() in words and b"slow" in words:
                found.append(int(each.parent.name))
    return found
