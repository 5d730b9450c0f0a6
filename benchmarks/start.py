"""How long ``invoke --list`` takes beside the same for an empty tasks file: at most 1.25 times as long.

python benchmarks/start.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
RUNS = 40
TARGET = 1.25


def seconds(root: Path) -> float:
    """Return the wall time of one ``invoke --list``."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "invoke", "--search-root", root, "--list"], check=True, capture_output=True
    )
    return time.perf_counter() - start


def main() -> None:
    """Measure both in turn, so that what else the machine does falls on both."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder)
        (empty / "tasks.py").write_text(
            'from invoke.tasks import task\n\n\n@task\ndef nothing(c):\n    """Do nothing."""\n'
        )
        pairs = [(seconds(CHECKOUT), seconds(empty)) for _ in range(RUNS)]
    ours, peer = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(mine / other for mine, other in pairs)
    print(f"invoke --list: {ours * 1000:.0f} ms; with an empty tasks file: {peer * 1000:.0f} ms")
    print(f"ratio {ratio:.2f} (target: at most {TARGET})")


if __name__ == "__main__":
    main()
