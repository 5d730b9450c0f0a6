"""What repairing a large wheel takes beside ``auditwheel repair``, in the same run.

    .venv/bin/python benchmarks/repair.py [WHEEL]

Without a wheel it takes cuBLAS for aarch64 from the package index, 560 MB and 725 MB unpacked, with its platform tag
taken away again. Twice: as it is, and with one library that searches a path of the build host, so that one member
changes. auditwheel deflates everything anew in both cases, and leaves the path where it is.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from workbench.console import answer_table
from workbench.environment import index_environment
from workbench.process import run
from workbench.text import file_size
from workbench.wheel.assemble import assemble
from workbench.wheel.rename import retag, retagged

REPAIR = """
import sys
from pathlib import Path
from workbench.repair.repair import repair
repair(Path(sys.argv[1]), Path(sys.argv[2]))
"""

AT_LEAST = 3.0
"""Times less CPU than auditwheel takes."""


def main() -> None:
    """Print a row for each case; fail where ours is not clearly faster."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", nargs="?", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        published = options.wheel or fetch(folder)
        plain, pathed = folder / "plain", folder / "pathed"
        rows = [
            compare("nothing changes", raw(published, plain), folder),
            compare("one RPATH changes", raw(published, pathed, rpath="/opt/build/lib"), folder),
        ]
    columns = (
        "case",
        "wheel",
        "auditwheel s",
        "CPU",
        "size",
        "ours s",
        "CPU",
        "size",
        "times as fast",
        "in CPU",
    )
    answer_table(columns, rows)
    assert all(float(row[-1]) > AT_LEAST for row in rows)


def fetch(into: Path) -> Path:
    """Download cuBLAS for aarch64."""
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in (17, 24, 27, 28)]
    argv = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        *platforms,
    ]
    run([*argv, "--dest", into, "nvidia-cublas>=13"], env=index_environment())
    (wheel,) = into.glob("*.whl")
    return wheel


def raw(published: Path, into: Path, rpath: str = "") -> Path:
    """Return the wheel as a build backend would have made it, with an RPATH in its smallest library if asked for."""
    into.mkdir()
    arch = "aarch64" if "aarch64" in published.name else "x86_64"
    changed: dict[str, Path | bytes] = dict(retag(published, [f"linux_{arch}"]))
    if rpath:
        with zipfile.ZipFile(published) as archive:
            libraries = [member for member in archive.infolist() if ".so" in member.filename]
            smallest = min(libraries, key=lambda member: member.file_size).filename
            archive.extract(smallest, into)
        run(["patchelf", "--set-rpath", f"$ORIGIN:{rpath}", into / smallest])
        changed[smallest] = into / smallest
    wheel = into / retagged(published.name, [f"linux_{arch}"])
    assemble(wheel, base=published, made=published, changed=changed)
    return wheel


def compare(case: str, wheel: Path, folder: Path) -> tuple[str, ...]:
    """Repair one wheel with both."""
    out = folder / wheel.parent.name
    peer = measure([sys.executable, "-m", "auditwheel", "repair", "-w", str(out / "peer"), str(wheel)])
    ours = measure([sys.executable, "-c", REPAIR, str(wheel), str(out / "ours")])
    made = [next((out / which).glob("*.whl")) for which in ("peer", "ours")]
    cells = [
        (f"{wall:.1f}", f"{cpu:.1f}", file_size(path.stat().st_size))
        for (wall, cpu), path in zip((peer, ours), made, strict=True)
    ]
    ratios = (f"{peer[0] / ours[0]:.1f}", f"{peer[1] / ours[1]:.1f}")
    for path in made:
        path.unlink()
    return (case, file_size(wheel.stat().st_size), *cells[0], *cells[1], *ratios)


def measure(argv: list[str]) -> tuple[float, float]:
    """Run a program and return its wall and CPU seconds, what it started included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    run(argv, env={"PYTHONPATH": os.fspath(Path(__file__).resolve().parent.parent)})
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
