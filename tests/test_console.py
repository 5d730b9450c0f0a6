"""What a person sees: on a terminal, a real one of 80 columns; elsewhere, plain lines."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest

from workbench.console import PLAIN_WIDTH, answer_table, counted, progress, step
from workbench.paths import CHECKOUT
from workbench.process import environment, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from workbench.console import Step

COLUMNS = 80
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
        "from workbench.console import step\n"
        "with step('build ' + 'a' * 50) as at:\n"
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
        "from workbench.console import note, step\n"
        f"with step({hostile!r}) as at:\n"
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
    screen = Terminal(f"from workbench.console import step\nwith step({title!r}):\n    input()\n")
    screen.wait_for("repair")
    said = screen.end()
    assert TWO_LINES not in screen.shown
    assert title in said.replace("\r\n", "").replace("\n", "")


@pytest.mark.parametrize("begin", [step, lambda title: progress(title, 2000)], ids=["step", "bar"])
def test_a_step_that_found_something_is_no_success(
    begin: Callable[[str], AbstractContextManager[Step]], capsys: pytest.CaptureFixture[str]
) -> None:
    with begin("verify x.whl") as at:
        at.fail("3 findings")
    begun, ended = capsys.readouterr().err.splitlines()
    assert begun.startswith("… verify x.whl")
    assert ended.startswith("✗ verify x.whl")
    assert ": 3 findings (" in ended


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
