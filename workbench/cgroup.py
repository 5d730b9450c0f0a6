"""Control groups (cgroups(7)), versions 1 and 2: which one a process's memory is counted in, and what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """A group that memory is counted in, of version 1 or 2."""

    folder: Path
    version: int

    def limit(self) -> int | None:
        """Return the bytes that it may use; None where it has no limit of its own."""
        path = self.folder / ("memory.max" if self.version > 1 else "memory.limit_in_bytes")
        text = path.read_text(encoding="ascii").strip() if path.is_file() else "max"
        return None if text == "max" else int(text)

    def used(self) -> int:
        """Return the bytes that it uses, but for what only caches files. Raises OSError where it is gone."""
        stat = dict(line.split() for line in self._read("memory.stat").splitlines())
        total = "" if self.version > 1 else "total_"
        usage = self._read("memory.current" if self.version > 1 else "memory.usage_in_bytes")
        # shared memory is counted as a file's too, but nothing can drop it: these two lists leave it out
        return max(0, int(usage) - int(stat[f"{total}active_file"]) - int(stat[f"{total}inactive_file"]))

    def kills(self) -> int:
        """Return how many of its processes were killed because memory ran out. Raises OSError where it is gone."""
        text = self._read("memory.events" if self.version > 1 else "memory.oom_control")
        found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
        return int(found[1]) if found else 0

    def processes(self) -> tuple[int, ...]:
        """Return the processes in it; none where it is gone."""
        try:
            return tuple(map(int, self._read("cgroup.procs").split()))
        except OSError:
            return ()

    def _read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="ascii")


def group_at(folder: Path) -> ControlGroup:
    """Return the group that a folder is."""
    return ControlGroup(folder, 2 if (folder / "memory.current").exists() else 1)


def groups_of(process: int | str = "self", root: Path = Path("/")) -> Iterator[ControlGroup]:
    """Yield the groups that a process's memory is counted in, from its own outwards.

    Of version 2 there is one hierarchy, of version 1 one for memory. In a container the path may be the host's, whose
    folders are not there; the top of the hierarchy is then the container's own. Raises OSError where there is no such
    process.
    """
    for line in (root / f"proc/{process}/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top, version, mark = root / "sys/fs/cgroup", 2, "memory.current"
        elif "memory" in controllers.split(","):
            top, version, mark = root / "sys/fs/cgroup/memory", 1, "memory.usage_in_bytes"
        else:
            continue
        own = top / path.strip("/")
        for folder in (own, *own.parents):
            if folder.is_relative_to(top) and (folder / mark).is_file():
                yield ControlGroup(folder, version)
