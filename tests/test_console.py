"""What a person sees: on a terminal, a real one of 80 columns; elsewhere, plain lines."""

from __future__ import annotations

import fcntl
import io
import itertools
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from workbench import console
from workbench.console import PLAIN_WIDTH, JsonLines, PlainLines, answer_table, listening
from workbench.events import LISTENER, StepMoved, note, step
from workbench.paths import CHECKOUT
from workbench.process import environment, run
from workbench.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from workbench.events import Step

COLUMNS = 80
IMPORTS = "from workbench.console import listening\nfrom workbench.events import note, step\n"
TWO_LINES = b"\x1b[2K\x1b[1A"
"""How a live line that takes two lines is wiped: one, and the one above it."""


class Terminal:
    """A terminal of 80 columns, and a program that runs on it."""

    def __init__(self, program: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=CHECKOUT,
            env=environment({"TERM": "xterm", "PYTHONPATH": str(CHECKOUT)}),
            stdin=subprocess.PIPE,
            stderr=theirs,
        )
        os.close(theirs)
        self.shown = b""

    def wait_for(self, text: str) -> None:
        while text.encode() not in self.shown:
            self.shown += os.read(self._ours, 4096)

    def end(self) -> str:
        """Let the program go on from where it reads a line, to its end."""
        self._process.communicate(b"\n")
        os.set_blocking(self._ours, False)
        while True:
            try:
                read = os.read(self._ours, 4096)
            except OSError:  # the other side is closed, and all of it was read
                break
            self.shown += read
        os.close(self._ours)
        return self.shown.decode()


def test_a_live_line_never_takes_two() -> None:
    screen = Terminal(
        f"{IMPORTS}with listening(), step('build ' + 'a' * 50) as at:\n"
        "    at.detail('c++ -c\\t' + 'b' * 60)\n"
        "    input()\n"
    )
    screen.wait_for("c++")
    said = screen.end()
    assert "c++ -c b" in said
    assert "…" in said, "what does not fit is cut off, and one sees that"
    assert TWO_LINES not in screen.shown
    assert f"✓\x1b[0m build {'a' * 50}" in said


def test_a_live_line_takes_no_command_from_what_it_tells() -> None:
    hostile = "owned \x1b]0;owned\x07"
    screen = Terminal(
        f"{IMPORTS}with listening(), step({hostile!r}) as at:\n"
        f"    at.detail('remote: ' + {hostile!r})\n"
        f"    at.outcome = {hostile!r}\n"
        "    input()\n"
    )
    screen.wait_for("remote")
    said = screen.end()
    assert "\x1b]0;" not in said
    assert said.count(r"owned \x1b]0;owned\x07") >= 4


def test_a_title_that_does_not_fit_is_whole_in_the_closing_line() -> None:
    title = "repair " + "a-very-long-name-" * 6
    screen = Terminal(f"{IMPORTS}with listening(), step({title!r}):\n    input()\n")
    screen.wait_for("repair")
    said = screen.end()
    assert TWO_LINES not in screen.shown
    assert title in said.replace("\r\n", "").replace("\n", "")


@pytest.mark.parametrize("begin", [step, lambda title: step(title, total=2000)], ids=["step", "bar"])
def test_a_step_that_found_something_is_no_success(
    begin: Callable[[str], AbstractContextManager[Step]], capsys: pytest.CaptureFixture[str]
) -> None:
    with begin("verify x.whl") as at:
        at.fail("3 findings")
    begun, ended = capsys.readouterr().err.splitlines()
    assert begun.startswith("… verify x.whl")
    assert ended.startswith("✗ verify x.whl")
    assert ": 3 findings (" in ended


def test_several_steps_at_once_leave_each_other_alone() -> None:
    screen = Terminal(
        f"{IMPORTS}"
        "import threading\n"
        "from contextvars import copy_context\n"
        "first, second = threading.Event(), threading.Event()\n"
        "def beside():\n"
        "    with step('beside') as at:\n"
        "        at.detail('second detail')\n"
        "        second.set()\n"
        "        first.wait()\n"
        "        at.outcome = 'done beside'\n"
        "with listening():\n"
        "    thread = threading.Thread(target=copy_context().run, args=(beside,))\n"
        "    with step('first', total=4000) as at:\n"
        "        thread.start()\n"
        "        second.wait()\n"
        "        at(1000)\n"
        "        note('a word between')\n"
        "        input()\n"
        "        first.set()\n"
        "        thread.join()\n"
    )
    screen.wait_for("second detail")
    said = screen.end()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said).replace("\r", "\n")
    assert "a word between\n" in text
    ended = re.findall(r"^✓ (.+?) [\d.]+ (?:min \d+ )?s$", text, re.MULTILINE)
    assert ended == ["beside: done beside", "first (4.0 kB)"]
    assert "━━━━━───────────────  1.0 kB" in text


