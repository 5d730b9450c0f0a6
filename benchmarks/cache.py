"""What the caches save, in CPU seconds of this process's children: each figure is a ratio of two runs side by side.

    .venv/bin/python benchmarks/cache.py [nothing] [folder] [cells] [fromager] [cuda]

``nothing``    the same command again, beside ``invoke --list``: at most 3 times as much
``folder``     a package of many compile units: cold, in another folder, and with one line changed
``cells``      six cells cold, beside ``python -m build`` and ``auditwheel repair`` by hand, in alternated pairs
``fromager``   one package whose wheel is there, beside fromager's warm bootstrap
``cuda``       a CUDA extension for torch: cold, and in another folder

Without words it is all but ``cuda``, which takes an hour of a small machine. CPU time counts what is waited for: of a
build on this machine all of it. Build requirements come from uv's cache.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from workbench.environment import index_environment

CHECKOUT = Path(__file__).resolve().parent.parent
INVOKE = (sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT))
PAIRS = int(os.environ.get("PAIRS", "5"))
UNITS = "fasttext"
"""A package of many compile units, and the file in which a line is changed."""
CHANGED = "src/args.cc"
CELLS = ("annoy", "pyahocorasick", "pycocotools")
PYTHONS = ("3.11", "3.12")
CUDA = ("causal-conv1d", "--compute", "cu130", "--gpu", "sm_121", "--torch", "2.11")


@dataclass(frozen=True)
class Took:
    """CPU and wall seconds."""

    cpu: float
    wall: float

    def __str__(self) -> str:
        return f"{self.cpu:.1f} s of CPU, {self.wall:.0f} s"


def took(*words: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> Took:
    """Run a program to its end."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        words,
        env={**os.environ, **index_environment(), **(env or {})},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}\n{done.stdout}\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(cpu, time.perf_counter() - start)


def site(folder: Path, cache: Path) -> dict[str, str]:
    """Make a site with the recipes of this checkout; return the variables that name it and its cache."""
    for each in ("recipes", "patches"):
        shutil.copytree(CHECKOUT / each, folder / each)
    return {"WORKBENCH_SITE": str(folder), "WORKBENCH_CACHE": str(cache)}


def nothing(folder: Path) -> None:
    """Build a package whose wheel is there, beside ``invoke --list``."""
    own = site(folder / "site", folder / "cache")
    took(*INVOKE, "build", "pyahocorasick", env=own)
    pairs = [
        (took(*INVOKE, "build", "pyahocorasick", env=own), took(*INVOKE, "--list", env=own))
        for _ in range(max(PAIRS, 5))
    ]
    tell("nothing to do, beside invoke --list", [again.cpu / listed.cpu for again, listed in pairs], most=3)


def other_folder(folder: Path) -> None:
    """Build a package cold, in another folder, and with one line changed."""
    cache = folder / "cache"
    first, other = (site(folder / name, cache) for name in ("first", "other"))
    tree = folder / "tree"
    took(*INVOKE, "source", UNITS, "--plain", "--to", tree, env=first)  # the build patches it
    cold = took(*INVOKE, "build", UNITS, env=first)
    warm = took(*INVOKE, "build", UNITS, env=other)
    print(f"{UNITS} cold: {cold}; in another folder: {warm}")
    tell("another folder: cold beside warm", [cold.cpu / warm.cpu], least=8)
    path = tree / CHANGED
    path.write_text(f"{path.read_text()}\nint one_line_more() {{ return {os.getpid()}; }}\n")
    line = took(*INVOKE, "build", UNITS, "--source-dir", tree, env=other)
    print(f"one line of {CHANGED} changed: {line}")
    tell("one line changed: clean beside that", [cold.cpu / line.cpu], least=5)


def cells(folder: Path) -> None:
    """Build three packages for two Pythons from nothing, beside doing that by hand."""
    ratios = []
    sources = {}
    for name in CELLS:
        sources[name] = folder / "sources" / name
        own = site(folder / f"fetch-{name}", folder / "sources-cache")
        took(*INVOKE, "source", name, "--to", sources[name], env=own)
    for number in range(PAIRS):
        own = site(folder / f"site-{number}", folder / f"cache-{number}")
        ours = [took(*INVOKE, "build", name, "--python", ",".join(PYTHONS), env=own) for name in CELLS]
        peer = [
            by_hand(sources[name], python, folder / f"hand-{number}") for name in CELLS for python in PYTHONS
        ]
        cpu, other = sum(each.cpu for each in ours), sum(each.cpu for each in peer)
        print(f"six cells: {cpu:.1f} s of CPU; by hand {other:.1f}")
        ratios.append(cpu / other)
    tell("six cells cold, beside build and auditwheel", ratios, most=1.15)


def by_hand(source: Path, python: str, folder: Path) -> Took:
    """Build a source as its documentation says it, and repair the wheel."""
    tree = folder / python / source.name
    shutil.copytree(source, tree)
    build = took("uvx", "--python", python, "--from", "build", "pyproject-build", "--wheel", tree)
    (wheel,) = (tree / "dist").glob("*.whl")
    repair = took("auditwheel", "repair", "-w", tree / "repaired", wheel)
    return Took(build.cpu + repair.cpu, build.wall + repair.wall)


def fromager(folder: Path) -> None:
    """Build a package whose wheel is there, beside a bootstrap of the same by fromager that has all of it."""
    own = site(folder / "site", folder / "cache")
    took(*INVOKE, "build", "annoy", env=own)
    work = folder / "fromager"
    work.mkdir()
    (work / "constraints.txt").write_text("")
    bootstrap = ("uvx", "fromager", "--no-cleanup", "bootstrap", "annoy==1.17.3")
    took(*bootstrap, cwd=work)
    pairs = [(took(*INVOKE, "build", "annoy", env=own), took(*bootstrap, cwd=work)) for _ in range(3)]
    print(f"annoy again: {pairs[0][0]}; fromager: {pairs[0][1]}")
    tell("one package again, beside fromager's", [ours.cpu / peer.cpu for ours, peer in pairs], most=0.34)


def cuda(folder: Path) -> None:
    """Build a CUDA extension for torch cold, and in another folder."""
    cache = Path(os.environ.get("WORKBENCH_CACHE") or folder / "cache")
    cold, warm = (
        took(*INVOKE, "build", *CUDA, env=site(folder / name, cache)) for name in ("first", "other")
    )
    print(f"{CUDA[0]} cold: {cold}; in another folder: {warm}")
    tell("a CUDA extension in another folder: cold beside warm", [cold.cpu / warm.cpu], least=10)


def tell(
    what: str, ratios: Sequence[float], *, most: float | None = None, least: float | None = None
) -> None:
    """Print the median of some ratios, and what it should be."""
    target = f"at most {most}" if most else f"at least {least}"
    print(f"{what}: {statistics.median(ratios):.2f} (target: {target}; {len(ratios)} runs)", flush=True)


MEASURES: dict[str, Callable[[Path], None]] = {
    "nothing": nothing,
    "folder": other_folder,
    "cells": cells,
    "fromager": fromager,
    "cuda": cuda,
}


def main() -> None:
    """Measure what is asked for."""
    for word in sys.argv[1:] or [word for word in MEASURES if word != "cuda"]:
        with tempfile.TemporaryDirectory(prefix="cache-benchmark-") as folder:
            MEASURES[word](Path(folder))


if __name__ == "__main__":
    main()
