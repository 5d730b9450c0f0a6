"""``matrix --json``: what a CI service's jobs are, of one package and of all."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from workbench.arch import ARCHITECTURES
from workbench.paths import CHECKOUT
from workbench.pipeline.jobs import MatrixJob, grouped, recorded_costs
from workbench.plan.target import this_arch
from workbench.registry.file import load

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verbs.conftest import Demo
    from workbench.paths import Paths

RECIPE = """\
from workbench.recipe import Recipe, Sdist

recipe = Recipe(name="{name}", description="d", python=">=3.10,<3.13", {says})
"""
PIN = f'Sdist(sha256="{"0" * 64}")'


@pytest.fixture
def shelf(paths: Paths) -> Paths:
    """Return a site with a package for the processor, in two versions, and one for CUDA and torch."""
    says = {
        "plain": f'versions={{"1.0": {PIN}, "2.0": {PIN}}}',
        "kernels": f'version="3", source={PIN}, compute=("cu13*",), torch=">=2.9", '
        'local_version="{compute}pt{torch}"',
    }
    for name, said in says.items():
        (paths.recipes / f"{name}.py").write_text(RECIPE.format(name=name, says=said))
        (paths.patches / name).mkdir()
        (paths.patches / name / "series").touch()
    return paths


def told(*words: str) -> list[dict[str, str]]:
    done = invoke("matrix", *words, "--json")
    assert done.status == 0, done.stderr
    matrix: dict[str, list[dict[str, str]]] = json.loads(done.stdout)
    assert list(matrix) == ["include"], "an axis more would be one of strategy.matrix"
    return matrix["include"]


@pytest.mark.usefixtures("shelf")
def test_the_jobs_of_all_packages_have_what_releases_flags_take() -> None:
    axes = ("--compute", "cpu,cu130", "--torch", "2.11", "--arch", "all", "--python", "3.12-3.13")
    found = told(*axes)
    assert {(job["package"], job["compute"], job["torch"]) for job in found} == {
        ("plain", "cpu", ""),
        ("kernels", "cu130", "2.11"),
    }
    assert {job["arch"] for job in found} == {"x86_64", "aarch64"}, (
        "another machine may build what this one cannot"
    )
    job = next(each for each in found if each["package"] == "kernels" and each["arch"] == this_arch())
    assert job["title"] == f"kernels 3 3.12 {this_arch()} cu130 torch2.11"
    flags = [f"--{key}={job[key]}" for key in ("version", "python", "arch", "compute", "torch", "gpu")]
    planned = json.loads(invoke("build", job["package"], *flags, "--dry-run", "--json").stdout)["plans"]
    assert [plan["version"] for plan in planned] == ["3+cu130pt2.11"]


def test_filters_are_the_axes(shelf: Paths) -> None:
    both = told("plain", "--version", "all", "--python", "3.12")
    assert [(job["version"], job["python"]) for job in both] == [("1.0", "3.12"), ("2.0", "3.12")]
    assert [job["package"] for job in told("--version", "1.0", "--python", "3.12")] == ["plain"]
    senseless = invoke("matrix", "--version", "1.0", "--python", "3.12", "--json").stderr
    assert "left out: kernels: without --json, each is told with its reason" in senseless
    nothing = invoke("matrix", "--version", "7", "--python", "3.12")
    assert (nothing.status, "no version 7" in nothing.stderr) == (2, True)
    assert told("--python", "3.14") == []
    (shelf.root / "workbench.yaml").write_text("matrix: {version: all, python: '3.12'}\n")
    assert [job["version"] for job in told("plain")] == ["1.0", "2.0"]
    assert [job["version"] for job in told("plain", "--version", "1.0")] == ["1.0"]


def test_the_guide_shows_a_job_as_it_is() -> None:
    shown = re.search(
        r"^```json\n(.*?)^```$", (CHECKOUT / "docs" / "targets.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert shown
    (entry,) = json.loads(shown[1])["include"]
    assert list(entry) == list(job("3.12", 1).as_dict())


@pytest.mark.usefixtures("shelf")
def test_more_jobs_than_a_matrix_takes_are_put_together() -> None:
    axes = ("--version", "all", "--python", "all", "--arch", "all")
    every = told("plain", *axes)
    assert len(every) == 12
    few = told("plain", *axes, "--at-most", "6")
    assert len(few) == 6
    cells = {(job["version"], job["arch"], python) for job in few for python in job["python"].split(",")}
    assert cells == {(job["version"], job["arch"], job["python"]) for job in every}
    fewest = told("plain", *axes, "--at-most", "2")
    assert [(job["version"], job["python"]) for job in fewest] == [("1.0,2.0", "3.10,3.11,3.12")] * 2
    cut = invoke("matrix", "plain", *axes, "--at-most", "1", "--json")
    assert len(json.loads(cut.stdout)["include"]) == 1
    assert "2 jobs are to be done, and 1 are listed" in cut.stderr


def job(python: str, seconds: float, variant: str = "") -> MatrixJob:
    empty = dict.fromkeys(("torch", "gpu", "glibc", "what"), "")
    axes = {"python": python, "arch": "x86_64", "compute": "cpu", "variant": variant, **empty}
    return MatrixJob(package="demo", version="1", state="to build", seconds=seconds, **axes)


def test_jobs_are_balanced_by_what_builds_took() -> None:
    made = grouped([job("3.10", 9), job("3.11", 4), job("3.12", 5), job("3.13", 1)], 2)
    assert sorted((each.python, each.seconds) for each in made) == [("3.10,3.13", 10), ("3.11,3.12", 9)]
    made = grouped([job("3.10", 1), job("3.11", 1), job("3.10", 8, "big"), job("3.11", 8, "big")], 3)
    assert sorted((each.python, each.variant) for each in made) == [
        ("3.10", "big"),
        ("3.10,3.11", ""),
        ("3.11", "big"),
    ]
    (one,) = grouped([job("3.10", 1), job("3.10", 8, "big")], 1)
    assert one.variant == "usual,big"
    assert sorted(each.python for each in grouped([job("3.10", 0), job("3.11", 0), job("3.12", 0)], 2)) == [
        "3.10,3.12",
        "3.11",
    ]
    changed = replace(job("3.12", 1), state="changed")  # whose job fails, and takes no other along
    made = grouped([job("3.10", 1), job("3.11", 1), changed], 1)
    assert [(each.python, each.state) for each in made] == [("3.10,3.11", "to build"), ("3.12", "changed")]


def test_what_is_published_is_left_out_and_the_output_of_a_step_is_written(
    released: Demo, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    output.write_text("earlier=1\n")
    done = invoke("matrix", "--github-output", env={"GITHUB_OUTPUT": str(output)})
    assert done.status == 0, done.stderr
    assert output.read_text() == 'earlier=1\nmatrix={"include": []}\ncount=0\n'
    costs = recorded_costs(load(released.paths.registry), tmp_path)
    assert costs.keys() == {("demo", "cpu")}
    (kept,) = told("demo", "--all")
    assert kept["state"] == "published"
    released.patch.write_text(released.patch.read_text().replace("right", "very right"))
    (changed,) = told("demo")
    assert changed["state"] == "changed", "its key is not published"


@pytest.mark.usefixtures("shelf")
def test_a_step_output_needs_its_file() -> None:
    done = invoke("matrix", "plain", "--github-output", "--python", "3.12", env={"GITHUB_OUTPUT": ""})
    assert (done.status, "GITHUB_OUTPUT is not set" in done.stderr) == (2, True)


@pytest.mark.usefixtures("shelf")
def test_flags_take_the_words_of_other_tools() -> None:
    assert {job["arch"] for job in told("plain", "--platform", "linux/arm64,linux/amd64")} == set(
        ARCHITECTURES
    )
    (native,) = told("plain", "--builder", "native", "--python", "3.12")
    assert native["what"] == "by host: as asked"
    twice = invoke("matrix", "plain", "--platform", "linux/arm64", "--arch", "x86-64")
    assert (twice.status, "--arch is given twice" in twice.stderr) == (2, True)
