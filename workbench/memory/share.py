"""What a build may take while it runs: its jobs follow the memory that it, and the others, really take.

What is known to take so much may run as many jobs as fit. Of what nobody has built here before only a guess is known:
it begins with few jobs, and each compiler that has ended lets one more begin.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.events import note
from workbench.files import remove_tree
from workbench.memory.free import available
from workbench.memory.jobserver import Jobserver, why_not, write_wrappers
from workbench.memory.peaks import BASE, Peak
from workbench.text import counted

if TYPE_CHECKING:
    from workbench.build_group import BuildGroup
    from workbench.memory.admission import Grant
    from workbench.memory.peaks import Expected

FEED = 0.25
"""Seconds from one look at a build's tokens to the next; each look adds or takes back one."""

FIRST = 2
"""Jobs with which a build begins that nothing is known of."""

_SPARE = 1
"""Tokens that lie ready unused. What is beyond goes back: others may need the memory."""


class Share:
    """One build's share of the machine: at most `jobs` at once, in `group`.

    `offered` is how many it could have at once, and `used` how many it had. `fixed` says why its tools share no
    jobserver, where they do not: their number then stays the same from the beginning to the end.
    """

    def __init__(self, grant: Grant, group: BuildGroup, expected: Expected, *, jobs: int, most: int) -> None:
        self.group = group
        self.jobs = jobs
        self.used = self.offered = jobs
        self.fixed = ""
        self._grant, self._expected, self._most = grant, expected, most
        self._server: Jobserver | None = None
        self._over = threading.Event()
        self._feeder = threading.Thread(target=self._feed, daemon=True)

    def slots(self, folder: Path, path: str, inside: Callable[[str], str] = str) -> Mapping[str, str]:
        """Return the variables by which the tools on a search path share a jobserver.

        Nothing where they know none. `folder` gets its pipe, and wrappers of these tools, which `inside` tells as the
        build sees them.
        """
        self.fixed = self.fixed or why_not(path)
        if self.fixed:
            if self._expected.peak.at(self._most) > available():
                note(
                    f"· {counted(self.jobs, 'job')} from the beginning to the end, as memory is free now: {self.fixed}"
                )
            return {}
        remove_tree(folder)
        folder.mkdir()
        write_wrappers(folder / "bin", path, inside)
        self._server = Jobserver(folder / "tokens")
        self.used = 1  # until more are seen
        begin = self.jobs if not self._expected.guess else min(self.jobs, FIRST)
        self._grant.resize(begin, self._size(begin))
        self.offered = begin
        for _ in range(begin - 1):
            self._server.give()
        self._feeder.start()
        return {
            "PATH": f"{folder / 'bin'}:{path}",
            "MAKEFLAGS": f" -j{self._most} --jobserver-auth=fifo:{self._server.pipe}",
        }

    @contextmanager
    def opened(self) -> Iterator[Share]:
        """Hold it until the block's end."""
        try:
            yield self
        finally:
            self._over.set()
            if self._server:
                self._feeder.join()
                self._server.close()

    @property
    def took(self) -> Peak:
        """What the build has taken so far."""
        return Peak(peak=self.group.peak, largest=self.group.largest, jobs=self.used)

    def _feed(self) -> None:
        while self._server and not self._over.wait(FEED):
            self.follow(self._server)

    def follow(self, server: Jobserver) -> None:
        """Give one more token, or take one back, as the memory and the jobs that run now have it."""
        idle, slots = server.unused, server.given + 1
        self.used = max(self.used, slots - idle)
        enough = self._granted(slots)
        if (not enough or idle > _SPARE) and server.take():
            self._granted(slots - 1)
        elif enough and not idle and slots < self._goal() and self._granted(slots + 1):
            server.give()
            self.offered = max(self.offered, slots + 1)

    def _granted(self, jobs: int) -> bool:
        return self._grant.resize(jobs, self._size(jobs))

    def _goal(self) -> int:
        return min(self._most, FIRST + self.group.finished) if self._expected.guess else self._most

    def _size(self, jobs: int) -> int:
        """Return the bytes that it takes with a number of jobs: as expected, or as measured where that shows otherwise.

        What has just begun to compile has not taken its memory yet: each job counts as the largest so far. A guess
        stands where what has ended took less: that may have been a backend's check of the compiler.
        """
        expected, largest = self._expected.peak, self.group.largest
        measured = max(self.group.peak, BASE + jobs * largest)
        return max(expected.at(jobs), measured if largest > expected.largest else self.group.peak)
