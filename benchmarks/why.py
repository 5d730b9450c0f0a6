"""How long a warm ``gw why`` of three packages takes, beside Python's import of `packaging.tags` and beside gpkg.

    .venv/bin/python benchmarks/why.py [--runs 15]

The sources are three repositories with real names, served on loopback once: ours and gpkg's cache of them is fresh, so
nobody asks the network. All are whole processes, timed in turns (CPU seconds, children included). gpkg is given its own
cache and resolves the same three packages, with ``--explain``. Both do so twice: told torch, CUDA and Python, and as
one types it, in an environment with PyTorch's own torch from the package index, where both find these out. (The driver
and the GPU, which gpkg does not look at, are given to ours.)
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.consume.github_server import github
from tests.consume.names import released
from tests.wheels import files_of, packed
from workbench.environment import index_environment
from workbench.process import run

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGES = ("flash-attn", "causal-conv1d", "mamba-ssm")
FACTS = (
    "--torch=2.11.0+cu130",
    "--driver=580.95.05",
    "--gpu=12.1",
    "--arch=aarch64",
    "--glibc=2.39",
    "--python=3.12",
)
FOUND = ("--driver=580.95.05", "--gpu=9.0")
PEER, TORCH = "gpkg==0.4.3", "torch==2.11.*"
TAGS, AHEAD = 5, 8
HERE = f"cp3{sys.version_info.minor}"


def cpu(argv: list[str], environ: dict[str, str], folder: Path) -> float:
    """Return the CPU seconds of a process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, env=environ, cwd=folder, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def wheel_of(package: str, filename: str) -> bytes:
    """Return a wheel of a name: METADATA is read of the one that is chosen."""
    _, version, tag = filename.removesuffix(".whl").split("-", 2)
    return packed(files_of(name=package, version=version, tag=tag))


def main() -> None:
    """Measure the three in turns and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name, github() as server:
        place = Path(name)
        entries, theirs = ["shipped = false"], []
        cached = place / "gpkg" / "releases"
        cached.mkdir(parents=True)
        for package in PACKAGES:
            module, repository = package.replace("-", "_"), f"ada/{package}"
            names = [each.replace("flash_attn-", f"{module}-", 1) for each in released()]
            fitting = [each for each in names if f"torch2.11-{HERE}" in each or "torch2.11-cp312" in each]
            contents = {each: wheel_of(package, each) for each in fitting}
            served = server.repository(repository).release("v1", names, contents=contents)
            entries.append(
                f'[[sources]]\nname = "{package}"\nkind = "github"\nrepository = "{repository}"\n'
                f'packages = ["{package}"]\napi = "{server.api}"'
            )
            theirs.append(
                f'[[sources]]\npackage = "{package}"\ntype = "github"\nrepo = "{repository}"\ncuda_style = "full"\n'
                f'wheel_name = "{module}-{{version}}+cu{{cuda}}torch{{torch}}-{{pytag}}-{{platform}}.whl"'
            )
            kept = {"_timestamp": time.time(), "data": [served]}
            (cached / f"ada_{package}_8.json").write_text(json.dumps(kept))
        (place / "sources.toml").write_text("\n".join(entries))
        (place / "gpkg.toml").write_text("\n".join(theirs))
        run(["uv", "venv", "--quiet", f"--python={sys.executable}", place / "peer"])
        peer = place / "peer" / "bin"
        run(
            ["uv", "pip", "install", "--quiet", f"--python={peer / 'python'}", PEER, TORCH],
            env=index_environment(),
        )
        environ = {
            **os.environ,
            "GPUWHEELS_REGISTRY": str(place / "sources.toml"),
            "GPUWHEELS_CACHE": str(place / "cache"),
            "XDG_CACHE_HOME": str(place),
            "PYTHONPATH": str(CHECKOUT),
            "VIRTUAL_ENV": str(place / "peer"),
        }
        ours = [sys.executable, "-m", "workbench.program.gpuwheels", "why", *PACKAGES]
        gpkg = [str(peer / "gpkg"), *PACKAGES, f"--registry={place / 'gpkg.toml'}", "--explain"]
        told = ["--torch=2.11", "--cuda=130", "--python=3.12", "--platform=linux_aarch64"]
        lines = (
            [sys.executable, "-c", "import packaging.tags"],
            [*ours, *FACTS],
            [*gpkg, *told],
            [*ours, *FOUND],
            gpkg,
        )
        for argv in lines:  # once each, so that what they keep is kept
            cpu(argv, environ, place)
        rows = [[cpu(argv, environ, place) for argv in lines] for _ in range(runs)]
    tags, mine, other, found, other_found = (
        statistics.median(column) * 1000 for column in zip(*rows, strict=True)
    )
    over = statistics.median(row[1] / row[0] for row in rows)
    ahead, ahead_found = (statistics.median(row[at + 1] / row[at] for row in rows) for at in (1, 3))
    print(f"gw why of {len(PACKAGES)} packages, warm: {mine:.0f} ms of CPU; gpkg --explain: {other:.0f} ms")
    print(f"import packaging.tags: {tags:.0f} ms: ours is {over:.2f} times that (target: at most {TAGS})")
    print(f"both told torch, CUDA and Python: gpkg takes {ahead:.1f} times as long")
    print(
        f"both find them, with {TORCH} installed: {found:.0f} ms and {other_found:.0f} ms, {ahead_found:.1f} times as "
        f"long (target: at least {AHEAD})"
    )
    assert over <= TAGS
    assert ahead_found >= AHEAD


if __name__ == "__main__":
    main()
