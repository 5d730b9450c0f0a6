"""Run a program, and end with it whatever it started: ``python -I -S supervise.py PARENT GROUP PROGRAM [ARG ...]``.

A program of its own. It is the subreaper (prctl(2)) of all that the program starts, so that a daemon which leaves its
session stays below it and is found. The tree ends when the program ends, when this process is told to end (SIGTERM,
SIGINT, SIGHUP), and when PARENT, the process that started it, is gone, even by SIGKILL. GROUP is the file of a control
group that names its processes: this one joins it first; or it is empty.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

GRACE = 2
"""Seconds that the program gets to end by itself once it is told to."""

_WATCHED = {signal.SIGALRM, signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGTERM}


def main(parent: int, group: str, words: list[str]) -> int:
    """Run the program and return its exit status; a signal that ended it ends this process too."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return 1
    if group:
        with open(group, "w") as file:
            file.write("0")
    status = _wait(_start(words))
    for _ in range(100):  # what does not end within a second hangs in the kernel
        if not _tell(signal.SIGKILL):
            break
        time.sleep(0.01)
        _reap()
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if (number := os.WTERMSIG(status)) != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.kill(os.getpid(), number)
    return 128 + number


def _prctl(option: int, value: int) -> None:
    import ctypes  # who starts this program imports the module too, and needs none of it

    ctypes.CDLL(None).prctl(option, value)


def _start(words: list[str]) -> int:
    if child := os.fork():
        return child
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        os.execvp(words[0], words)  # noqa: S606 - the program that was asked for
    except OSError as error:
        print(f"{words[0]}: {error.strerror}", file=sys.stderr, flush=True)
    os._exit(127)


def _wait(child: int) -> int:
    """Return the program's wait status once it has ended."""
    while True:
        match signal.sigwait(_WATCHED):
            case signal.SIGCHLD:
                if (status := _reap().get(child)) is not None:
                    return status
            case signal.SIGALRM:
                _tell(signal.SIGKILL)
            case _:
                _tell(signal.SIGTERM)
                signal.alarm(GRACE)


def _reap() -> dict[int, int]:
    """Return the wait statuses of the children that have ended."""
    ended = {}
    try:
        while (one := os.waitpid(-1, os.WNOHANG))[0]:
            ended[one[0]] = one[1]
    except ChildProcessError:
        pass
    return ended


def _tell(number: signal.Signals) -> bool:
    """Send a signal to every process below this one, and say whether there was any."""
    parents: dict[int, int] = {}
    for name in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else ()):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
    below: set[int] = set()
    more = {os.getpid()}
    while more := {process for process, parent in parents.items() if parent in more}:
        below |= more
    for process in below:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            continue
    return bool(below)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
