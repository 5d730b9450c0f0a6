"""What drawing the index costs beside dumb-pypi, in the same run: CPU and memory of whole processes.

    .venv/bin/python benchmarks/index.py [--files 100000] [--rounds 3] [--folder /dev/shm]

Both are told the same facts of the same files, 20 a project, in a folder in memory: what the disk itself costs is
the same for both and depends on the disk (`--folder` chooses another). dumb-pypi draws HTML (and the JSON of its
own that it always draws, but not its page per release); ours draws HTML and JSON, and, apart, the pages for people.
Ratios matter, not the figures: the best of some rounds, taken in turns, is compared. Chromium and its driver say how
soon the front page answers.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import resource
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from workbench.environment import Environment
from workbench.errors import ToolMissing
from workbench.process import find_program, run
from workbench.registry.file import dumps
from workbench.registry.model import Package, PublishedWheel, Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

PER_PROJECT = 20

PEAK = """
import atexit, runpy, sys
from pathlib import Path
atexit.register(lambda: print("peak", Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

DRAW = """
import sys
from pathlib import Path
from workbench.index.tree import write
from workbench.settings import IndexSettings, Settings
registry, root, people = sys.argv[1:]
print(write(Path(registry), Path(root), Settings(index=IndexSettings(people=people == "people"))))
"""


KEYSTROKES = """
const field = document.querySelector("[name=q]");
return ["4", "49", "499", "4999", "", "kern", "zzz"].map((text) => {
  const start = performance.now();
  field.value = text;
  field.dispatchEvent(new InputEvent("input", { bubbles: true }));
  document.body.getBoundingClientRect();
  return performance.now() - start;
});
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU seconds (user and system) of a process, and what it printed."""

    cpu: float
    output: str


def digest(text: str) -> str:
    """Return a hash that stands for a file's."""
    return hashlib.sha256(text.encode()).hexdigest()


def make_registry(files: int) -> Registry:
    """Return a registry of so many files, with what dumb-pypi can be told of them too."""
    sizes = random.Random(1)  # noqa: S311 - the same sizes every time
    packages = {}
    for number in range(files // PER_PROJECT):
        name = f"package-{number:05d}"
        wheels = []
        for n in range(PER_PROJECT):
            python, arch, version = 10 + n % 4, ("x86_64", "aarch64")[n // 4 % 2], f"1.{n // 8}.0"
            tags = f"cp3{python}-cp3{python}-manylinux_2_28_{arch}"
            filename = f"package_{number:05d}-{version}-{tags}.whl"
            wheels.append(
                PublishedWheel(
                    filename=filename,
                    url=f"files/{name}/{filename}",
                    python_version=f"3.{python}",
                    platform=f"manylinux_2_28_{arch}",
                    upload_date="2026-11-01",
                    sha256=digest(filename),
                    size=sizes.randrange(10**4, 10**8),
                    upload_time=f"2026-11-01T10:{n:02}:{number % 60:02}Z",
                    requires_python=">=3.9",
                    metadata_sha256=digest(f"{filename}.metadata"),
                )
            )
        packages[name] = Package(
            source_repo=f"https://example.com/{name}",
            upstream=f"https://example.com/upstream/{name}",
            description=f"Kernels number {number}, fast on every card",
            wheels=tuple(sorted(wheels, key=lambda wheel: wheel.filename)),
        )
    return Registry(generation=1, packages=packages)


def package_list(registry: Registry) -> str:
    """Return the same files as dumb-pypi reads them."""
    return "".join(
        json.dumps(
            {
                "filename": wheel.filename,
                "hash": f"sha256={wheel.sha256}",
                "requires_python": wheel.requires_python,
                "core_metadata": f"sha256={wheel.metadata_sha256}",
                "upload_timestamp": 1793527200,
            }
        )
        + "\n"
        for _, wheel in registry.wheels()
    )


class Bench:
    """The programs, and a folder that they work in."""

    def __init__(self, place: Path) -> None:
        self.place = place
        (place / "peak.py").write_text(PEAK)
        (place / "draw.py").write_text(DRAW)
        environment = Environment.create(place / "env", python=sys.executable)
        environment.install(["dumb-pypi"])
        self._peer = environment.path / "bin" / "python"
        # both run as installed programs do: from bytecode that the first round leaves, and not in the checkout
        self._environment = {
            "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(place / "bytecode"),
        }

    def measured(self, *argv: str | Path) -> Measured:
        """Run a program to its end."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = run(argv, cwd=self.place, env=self._environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        return Measured(cpu, done.output.strip())

    def draws(self, root: str, kind: str) -> tuple[str | Path, ...]:
        """Return the command that draws the index with ours."""
        return (sys.executable, "draw.py", "packages.json", root, kind)

    def peer_draws(self) -> tuple[str | Path, ...]:
        """Return the command that draws it with dumb-pypi."""
        return (
            self._peer, self._peer.with_name("dumb-pypi"), "--package-list-json", "list.json",
            "--output-dir", "peer", "--packages-url", "../../files",
            "--no-per-release-json", "--no-generate-timestamp",
        )  # fmt: skip

    def fresh(self, argv: Sequence[str | Path], root: str) -> Measured:
        """Draw an index from nothing."""
        shutil.rmtree(self.place / root, ignore_errors=True)
        return self.measured(*argv)

    def peak(self, argv: Sequence[str | Path], root: str) -> float:
        """Return the most memory, in MB, that drawing from nothing takes."""
        python, *program = argv
        output = self.fresh([python, "peak.py", *program], root).output
        return int(output.rpartition("peak ")[2]) / 1000


def best(rounds: list[Measured]) -> Measured:
    """Return the cheapest of some rounds."""
    return min(rounds, key=lambda one: one.cpu)


def main() -> None:
    """Measure, and print a line for each measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))  # noqa: S108 - memory, not a name there
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        bench = Bench(Path(name))
        registry = make_registry(options.files)
        (bench.place / "packages.json").write_text(dumps(registry))
        (bench.place / "list.json").write_text(package_list(registry))
        contenders = {
            "dumb-pypi": (bench.peer_draws(), "peer"),
            "installers": (bench.draws("installers", "installers"), "installers"),
            "people": (bench.draws("people", "people"), "people"),
        }
        turns = [[bench.fresh(*each) for each in contenders.values()] for _ in range(options.rounds)]
        peer, ours, both = (best(list(column)).cpu for column in zip(*turns, strict=True))
        memory = {name: bench.peak(*each) for name, each in contenders.items()}
        start = best([bench.measured(sys.executable, "-c", "pass") for _ in range(options.rounds)]).cpu
        count = len(registry.packages)
        print(f"{options.files} files, {count} projects, best of {options.rounds}: CPU seconds, MB")
        print(f"dumb-pypi            {peer:7.2f} {memory['dumb-pypi']:6.0f}")
        print(f"ours, for installers {ours:7.2f} {memory['installers']:6.0f}   {peer / ours:.1f} x less")
        print(
            f"and for people apart {both - ours:7.2f} {memory['people']:6.0f}   {peer / (both - ours):.1f} x less"
        )
        for kind in ("installers", "people"):
            (bench.place / "packages.json").write_text(dumps(registry))
            again = best([bench.measured(*bench.draws(kind, kind)) for _ in range(options.rounds)])
            added = best([added_wheel(bench, registry, kind, number) for number in range(options.rounds)])
            print(f"{kind}: nothing changed {again.cpu - start:.2f} s beyond Python's start, {again.output}")
            print(f"{kind}: one wheel added {added.cpu - start:.2f} s beyond Python's start, {added.output}")
        front = (bench.place / "people" / "index.html").read_bytes()
        shared = b"".join((bench.place / "people" / name).read_bytes() for name in ("style.css", "script.js"))
        loaded = len(gzip.compress(front + shared)) / 1000
        print(f"front page {len(front) / 1000:.0f} kB; with all it loads, compressed, {loaded:.0f} kB")
        try:
            slowest, usual = keystrokes(bench.place / "people")
        except (ToolMissing, ImportError) as missing:
            print(f"a keystroke in its search: not measured: {missing}")
        else:
            print(f"a keystroke in its search: {usual:.0f} ms, the slowest {slowest:.0f} ms")


def keystrokes(index: Path) -> tuple[float, float]:
    """Return how many milliseconds Chromium takes from a keystroke to the layout of what is left: most, and median."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location, driver_program = find_program("chromium"), find_program("chromedriver")
    for argument in ("headless", "no-sandbox", "disable-gpu"):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options=options, service=Service(driver_program))
    try:
        driver.get(f"{index.as_uri()}/index.html")
        times: list[float] = driver.execute_script(KEYSTROKES)
    finally:
        driver.quit()
    return max(times), median(times)


def added_wheel(bench: Bench, registry: Registry, kind: str, number: int) -> Measured:
    """Draw after a wheel more was published."""
    name = f"package-{number:05d}"
    old = registry.packages[name].wheels[0]
    filename = f"package_{number:05d}-9.0-{kind}-none-any.whl"
    wheel = {**{key: getattr(old, key) for key in old.__slots__}, "filename": filename}
    wheel |= {"url": f"files/{name}/{filename}", "sha256": digest(filename)}
    (bench.place / "packages.json").write_text(dumps(registry.with_wheel(name, PublishedWheel(**wheel))))
    return bench.measured(*bench.draws(kind, kind))


if __name__ == "__main__":
    main()
