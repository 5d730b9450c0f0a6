"""How many compilers may run at once: no more than there is memory for.

One ``nvcc`` takes gigabytes. With one for each processor a machine of many cores runs out of memory, and the kernel
kills a compiler, whose last words then give no reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

CUDA_JOB = 3.1
"""Gigabytes that one nvcc takes at its peak for a heavy unit of one architecture, where a recipe does not say more."""


def jobs(requested: int | None, cpus: int, available_bytes: int, per_job_bytes: int) -> int:
    """Return how many jobs to run at once: the number `requested`, or `cpus`, as far as memory goes; at least one.

    `per_job_bytes` is what a job takes at its peak, 0 for no limit.
    """
    wanted = cpus if requested is None else requested
    return max(1, min(wanted, available_bytes // per_job_bytes)) if per_job_bytes else wanted


def available(root: Path = Path("/")) -> int:
    """Return how many bytes new processes can take: the machine's, or fewer where a control group limits this one.

    What only caches files counts as available. On a machine whose GPU has no memory of its own (GB10), what the GPU has
    taken is gone here too. `root` has ``proc`` and ``sys``; raises OSError or ValueError where they are not Linux's.
    """
    return min([_of_machine(root), *_of_groups(root)])


def _of_machine(root: Path) -> int:
    meminfo = root / "proc/meminfo"
    found = re.search(r"^MemAvailable: *(\d+) kB$", meminfo.read_text(encoding="ascii"), re.MULTILINE)
    if not found:
        raise ValueError(f"{meminfo}: no MemAvailable")
    return int(found[1]) << 10


def _of_groups(root: Path) -> Iterator[int]:
    """Yield what is left in each control group (cgroups(7)) with a limit, this process's own and those around it.

    Of version 2 there is one hierarchy, of version 1 one for memory. In a container the path may be the host's, whose
    folders are not there; the top of the hierarchy is then the container's own.
    """
    for line in (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "")
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
        else:
            continue
        group = top / path.strip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(top) and (left := _left(folder, *names)) is not None:
                yield left


def _left(folder: Path, limit: str, usage: str, prefix: str) -> int | None:
    """Return what is left of a control group's limit; None without one. `prefix` is that of the statistics' names."""
    if not (folder / limit).is_file():
        return None
    text = (folder / limit).read_text(encoding="ascii").strip()
    if text == "max":
        return None
    stat = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
    # shared memory is counted as a file's too, but nothing can drop it: these two lists leave it out
    droppable = int(stat[f"{prefix}active_file"]) + int(stat[f"{prefix}inactive_file"])
    used = int((folder / usage).read_text(encoding="ascii")) - droppable
    return max(0, int(text) - used)
