"""What is free: the machine's memory, or less where a control group around this process has a limit."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from workbench.memory.free import available, total

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30


def write(root: Path, files: dict[str, str]) -> None:
    """Write files below a folder that stands for the whole file system."""
    meminfo = f"MemTotal: {24 << 20} kB\nMemFree: {1 << 20} kB\nMemAvailable: {20 << 20} kB\n"
    for name, text in {"proc/meminfo": meminfo, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


V2 = "sys/fs/cgroup"
V1 = "sys/fs/cgroup/memory"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"proc/self/cgroup": "0::/\n"}, 20 * GIB),
        (
            {
                "proc/self/cgroup": "0::/user/build\n",
                f"{V2}/user/build/memory.max": "max\n",
                f"{V2}/user/memory.max": f"{8 * GIB}\n",
                f"{V2}/user/memory.current": f"{5 * GIB}\n",
                f"{V2}/user/memory.stat": f"shmem {GIB}\nactive_file {GIB}\ninactive_file {2 * GIB}\n",
            },
            6 * GIB,
        ),
        (
            {
                "proc/self/cgroup": "0::/docker/host/path\n",
                f"{V2}/memory.max": f"{4 * GIB}\n",
                f"{V2}/memory.current": f"{GIB}\n",
                f"{V2}/memory.stat": "active_file 0\ninactive_file 0\n",
            },
            3 * GIB,
        ),
        (
            {
                "proc/self/cgroup": "9:cpu,cpuacct:/\n4:memory:/job\n1:name=systemd:/job\n",
                f"{V1}/memory.limit_in_bytes": "9223372036854771712\n",
                f"{V1}/memory.usage_in_bytes": f"{3 * GIB}\n",
                f"{V1}/memory.stat": "total_active_file 0\ntotal_inactive_file 0\n",
                f"{V1}/job/memory.limit_in_bytes": f"{2 * GIB}\n",
                f"{V1}/job/memory.usage_in_bytes": f"{3 * GIB}\n",
                f"{V1}/job/memory.stat": "total_active_file 0\ntotal_inactive_file 0\n",
            },
            0,
        ),
    ],
    ids=["machine", "group-around", "container", "version-1-and-full"],
)
def test_available(files: dict[str, str], expected: int, tmp_path: Path) -> None:
    write(tmp_path, files)

    assert available(tmp_path) == expected


def test_available_here() -> None:
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    assert 0 < available() <= installed


def test_no_linux(tmp_path: Path) -> None:
    write(tmp_path, {"proc/meminfo": "MemFree: 1 kB\n"})

    with pytest.raises(ValueError, match="no MemAvailable"):
        available(tmp_path)


def test_what_there_is_in_all_is_the_machines_or_a_groups(tmp_path: Path) -> None:
    write(tmp_path, {"proc/self/cgroup": "0::/user\n"})
    assert total(tmp_path) == 24 * GIB
    write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user\n",
            f"{V2}/user/memory.max": f"{8 * GIB}\n",
            f"{V2}/user/memory.current": f"{5 * GIB}\n",
        },
    )
    assert total(tmp_path) == 8 * GIB
