from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
import tracemalloc
from subprocess import PIPE
from typing import TYPE_CHECKING

import pytest

from workbench.errors import CommandFailed, ToolMissing, WorkbenchError
from workbench.process import MARK, end_left, run

if TYPE_CHECKING:
    from pathlib import Path


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_output_comes_back_as_it_was_printed() -> None:
    done = run(python("import sys; print('a'); sys.stdout.flush(); print('b', file=sys.stderr)"))
    assert (done.status, done.output) == (0, "a\nb\n")


def test_an_answer_is_free_of_what_is_said_on_stderr() -> None:
    done = run(python("import sys; print('a'); print('a warning', file=sys.stderr)"), stdout_only=True)
    assert (done.output, done.errors) == ("a\n", "a warning\n")
    with pytest.raises(CommandFailed, match=r"failed with 1:\na\nwhat is wrong"):
        run(python("import sys; print('a'); sys.exit('what is wrong')"), stdout_only=True)
    with pytest.raises(WorkbenchError, match="the disk is full: tar: No space left on device"):
        run(python("import sys; sys.exit('tar: No space left on device')"), stdout_only=True)


def test_a_failure_shows_the_command_its_status_and_the_last_lines() -> None:
    with pytest.raises(CommandFailed) as caught:
        run(python("for i in range(100): print('line', i)\nraise SystemExit(3)"))
    message = str(caught.value)
    assert "failed with 3" in message
    assert "line 99" in message
    assert "line 10\n" not in message


def test_a_full_disk_is_told_from_a_failure() -> None:
    fill = python(
        "import os; out = open('/dev/full', 'w'); print('a' * 99, flush=True); out.write('x'); out.close()"
    )
    with pytest.raises(WorkbenchError, match=r"the disk is full: OSError: \[Errno 28\]") as caught:
        run(fill)
    assert not isinstance(caught.value, CommandFailed)


def test_a_killed_program_is_told_from_a_failed_one() -> None:
    with pytest.raises(CommandFailed, match="killed by signal 9"):
        run(python("import os; os.kill(os.getpid(), 9)"))


def test_a_program_that_does_not_end_in_time_is_ended() -> None:
    with pytest.raises(CommandFailed, match=r"did not end within 0\.2 s"):
        run(python("import threading; threading.Event().wait()"), check=False, timeout=0.2)
    assert run(python("print('a')"), timeout=60).output == "a\n"


TWO_LINES = """
import signal, sys
for said in sys.argv[1:]:
    print(said, flush=True)
    open(said, "w").close()
signal.pause()
"""


def test_what_a_program_did_in_time_counts_however_late_that_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where this machine stood still for a while."""
    clock, said = [time.monotonic()], list[str]()
    monkeypatch.setattr("workbench.process.time.monotonic", lambda: clock[0])
    for name in ("one", "two"):
        os.mkfifo(tmp_path / name)

    def read_late(line: str) -> None:
        said.append(line)
        if line == "one":
            for name in ("one", "two"):
                (tmp_path / name).read_text()  # until it is opened over there: what it names is said
            clock[0] += 61

    with pytest.raises(CommandFailed, match="did not end within 60 s"):
        run([*python(TWO_LINES), "one", "two"], cwd=tmp_path, on_line=read_late, timeout=60)
    assert said == ["one", "two"]

    def ended(line: str) -> None:
        os.waitid(os.P_PID, int(line), os.WEXITED | os.WNOWAIT)
        clock[0] += 61

    assert run(python("import os; print(os.getpid())"), on_line=ended, timeout=60).status == 0


def test_a_log_keeps_everything(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    seen: list[str] = []
    run(python("for i in range(50): print(i)"), log=log, on_line=seen.append)
    run(python("print('more')"), log=log)
    lines = log.read_text().splitlines()
    assert lines.count("$ " + lines[0][2:]) == 1
    assert [line for line in lines if line.isdecimal()] == seen == [str(i) for i in range(50)]
    assert lines[-1] == "more"


def test_a_missing_program_says_how_to_get_it() -> None:
    with pytest.raises(ToolMissing, match="no-such-program is not on this machine"):
        run(["no-such-program"])


def test_programs_beside_this_python_are_found_whatever_path_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    assert run(["uv", "--version"]).output.startswith("uv ")


DAEMON = (
    "import os, subprocess, sys\n"
    "daemon = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
    "print(daemon.pid, flush=True)\n"
)
"""Starts a program that leaves its session and keeps the output open, and tells its number."""

WAIT = DAEMON + "daemon.wait()\n"


def has_ended(process: int) -> bool:
    """Wait for a process to end."""
    try:
        watched = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], 30)[0])
    finally:
        os.close(watched)


def test_interrupting_ends_the_whole_tree(tmp_path: Path) -> None:
    """What a build started ends with it, as compilers do, and daemons."""
    started: list[int] = []

    def interrupt(line: str) -> None:
        started.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(python(WAIT), on_line=interrupt, log=tmp_path / "log.txt")
    assert has_ended(started[0])


def test_a_daemon_that_keeps_the_output_open_stalls_nothing(tmp_path: Path) -> None:
    done = run(python(DAEMON), log=tmp_path / "log.txt")
    assert has_ended(int(done.output))
    daemon = int(run(python(DAEMON)).output)  # one that only we started may stay
    os.kill(daemon, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=str)
def test_a_signal_to_the_workbench_ends_the_whole_tree(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log.txt"
    code = (
        "import sys\nfrom pathlib import Path\nfrom workbench.process import ended_by_signals, run\n"
        "with ended_by_signals():\n"
        f"    show = lambda line: print(line, flush=True)\n"
        f"    run([sys.executable, '-c', {WAIT!r}], on_line=show, log=Path({str(log)!r}))\n"
    )
    with subprocess.Popen(python(code), stdout=PIPE, stderr=PIPE, text=True) as bench:
        assert bench.stdout
        started = int(bench.stdout.readline())
        bench.send_signal(number)
        try:
            assert has_ended(started)
            assert bench.wait(30)
        finally:
            bench.kill()


def test_what_kill_left_is_ended_by_the_next_run(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    started = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: str(log)})
    other = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: f"{log}.2"})
    end_left(log)
    assert started.wait(30) == -signal.SIGKILL
    assert other.poll() is None
    other.kill()
    other.wait()


def test_a_line_without_an_end_costs_no_memory(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    size = 64 << 20
    tracemalloc.start()
    try:
        run(python(f"print('x' * {size}, end='')"), log=log)
        (_, peak) = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert log.stat().st_size > size
    assert peak < size / 4


def test_output_without_an_end_is_not_kept() -> None:
    with pytest.raises(CommandFailed, match="printed more than 64 MB"):
        run(python("while True: print('x' * 1_000_000)"))


def test_lines_come_whole_whatever_ends_them(tmp_path: Path) -> None:
    seen: list[str] = []
    run(python(r"print('ä\r 1%\r 2%\r\nb\x0cc\n\nlast', end='')"), log=tmp_path / "log", on_line=seen.append)
    assert seen == ["ä", " 1%", " 2%", "b\x0cc", "", "last"]


def test_a_variable_that_is_none_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFLAGS", "-O0")
    code = python("import os; print(os.environ.get('CFLAGS'))")
    assert [run(code, env=env).output for env in ({}, {"CFLAGS": None}, {"CFLAGS": "-O2"})] == [
        "-O0\n",
        "None\n",
        "-O2\n",
    ]
