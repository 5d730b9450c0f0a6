"""How much memory new processes can have: the machine's, or that of the control groups around this process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from workbench.cgroup import groups_of


def available(root: Path = Path("/")) -> int:
    """Return how many bytes new processes can take: the machine's, or fewer where a control group limits this one.

    What only caches files counts as available. On a machine whose GPU has no memory of its own (GB10), what the GPU has
    taken is gone here too. `root` has ``proc`` and ``sys``; raises OSError or ValueError where they are not Linux's.
    """
    return min([_of_machine(root, "MemAvailable"), *_of_groups(root)])


def total(root: Path = Path("/")) -> int:
    """Return how many bytes there are in all, for whoever waits until they are free; `root` is as for `available`."""
    limits = (group.limit() for group in groups_of(root=root))
    return min([_of_machine(root, "MemTotal"), *(limit for limit in limits if limit is not None)])


def _of_machine(root: Path, name: str) -> int:
    meminfo = root / "proc/meminfo"
    found = re.search(rf"^{name}: *(\d+) kB$", meminfo.read_text(encoding="ascii"), re.MULTILINE)
    if not found:
        raise ValueError(f"{meminfo}: no {name}")
    return int(found[1]) << 10


def _of_groups(root: Path) -> Iterator[int]:
    """Yield what is left in each control group with a limit, this process's own and those around it."""
    for group in groups_of(root=root):
        if (limit := group.limit()) is not None:
            yield max(0, limit - group.used())
