"""The same bytes twice: packages of the shelf and the CUDA sample, in two folders, with one job and with two."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.integration.test_samples import RECIPE
from tests.verbs.conftest import git
from workbench.files import sha256_of
from workbench.paths import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs("bwrap")


@pytest.mark.long("two packages are compiled, each twice")
def test_packages_of_the_shelf_come_out_the_same(tmp_path: Path) -> None:
    program = CHECKOUT / "benchmarks" / "reproducible.py"
    words = [sys.executable, str(program), "hnswlib", "annoy"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": identical\n") == 2


@pytest.mark.needs("aarch64-linux-gnu-g++")
@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_gpu_code_comes_out_the_same(tmp_path: Path, arch: str) -> None:
    """nvcc takes names from its process and, for an anonymous namespace, from its folder."""
    upstream = shutil.copytree(CHECKOUT / "examples" / "cuda-kernel", tmp_path / "upstream")
    git(upstream, "init", "--quiet", "--initial-branch=main")
    git(upstream, "add", ".")
    git(upstream, "commit", "--quiet", "--message", "one")
    commit = git(upstream, "rev-parse", "HEAD")
    recipe = RECIPE.format(name="cuda-kernel", url=upstream, commit=commit, smoke_test="")
    found = []
    for folder, jobs in (("first", "1"), ("another-folder", "2")):
        site = tmp_path / folder
        (site / "recipes").mkdir(parents=True)
        (site / "patches").mkdir()
        (site / "recipes" / "cuda_kernel.py").write_text(recipe)
        words = (
            "build",
            "cuda-kernel",
            "--compute",
            "cu130",
            "--arch",
            arch,
            "--python",
            "3.11",
            "--max-jobs",
            jobs,
        )
        done = invoke(*words, env={"WORKBENCH_SITE": str(site)})
        assert done.status == 0, done.stderr
        (wheel,) = (site / "wheels").glob("*.whl")
        found.append(sha256_of(wheel))
    assert found[0] == found[1]
