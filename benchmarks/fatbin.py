"""What reading the GPU code of large libraries costs, and whether cuobjdump says the same of them.

    .venv/bin/python benchmarks/fatbin.py [LIBRARY…] [--rounds 3]

Without a library it takes those of cuBLAS for aarch64 from the package index: 725 MB. Each is read in a process of
its own. cuobjdump writes ``sm_120f`` as ``sm_120`` and lists nothing that a library loads by itself, so both are
brought to that before they are compared.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from workbench.console import answer_table
from workbench.environment import index_environment
from workbench.errors import CommandFailed
from workbench.process import run
from workbench.text import file_size

FLOOR_MB_S, MOST_MB = 200, 200

READ = """
import json, sys, time
from pathlib import Path
from workbench.wheel.fatbin import FatbinReader
path = Path(sys.argv[1])
start = time.process_time()
reader = FatbinReader(path.name, path.stat().st_size)
buffer = memoryview(bytearray(256 << 10))
with path.open("rb", buffering=0) as file:
    while count := file.readinto(buffer):
        reader.feed(buffer[:count])
assert not reader.again
code = reader.finish()
seconds = time.process_time() - start
status = Path("/proc/self/status").read_text()
memory = int(status.partition("VmHWM:")[2].split()[0]) * 1024
print(json.dumps([seconds, memory, code.as_dict() if code else {"linked": {}, "embedded": {}}]))
"""


def main() -> None:
    """Print a row for each library; fail where a figure or an answer is not as it must be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("libraries", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cuobjdump = fetch(Path(folder, "tool"), "nvidia-cuda-cuobjdump>=13.2") / "nvidia/cu13/bin/cuobjdump"
        cuobjdump.chmod(0o755)
        libraries = options.libraries or cublas(Path(folder, "cublas"))
        rows = [measure(library, cuobjdump, options.rounds) for library in libraries]
    answer_table(("library", "size", "CPU s", "MB/s", "memory", "cuobjdump s", "entries", "the same"), rows)
    assert all(row[-1] != "no" for row in rows)


def fetch(into: Path, requirement: str, *options: str) -> Path:
    """Unpack a wheel from the package index."""
    target = ["uv", "pip", "install", "--quiet", "--no-deps", "--target", str(into)]
    run([*target, *options, requirement], env=index_environment())
    return into


def cublas(into: Path) -> list[Path]:
    """Return the large libraries of cuBLAS for aarch64."""
    fetch(into, "nvidia-cublas>=13", "--python-platform", "aarch64-manylinux_2_28")
    return sorted(into.glob("nvidia/cu13/lib/libcublas*.so.*"))


def measure(library: Path, cuobjdump: Path, rounds: int) -> tuple[str, ...]:
    """Read one library, the best of some rounds, and compare."""
    results = [json.loads(run([sys.executable, "-c", READ, library]).output) for _ in range(rounds)]
    seconds, memory, code = min(results, key=lambda result: float(result[0]))
    size = library.stat().st_size
    rate = size / seconds / 1e6
    ours = Counter[str]()
    for name, count in code["linked"].items():
        if not name.startswith("lto"):
            ours[name.removesuffix("f")] += count
    theirs, took = listed(cuobjdump, library)
    assert rate >= FLOOR_MB_S, f"{library.name}: {rate:.0f} MB/s"
    assert memory <= MOST_MB << 20, f"{library.name}: {file_size(memory)}"
    return (
        library.name,
        file_size(size),
        f"{seconds:.2f}",
        f"{rate:.0f}",
        file_size(memory),
        f"{took:.1f}",
        f"{ours.total()} + {sum(code['embedded'].values())} embedded",
        "it cannot read it" if theirs is None else "yes" if theirs == ours else "no",
    )


def listed(cuobjdump: Path, library: Path) -> tuple[Counter[str] | None, float]:
    """Return what cuobjdump lists, None where it fails, and the seconds that it took."""
    try:
        lists = [run([cuobjdump, f"--list-{kind}", library]) for kind in ("elf", "ptx")]
    except CommandFailed:
        return None, 0.0
    names = re.findall(r"\.(sm_\d+a?)\.(cubin|ptx)", "".join(done.output for done in lists))
    found = Counter(name if kind == "cubin" else name.replace("sm", "compute") for name, kind in names)
    return found, sum(done.seconds for done in lists)


if __name__ == "__main__":
    main()
