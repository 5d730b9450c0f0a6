from __future__ import annotations

import os
import select
import sys
from typing import TYPE_CHECKING

import pytest

from workbench.errors import CommandFailed, ToolMissing, WorkbenchError
from workbench.process import run

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


def test_interrupting_ends_the_whole_tree() -> None:
    """A grandchild, as a compiler is, ends with the program that started it."""
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()"
    )
    grandchildren: list[int] = []

    def interrupt(line: str) -> None:
        grandchildren.append(os.pidfd_open(int(line)))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(python(code), on_line=interrupt)
    (ended, _, _) = select.select(grandchildren, [], [], 30)
    os.close(grandchildren[0])
    assert ended == grandchildren


def test_a_variable_that_is_none_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFLAGS", "-O0")
    code = python("import os; print(os.environ.get('CFLAGS'))")
    assert [run(code, env=env).output for env in ({}, {"CFLAGS": None}, {"CFLAGS": "-O2"})] == [
        "-O0\n",
        "None\n",
        "-O2\n",
    ]