def test_a_word_that_comes_after_the_end_of_its_step_stops_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    program = (
        f"{IMPORTS}with listening(), step('around'):\n"
        "    with step('first') as at:\n"
        "        pass\n"
        "    at.detail('late')\n"
        "    note('went on')\n"
        "    input()\n"
    )
    screen = Terminal(program)
    screen.wait_for("went on")
    assert "around" in screen.end()
    with listening():
        with step("first") as at:
            pass
        at.detail("late")
        note("went on")
    assert "went on" in capfd.readouterr().err


class Lines(io.StringIO):
    """What is written, and an event that is set once a text is among it."""

    def __init__(self, awaited: str) -> None:
        super().__init__()
        self._awaited = awaited
        self.there = threading.Event()

    def write(self, text: str) -> int:
        written = super().write(text)
        if self._awaited in self.getvalue():
            self.there.set()
        return written


def test_a_long_step_says_that_it_is_alive_and_what_it_said_last(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, told in (("c++  -c\tdemo.cpp", "c++ -c demo.cpp"), ("c++ " + "x" * 999, f"c++ {'x' * 96}…")):
        lines = Lines("build demo: still at it after ")
        monkeypatch.setattr(sys, "stderr", lines)
        before = LISTENER.set(PlainLines(every=0.01))
        with step("build demo") as at:
            at.detail(said)
            assert lines.there.wait(30)
        LISTENER.reset(before)
        assert f": {told}\n" in lines.getvalue()


def test_what_a_step_takes_stands_beside_how_long_it_takes() -> None:
    screen = Terminal(
        f"{IMPORTS}with listening(), step('build demo', expected=60) as at:\n"
        "    at.detail('c++ -c')\n"
        "    at.takes(1_500_000_000)\n"
        "    input()\n"
    )
    screen.wait_for("memory")
    assert re.search(r"build demo  \S+ s of about 1 min 00 s, 1\.50 GB of memory  c\+\+ -c", screen.end())


def test_events_are_lines_of_json_for_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "JsonLines", partial(JsonLines, every=3600))
    path = tmp_path / "events"
    with listening(path):
        with step("fetch") as at:
            at.detail("redirected")
            at.detail("too soon for another line")
            at.outcome = "2 kB"
        note("from https://me:SECRET@host/")
        with pytest.raises(KeyError), step("verify", total=2, unit="wheels"):
            raise KeyError
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["began", "moved", "ended", "noted", "began", "ended"]
    assert (lines[1]["detail"], lines[2]["outcome"], lines[2]["failed"]) == ("redirected", "2 kB", False)
    assert (lines[4]["total"], lines[5]["failed"]) == (2, True)
    assert lines[0]["step"] == lines[2]["step"] != lines[4]["step"]
    assert "SECRET" not in path.read_text()


def test_a_clock_that_is_set_back_silences_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    written = JsonLines(file, every=0)
    monkeypatch.setattr(time, "time", partial(next, itertools.count(1_000_000, -1)))
    for _ in range(2):
        written(StepMoved(step=1))
    assert [json.loads(line)["time"] for line in file.getvalue().splitlines()] == [1_000_000, 999_999]


def test_how_many() -> None:
    assert (counted(0, "wheel"), counted(1, "wheel"), counted(2, "wheel")) == (
        "0 wheels",
        "1 wheel",
        "2 wheels",
    )


def test_a_table_keeps_its_columns_and_says_what_a_terminal_would_obey(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer_table(("package", "published"), [("demo", "1.0\n1.1\x1b[2J"), ("日本", "x" * 300)])
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading == "package  published"
    assert lines[:2] == ["demo     1.0", "         1.1\\x1b[2J"]
    assert lines[2].startswith("日本     xxx")
    assert "".join(lines[2:]).count("x") == 300
    assert max(map(len, lines)) <= PLAIN_WIDTH


def test_a_locale_without_our_characters_is_no_reason_to_stop() -> None:
    program = r"from workbench.console import answer; answer('\u2013 \udcff')"
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert run([sys.executable, "-c", program], env=ascii_only, cwd=CHECKOUT).output == "\\u2013 \\udcff\n"
