"""A control group for each build: in it a build is measured, limited, and ended whole.

Of version 1 it is a folder below this process's own group; of version 2 a scope that systemd makes, for there a group
that has processes cannot have groups with a limit. Where neither can be made, the processes below the build's are
measured, and nothing limits them.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from workbench.cgroup import ControlGroup, groups_of
from workbench.process import run

SAMPLE = 0.1
"""Seconds from one look at a group's memory to the next."""

LOOK = 0.3
"""Seconds from one look at each process of a group to the next."""

_POLL = 1.0
"""Seconds from one look to the next where there is no group: all processes of the machine are looked through."""

_FIND = 2.0
"""Seconds after which the groups that others make are looked for again."""

LARGE = 16_000_000
"""Bytes that a process takes at least which counts as one that compiles."""

Told = Callable[[int, tuple[ControlGroup, ...]], None]

_NAME = "workbench"
_BUS = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
"""What systemd-run needs to find the user's systemd, and a build must not see."""

_numbers = itertools.count(1)


class BuildGroup:
    """The programs of one build, taken together.

    `peak` is the most that they used at once, `largest` the most that one process did, in bytes; `finished` is how many
    that took some memory were seen and have ended; `killed` says whether one was killed because memory ran out. `told`
    hears now and then what they use, and in which control groups that is counted. `apart` are the groups that others
    have made for the build. This one makes no group: it looks at the processes, and cannot limit them.
    """

    limited = False

    def __init__(self, limit: int | None, told: Told) -> None:
        self.limit = limit
        self.peak = self.largest = self.finished = 0
        self.killed = False
        self._seen: dict[int, int] = {}
        self.apart: tuple[ControlGroup, ...] = ()
        self._find: Callable[[], tuple[ControlGroup, ...]] = tuple
        self._found = 0.0
        self._told = told
        self._programs: set[int] = set()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._measure, daemon=True)

    @property
    def groups(self) -> tuple[ControlGroup, ...]:
        """The control groups in which all that it uses is counted; none where there are none."""
        return ()

    def includes(self, find: Callable[[], tuple[ControlGroup, ...]]) -> None:
        """Count groups that others make for the build too, as an engine does: looked for until there are some."""
        self._find = find

    def words(self) -> tuple[str, ...]:
        """Return the words that stand before a program's, so that it runs in the group."""
        return ()

    @property
    def joins(self) -> str:
        """The file that a program writes itself into, to run in the group; empty where its words do that."""
        return ""

    def began(self, process: int) -> None:
        """Hear that a program of the build was started."""
        self._programs.add(process)

    def ended(self, process: int) -> None:
        """Hear that a program of the build has ended."""
        self._sample()
        self._programs.discard(process)

    def _processes(self) -> tuple[int, ...]:
        return below(self._programs)

    def _used(self) -> int:
        return sum(map(_share, self._processes()))

    def _sample(self) -> int:
        """Look at what is used now; no group and no process need still be there."""
        used = 0
        with suppress(OSError):
            used = self._used()
        for group in self.apart:
            with suppress(OSError):
                used += self._used_in(group)
        self.peak = max(self.peak, used)
        return used

    def _used_in(self, group: ControlGroup) -> int:
        self.killed = self.killed or group.kills() > 0
        return group.used()

    def _measure(self) -> None:
        looked = 0.0
        while not self._over.wait(SAMPLE if self.limited else _POLL):
            used = self._sample()
            if time.monotonic() - looked >= LOOK:
                looked = time.monotonic()
                self._look()
                self._told(used, self.groups)

    def _look(self) -> None:
        """Look at each process: how much it has taken, and which have ended since."""
        if not self.apart and time.monotonic() - self._found > _FIND:
            self.apart, self._found = self._find(), time.monotonic()
        processes = (*self._processes(), *(each for group in self.apart for each in group.processes()))
        now = {process: _high_water(process) for process in processes}
        self.largest = max([self.largest, *now.values()])
        self.finished += sum(size >= LARGE for process, size in self._seen.items() if process not in now)
        self._seen = now

    def _end(self) -> None:
        """End what is left in the group, and the group."""

    @contextmanager
    def opened(self) -> Iterator[BuildGroup]:
        """Measure until the block's end, and then end whatever is left of the build."""
        self._watch.start()
        try:
            yield self
        finally:
            self._over.set()
            self._watch.join()
            self._sample()
            self._end()


class _Folder(BuildGroup):
    """Version 1: a folder below this process's own group, which programs join."""

    limited = True

    def __init__(self, limit: int | None, told: Told, parent: Path) -> None:
        super().__init__(limit, told)
        _sweep(parent)
        self._group = ControlGroup(parent / f"{_NAME}-{os.getpid()}-{next(_numbers)}", 1)
        self._group.folder.mkdir()
        if limit is not None:
            for name in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"):
                with suppress(FileNotFoundError, PermissionError):  # without swap there is no second one
                    (self._group.folder / name).write_text(str(limit), encoding="ascii")

    @property
    def groups(self) -> tuple[ControlGroup, ...]:
        return self._group, *self.apart

    @property
    def joins(self) -> str:
        return str(self._group.folder / "cgroup.procs")

    def _processes(self) -> tuple[int, ...]:
        return self._group.processes()

    def _used(self) -> int:
        return self._used_in(self._group)

    def _end(self) -> None:
        _end(self._group.folder)


