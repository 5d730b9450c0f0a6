"""One admission for all builds of a user on a machine: together they never claim more memory than is free.

Each build has a file in a folder of the user's cache, and holds it as long as it runs: the kernel lets go of it however
the process ends, so a claim never outlives its build. The folder is named after the machine's boot, for the cache may
be a network's.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

from workbench.cgroup import group_at
from workbench.events import note, step
from workbench.files import locked
from workbench.memory import free
from workbench.strict import Mismatch, parse
from workbench.text import counted, file_size

if TYPE_CHECKING:
    from workbench.cgroup import ControlGroup
    from workbench.paths import Paths

AGAIN = 0.5
"""Seconds after which a build that waits looks again."""

_SHARES = 20
"""One of so many parts of what is free is not claimed: what is beside the builds needs some too."""

_NOTABLE = 10_000_000
"""Bytes by which what a build uses must change to be told again."""

PATIENCE = 60
"""Seconds after which nobody who came later goes before a build that waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A build of this machine that runs or waits: what it claims and what it uses, in bytes.

    `id` is its own alone. `groups` are the folders of the control groups that what it uses is counted in, if there are
    any. `jobs` are the compilers that it may run at once. `since` is when it asked, in nanoseconds
    of the machine's monotonic clock.
    """

    id: str
    title: str
    state: Literal["waits", "runs"]
    claimed: int = 0
    used: int = 0
    groups: tuple[str, ...] = ()
    jobs: int = 0
    process: int
    since: int

    def uses_now(self) -> int:
        """Return the bytes that it uses: those of now where they are counted, else those that it told last.

        What it told may be of before a compiler ended, whose memory is free by now: that would be counted twice.
        """
        if not self.groups:
            return self.used
        used = 0
        for folder in self.groups:
            with suppress(OSError):  # it has ended
                used += group_at(Path(folder)).used()
        return used


class Grant:
    """A build's place on the machine, from its admission to its end: `jobs` compilers in `claimed` bytes."""

    def __init__(self, ledger: Ledger, own: Path, claim: Claim, cpus: int | None) -> None:
        self._ledger, self._own, self._claim, self._cpus = ledger, own, claim, cpus

    @property
    def jobs(self) -> int:
        """How many compilers may run at once."""
        return self._claim.jobs

    @property
    def claimed(self) -> int:
        """How many bytes the build claims."""
        return self._claim.claimed

    def uses(self, used: int, groups: Sequence[ControlGroup] = ()) -> None:
        """Tell what the build uses now, and where that is counted.

        What it claims and does not use yet is what others must leave free.
        """
        folders = tuple(str(each.folder) for each in groups)
        if abs(used - self._claim.used) < _NOTABLE and folders == self._claim.groups:
            return
        with self._ledger.alone():
            self._write(replace(self._claim, used=used, groups=folders))

    def resize(self, jobs: int, claimed: int) -> bool:
        """Ask for another number of jobs and of bytes; say whether that is granted. Less always is."""
        if (jobs, claimed) == (self.jobs, self.claimed):
            return True
        with self._ledger.alone():
            others = [each for each in self._ledger.claims() if each.id != self._claim.id]
            fits = claimed <= self._claim.claimed or self._ledger.left(others, self._claim) >= claimed
            more = jobs > self._claim.jobs and self._cpus is not None
            idle = not more or sum(each.jobs for each in others) + jobs <= (self._cpus or 0)
            if fits and idle:
                self._write(replace(self._claim, jobs=jobs, claimed=claimed))
            return fits and idle

    def _write(self, claim: Claim) -> None:
        self._claim = claim
        _write(self._own, claim)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The claims of a user's builds on this machine, a file each.

    `most` bytes are for all of them together; None: what is free.
    """

    folder: Path
    most: int | None = None

    @classmethod
    def of(cls, paths: Paths, most: int | None = None) -> Ledger:
        """Return this machine's. Raises OSError where this is no Linux."""
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return cls(paths.cache / "memory" / "running" / boot, most)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the claims for this thread alone."""
        with locked(self.folder / "lock"):
            yield

    def claims(self) -> tuple[Claim, ...]:
        """Return the claims of the builds that run or wait, by age; those of processes that ended are removed.

        Whoever asks holds them `alone`.
        """
        return tuple(sorted(self._read(), key=lambda each: each.since))

    def _read(self) -> Iterator[Claim]:
        for path in self.folder.glob("*.json"):
            with suppress(FileNotFoundError), path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    with suppress(ValueError, Mismatch):
                        yield parse(Claim, json.loads(file.read()))
                else:
                    path.unlink()

    def left(self, claims: Sequence[Claim], own: Claim | None = None) -> int:
        """Return how many bytes may be claimed beside some claims: what the `own` one uses is among them."""
        used = [each.uses_now() for each in claims]
        unused = sum(max(0, each.claimed - now) for each, now in zip(claims, used, strict=True))
        here = free.available() * (_SHARES - 1) // _SHARES + (own.uses_now() if own else 0) - unused
        if self.most is None:
            return max(0, here)
        taken = sum(max(each.claimed, now) for each, now in zip(claims, used, strict=True))
        return max(0, min(here, self.most - taken))

    @contextmanager
    def admitted(
        self, title: str, size: Callable[[int], int], *, wanted: int, cpus: int | None = None
    ) -> Iterator[Grant]:
        """Wait until a build fits on this machine, and hold its claim until the block's end.

        `size` says how many bytes it takes with a number of jobs; it gets as many as fit, at most `wanted`. With `cpus`
        all builds have so many together, but each at least one. A step tells why it waits. Where nothing else is built
        it is admitted with one job whatever is free: nobody would make room.
        """
        with ExitStack() as stack:
            with self.alone():
                claim, own = self._entered(title, stack)
            try:
                grant = self._attempt(own, claim, size, wanted, cpus)
                if isinstance(grant, str):
                    with step(f"wait for memory to build {title}", waits=True) as at:
                        while isinstance(grant, str):
                            at.detail(grant)
                            time.sleep(AGAIN)
                            grant = self._attempt(own, claim, size, wanted, cpus)
                        at.outcome = f"{file_size(grant.claimed)} for {counted(grant.jobs, 'job')}"
                yield grant
            finally:
                own.unlink(missing_ok=True)

    def _entered(self, title: str, stack: ExitStack) -> tuple[Claim, Path]:
        """Return the claim of a build that waits, and its file, which is held until the stack's end."""
        claim = Claim(
            id=uuid4().hex,
            title=title,
            state="waits",
            process=os.getpid(),
            since=time.monotonic_ns(),
        )
        own = self.folder / f"{claim.id}.json"
        held = stack.enter_context(own.open("xb"))
        fcntl.flock(held, fcntl.LOCK_EX)
        _write(own, claim)
        return claim, own

    def _attempt(
        self, own: Path, claim: Claim, size: Callable[[int], int], wanted: int, cpus: int | None
    ) -> Grant | str:
        """Return a grant, or why there is none yet."""
        with self.alone():
            others = [each for each in self.claims() if each.id != claim.id]
            running = [each for each in others if each.state == "runs"]
            impatient = claim.since - PATIENCE * 1_000_000_000
            before = [each for each in others if each.state == "waits" and each.since < impatient]
            left = self.left(running)
            idle = wanted if cpus is None else max(1, cpus - sum(each.jobs for each in running))
            fitting = (jobs for jobs in range(min(wanted, idle), 0, -1) if size(jobs) <= left)
            jobs = 0 if before else next(fitting, 0)
            if not jobs and running:
                who = ", ".join(
                    f"{each.title} has {file_size(max(each.claimed, each.used))}" for each in running
                )
                return f"it takes {file_size(size(1))}, and {file_size(left)} is free: {who}"
            if before:
                return f"{before[0].title} has waited longer"
            if not jobs:
                note(
                    f"· {claim.title}: it takes {file_size(size(1))}, and {file_size(left)} is free: it may not fit"
                )
            granted = replace(claim, state="runs", jobs=max(1, jobs), claimed=min(left, size(max(1, jobs))))
            _write(own, granted)
            return Grant(self, own, granted, cpus)


def _write(path: Path, claim: Claim) -> None:
    """Write a claim over the one that was there: the file itself is what its holder holds."""
    text = json.dumps(asdict(claim)).encode()
    with path.open("r+b") as file:
        file.write(text)
        file.truncate()
