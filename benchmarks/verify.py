"""What verification costs beside ``wheel unpack``, in the same run: CPU, memory, and what a second worker brings.

    .venv/bin/python benchmarks/verify.py [--megabytes 1000] [--rounds 3]

Both read a wheel made for this, half of it text-like and half of it noise, as libraries are. Ratios matter, not
the figures: the best of some rounds is compared, in CPU seconds (user and system) of whole processes.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import random
import resource
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from workbench.environment import Environment
from workbench.process import run

READ_ONE = """
import sys, zlib
from pathlib import Path
from workbench.verify import archive
from workbench.verify.checks import check
from workbench.wheel import content
if sys.argv[1] == "zlib":
    content.deflate = zlib
findings = check(archive.read(Path(sys.argv[2]))).findings
assert not findings, findings
status = Path("/proc/self/status").read_text()
print(status.partition("VmHWM:")[2].split()[0])
"""

VERIFY_MANY = """
import sys
from pathlib import Path
from workbench.paths import Paths
from workbench.verify.report import Expectation
from workbench.verify.verifier import verify
site, jobs, *wheels = sys.argv[1:]
reports = verify([Expectation(path=Path(wheel)) for wheel in wheels], Paths(Path(site)), jobs=int(jobs))
assert all(report.passed for report in reports)
"""

LARGEST_MEMBER = 32 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The best of some rounds: CPU seconds, wall seconds, and what was printed."""

    cpu: float
    wall: float
    printed: str


def measure(argv: list[str | Path], *, rounds: int) -> Measured:
    """Run a program some times."""
    best = None
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.monotonic()
        done = run(argv)
        wall = time.monotonic() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if best is None or cpu < best.cpu:
            best = Measured(cpu=cpu, wall=wall, printed=done.output.strip())
        best = Measured(cpu=best.cpu, wall=min(wall, best.wall), printed=best.printed)
    assert best is not None
    return best


def make_wheel(path: Path, megabytes: int) -> None:
    """Write a wheel of about this many megabytes, in members of up to 32 MiB."""
    length = min(LARGEST_MEMBER, megabytes << 20)
    name, version, _ = path.name.split("-", 2)
    info = f"{name}-{version}.dist-info"
    rows = []
    # a vocabulary gives matches and literals in the proportions of machine code and text: about 0.4 of its size
    words = [os.urandom(random.randint(3, 9)) for _ in range(4096)]  # noqa: S311 - filler
    written = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as out:

        def add(member: str, content: bytes) -> None:
            nonlocal written
            out.writestr(member, content)
            written = out.start_dir
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            rows.append(f"{member},sha256={digest},{len(content)}")

        number = 0
        while written < megabytes * 1_000_000:
            noise = os.urandom(length // 4)
            text = b"".join(random.choices(words, k=length // 8))  # noqa: S311 - filler
            add(f"demo/data{number}.bin", noise + text[: length * 3 // 4])
            number += 1
        add("demo/__init__.py", b"")
        add(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n".encode())
        add(f"{info}/WHEEL", b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        out.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,", ""]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        wheel = folder / "big-1.0-py3-none-any.whl"
        make_wheel(wheel, options.megabytes)
        with zipfile.ZipFile(wheel) as archive:
            inflated = sum(member.file_size for member in archive.infolist())
        print(
            f"{wheel.stat().st_size / 1e6:.0f} MB, {inflated / 1e6:.0f} MB unpacked, {options.rounds} rounds"
        )
        compare_with_unpack(folder, wheel, options.rounds)
        wheel.unlink()
        compare_workers(folder, max(1, options.megabytes // 4), options.rounds)


def compare_with_unpack(folder: Path, wheel: Path, rounds: int) -> None:
    """Print CPU beside ``wheel unpack``, and the memory of ours."""
    environment = Environment.create(folder / "env", python=sys.executable)
    environment.install(["wheel"])
    unpack: list[str | Path] = [
        environment.python,
        "-m",
        "wheel",
        "unpack",
        "--dest",
        folder / "unpacked",
        wheel,
    ]
    theirs = measure(unpack, rounds=rounds)
    print(f"wheel unpack   {theirs.cpu:6.2f} s CPU")
    for inflater in ("isal", "zlib"):
        ours = measure([sys.executable, "-c", READ_ONE, inflater, wheel], rounds=rounds)
        memory = int(ours.printed) / 1024
        print(
            f"ours, {inflater}     {ours.cpu:6.2f} s CPU  {ours.cpu / theirs.cpu:.2f} x  {memory:.0f} MB at most"
        )


def compare_workers(folder: Path, megabytes: int, rounds: int) -> None:
    """Print how much sooner eight wheels are done with two workers than with one."""
    first = folder / "part-1.0-py3-none-any.whl"
    make_wheel(first, megabytes)
    wheels = [first, *(first.with_name(f"part-1.0-{number}-py3-none-any.whl") for number in range(1, 8))]
    for wheel in wheels[1:]:
        os.link(first, wheel)
    run_many: list[str | Path] = [sys.executable, "-c", VERIFY_MANY, folder]
    # in turn, for a machine that others use as well is slow for a while and quick again
    walls = [[measure([*run_many, jobs, *wheels], rounds=1).wall for jobs in "12"] for _ in range(rounds)]
    one, two = (min(column) for column in zip(*walls, strict=True))
    ratio = one / two
    print(f"8 wheels of {megabytes} MB: one worker {one:.2f} s, two {two:.2f} s, {ratio:.2f} x faster")


if __name__ == "__main__":
    main()