class _Scope(BuildGroup):
    """Version 2: a scope of systemd's for each program, which goes with it."""

    limited = True

    def __init__(self, limit: int | None, told: Told, root: Path) -> None:
        super().__init__(limit, told)
        self._root = root
        self._own = next(groups_of(root=root), None)

    @property
    def groups(self) -> tuple[ControlGroup, ...]:
        return *self._groups(), *self.apart

    def words(self) -> tuple[str, ...]:
        return _scope_words(self.limit)

    def _groups(self) -> Iterator[ControlGroup]:
        for process in tuple(self._programs):
            with suppress(OSError):
                group = next(groups_of(process, self._root), None)
                if group and group != self._own:
                    yield group

    def _processes(self) -> tuple[int, ...]:
        return tuple(process for group in self._groups() for process in group.processes())

    def _used(self) -> int:
        return sum(map(self._used_in, self._groups()))


@contextmanager
def build_group(
    limit: int | None = None, *, told: Told = lambda _used, _groups: None, root: Path = Path("/")
) -> Iterator[BuildGroup]:
    """Yield a group for the programs of one build, which may use `limit` bytes together.

    Where no control group can be made (`why_not`), one that only measures.
    """
    own = next(groups_of(root=root), None)
    if why_not(root):
        group = BuildGroup(limit, told)
    elif own and own.version == 1:
        group = _Folder(limit, told, own.folder)
    else:
        group = _Scope(limit, told, root)
    with group.opened():
        yield group


@cache
def why_not(root: Path = Path("/")) -> str:
    """Return why a build cannot have a control group of its own here, and what to do about it; "" where it can."""
    try:
        own = next(groups_of(root=root), None)
    except OSError:
        own = None
    if own and own.version == 1:
        probe = own.folder / f"{_NAME}-{os.getpid()}-0"
        try:
            probe.mkdir()
            probe.rmdir()
        except OSError as error:
            return f"{own.folder} cannot be written, {error.strerror}: {_REMEDY_1}"
        return ""
    if shutil.which("systemd-run") is None:
        return f"there is no systemd-run: {_REMEDY_2}"
    tried = run([*_scope_words(None), "sh", "-c", _COUNTED, root], check=False)
    if tried.status == 0:
        counted = "counted" in tried.output.splitlines()  # systemd-run may warn of something beside it
        return "" if counted else f"a scope of systemd's counts no memory: {_REMEDY_3}"
    said = (tried.output.strip().splitlines() or [f"it ended with {tried.status}"])[-1].replace(": ", ", ")
    return f"systemd-run makes no scope here ({said}): {_REMEDY_2}"


_COUNTED = 'if [ -f "$0/sys/fs/cgroup$(sed -n s/^0:://p "$0/proc/$$/cgroup")/memory.current" ]; then echo counted; fi'
"""Says in a shell whether the memory of its own group is counted; below the root that is its first word."""

_REMEDY_1 = "run as a user who may make groups there, or give the container its own"
_REMEDY_2 = (
    "log in by a session of systemd's (ssh, a desktop, 'loginctl enable-linger'), or run as root there"
)


_REMEDY_3 = (
    "let it delegate the memory controller (Delegate=memory for user@.service, systemd.resource-control(5))"
)


def _scope_words(limit: int | None) -> tuple[str, ...]:
    """Return the words before a program's with which systemd runs it in a scope of its own (systemd-run(1)).

    Its variables are those that the words are started with, but for the two that systemd-run itself needs.
    """
    bus = [f"{name}={os.environ[name]}" for name in _BUS if name in os.environ]
    whose = [] if os.geteuid() == 0 else ["--user"]
    limits = [] if limit is None else [f"--property=MemoryMax={limit}", "--property=MemorySwapMax=0"]
    program = shutil.which("systemd-run") or "systemd-run"
    unseen = [word for name in _BUS for word in ("-u", name)]
    scope = (program, *whose, "--scope", "--quiet", "--collect", *limits, "--")
    return ("env", *bus, *scope, "env", *unseen)


def _sweep(parent: Path) -> None:
    """Remove the groups that processes have left which were killed, and end what is left in them."""
    for folder in parent.glob(f"{_NAME}-*-*"):
        owner = folder.name.split("-")[1]
        if not Path("/proc", owner).is_dir():
            _end(folder)


def _end(folder: Path) -> None:
    """End all processes of a group of version 1, and remove it."""
    for _ in range(200):  # what does not end within two seconds hangs in the kernel
        for process in ControlGroup(folder, 1).processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.01)
        else:
            return


def below(programs: set[int]) -> tuple[int, ...]:
    """Return some processes, and all that are below them."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            parents[int(stat.parent.name)] = int(stat.read_bytes().rpartition(b")")[2].split()[1])
    found = set(programs)
    more = found
    while more := {process for process, parent in parents.items() if parent in more}:
        found |= more
    return tuple(found)


def _share(process: int) -> int:
    """Return a process's memory in bytes, what it shares counted by its share (proc(5), Pss)."""
    return _kilobytes(process, "smaps_rollup", rb"^Pss: *(\d+) kB")


def _high_water(process: int) -> int:
    """Return the most memory that a process had, in bytes."""
    return _kilobytes(process, "status", rb"^VmHWM:\s*(\d+) kB")


def _kilobytes(process: int, name: str, pattern: bytes) -> int:
    try:
        found = re.search(pattern, Path(f"/proc/{process}/{name}").read_bytes(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) << 10 if found else 0
