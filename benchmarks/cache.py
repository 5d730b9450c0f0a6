"""What the caches save, in CPU seconds of this process's children: each figure is a ratio of two runs side by side.

    .venv/bin/python benchmarks/cache.py [nothing] [folder] [line] [cells] [fromager] [cuda]

``nothing``    the same command again, beside ``invoke --list``: at most 3 times as much
``folder``     packages cold, and in another folder
``line``       a package of many compile units: clean, and with one line changed
``cells``      ``build-all`` of six cells cold, beside ``python -m build`` and ``auditwheel repair`` in a loop, in
               alternated pairs; and the same again
``fromager``   one package whose wheel is there, beside fromager's warm bootstrap
``cuda``       a CUDA extension for torch: cold, and in another folder

Without words it is all but ``cuda``, which takes an hour of a small machine. CPU time counts what is waited for: of a
build on this machine all of it. Build requirements come from uv's cache. Wall time says little on a machine that is
busy with something else: then more programs at once get more of it.
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

from workbench.builders.interpreter import find_interpreter
from workbench.environment import index_environment

CHECKOUT = Path(__file__).resolve().parent.parent
INVOKE = (sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT))
PROGRAMS = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
"""The search path with the programs beside this Python, as in an activated environment."""
PAIRS = int(os.environ.get("PAIRS", "5"))
FOLDER = ("fasttext", "hnswlib", "pycocotools", "sentencepiece")
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
        env={**os.environ, "PATH": PROGRAMS, **index_environment(), **(env or {})},
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
    """Build packages cold, and in another folder."""
    first, other = (site(folder / name, folder / "cache") for name in ("first", "other"))
    for name in FOLDER:
        cold, warm = (took(*INVOKE, "build", name, env=own) for own in (first, other))
        print(f"{name} cold: {cold}; in another folder: {warm}")
        tell(f"{name} in another folder: cold beside warm", [cold.cpu / warm.cpu], least=8)


def line(folder: Path) -> None:
    """Build a package clean, and with one line changed."""
    own, tree = site(folder / "site", folder / "cache"), folder / "tree"
    took(*INVOKE, "source", UNITS, "--plain", "--to", tree, env=own)  # the build patches it
    clean = took(*INVOKE, "build", UNITS, "--source-dir", tree, env=own)
    path = tree / CHANGED
    path.write_text(f"{path.read_text()}\nint one_line_more() {{ return {os.getpid()}; }}\n")
    changed = took(*INVOKE, "build", UNITS, "--source-dir", tree, env=own)
    print(f"{UNITS} clean: {clean}; one line of {CHANGED} changed: {changed}")
    tell("one line changed: clean beside that", [clean.cpu / changed.cpu], least=5)


def cells(folder: Path) -> None:
    """Build three packages for two Pythons from nothing, beside doing that by hand."""
    sources = {name: folder / "sources" / name for name in CELLS}
    own = site(folder / "fetch", folder / "sources-cache")
    for name, source in sources.items():
        took(*INVOKE, "source", name, "--to", source, env=own)
    interpreters = [find_interpreter(python) for python in PYTHONS]
    all_of_them = (*INVOKE, "build-all", *CELLS, "--python", ",".join(PYTHONS))
    cpu, wall, again = [], [], []
    for number in range(PAIRS):
        own = site(folder / f"site-{number}", folder / f"cache-{number}")
        ours, same = took(*all_of_them, env=own), took(*all_of_them, env=own)
        by_hand = [
            step
            for source in sources.values()
            for python in interpreters
            for step in by_hand_of(source, python, folder / f"hand-{number}")
        ]
        peer = Took(sum(each.cpu for each in by_hand), sum(each.wall for each in by_hand))
        print(f"six cells: {ours}; by hand: {peer}; again: {same}", flush=True)
        cpu.append(ours.cpu / peer.cpu)
        wall.append(peer.wall / ours.wall)
        again.append(ours.wall / same.wall)
    tell("six cells cold, CPU beside build and auditwheel", cpu, most=1.15)
    tell("six cells cold, wall time of build and auditwheel beside ours", wall, least=1.5)
    tell("six cells again, wall time of the first run beside that", again, least=50)


def by_hand_of(source: Path, python: Path, folder: Path) -> tuple[Took, Took]:
    """Build a source as its documentation says it, and repair the wheel."""
    tree = folder / python.parent.parent.name / source.name
    shutil.copytree(source, tree)
    build = took("uvx", "--python", python, "--from", "build", "pyproject-build", "--wheel", tree)
    (wheel,) = (tree / "dist").glob("*.whl")
    return build, took("auditwheel", "repair", "-w", tree / "repaired", wheel)


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
    first, other = (site(folder / name, folder / "cache") for name in ("first", "other"))
    cold, warm = (took(*INVOKE, "build", *CUDA, env=own) for own in (first, other))
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
    "line": line,
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
