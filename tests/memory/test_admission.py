"""One admission for all builds of a machine: what is free is claimed once, and a claim goes with its process."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from workbench.cgroup import ControlGroup
from workbench.events import LISTENER, StepMoved
from workbench.memory import admission, free
from workbench.memory.admission import Ledger

if TYPE_CHECKING:
    from pathlib import Path

GB = 1_000_000_000


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Return the ledger of a machine that has 10 GB free, whatever is built."""
    monkeypatch.setattr(free, "available", lambda: 10 * GB * 20 // 19 + 1)
    monkeypatch.setattr(admission, "AGAIN", 0.01)
    return Ledger(tmp_path / "running")


def size(jobs: int) -> int:
    return jobs * 2 * GB


def test_as_many_jobs_as_fit_beside_the_others(ledger: Ledger) -> None:
    with ledger.admitted("one", size, wanted=3) as one, ledger.admitted("two", size, wanted=20) as two:
        assert (one.jobs, one.claimed) == (3, 6 * GB)
        assert (two.jobs, two.claimed) == (2, 4 * GB)
        with ledger.alone():
            claims = ledger.claims()
            assert [(each.title, each.state) for each in claims] == [("one", "runs"), ("two", "runs")]
            assert claims[1].since - claims[0].since > 0  # though both asked within a millisecond
    with ledger.alone():
        assert ledger.claims() == ()


def test_what_a_build_claims_and_uses_counts_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with ledger.admitted("one", size, wanted=4, cpus=5) as one:
        one.uses(6 * GB)
        monkeypatch.setattr(free, "available", lambda: 4 * GB * 20 // 19 + 1)  # it is in use now
        with ledger.admitted("two", size, wanted=4, cpus=5) as two:
            assert two.jobs == 1
            assert not one.resize(5, size(5))
            assert one.resize(2, size(2))
            assert two.resize(2, size(2))
            assert not two.resize(3, size(3))  # what one uses is not free yet


def test_what_a_compiler_gave_back_since_a_build_told_of_it_counts_once(
    ledger: Ledger, tmp_path: Path
) -> None:
    (tmp_path / "memory.current").write_text(str(6 * GB))
    (tmp_path / "memory.stat").write_text("active_file 0\ninactive_file 0\n")
    with ledger.admitted("one", size, wanted=4, cpus=5) as one:
        one.uses(6 * GB, [ControlGroup(tmp_path, 2)])
        (tmp_path / "memory.current").write_text("0")  # and so there are ten free, of which eight are claimed
        with ledger.admitted("two", size, wanted=4, cpus=8) as two:
            assert (two.jobs, two.claimed) == (1, 2 * GB)


def test_a_build_waits_and_says_for_whom(ledger: Ledger) -> None:
    told: list[str] = []
    waiting, admitted = threading.Event(), threading.Event()

    def listen(event: object) -> None:
        if isinstance(event, StepMoved):
            told.append(event.detail)
            waiting.set()

    def second() -> None:
        LISTENER.set(listen)
        with ledger.admitted("two", size, wanted=1):
            admitted.set()

    with ledger.admitted("one", size, wanted=5):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(30)
        assert not admitted.is_set()
    thread.join(30)
    assert admitted.is_set()
    assert told[0] == "it takes 2.00 GB, and 0 B is free: one has 10.00 GB"


def test_nobody_waits_for_memory_that_no_build_has(ledger: Ledger) -> None:
    with ledger.admitted("huge", lambda jobs: jobs * 50 * GB, wanted=8) as grant:
        assert (grant.jobs, grant.claimed) == (1, 10 * GB)


def test_all_builds_together_take_no_more_than_the_site_allows(ledger: Ledger) -> None:
    bounded = Ledger(ledger.folder, most=6 * GB)
    with bounded.admitted("one", size, wanted=2), bounded.admitted("two", size, wanted=2) as two:
        assert two.jobs == 1


def test_who_came_late_does_not_go_before_who_waits_for_long(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "PATIENCE", 0)
    order: list[str] = []

    def build(title: str, need: int) -> None:
        with ledger.admitted(title, lambda _: need, wanted=1):
            order.append(title)

    with ledger.admitted("first", lambda _: 8 * GB, wanted=1):
        large = threading.Thread(target=build, args=("large", 9 * GB))
        large.start()
        while True:
            with ledger.alone():
                if len(ledger.claims()) > 1:
                    break
        small = threading.Thread(target=build, args=("small", 2 * GB))
        small.start()
        small.join(0.2)
        assert order == []
    large.join(30)
    small.join(30)
    assert order == ["large", "small"]


def test_a_claim_goes_with_its_process_however_that_ends(ledger: Ledger) -> None:
    code = (
        "import sys; from pathlib import Path; from workbench.memory.admission import Ledger\n"
        "with Ledger(Path(sys.argv[1])).admitted('killed', lambda jobs: jobs * 1000, wanted=1):\n"
        "    print('admitted', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(ledger.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"admitted\n"
        with ledger.alone():
            assert [each.title for each in ledger.claims()] == ["killed"]
        process.send_signal(signal.SIGKILL)
        process.wait()
    with ledger.alone():
        assert ledger.claims() == ()
        assert [*ledger.folder.glob("*.json")] == []
