"""The shipped recipes for CUDA: their patched setup.py does what it is told, and says so when it cannot."""

from __future__ import annotations

import json
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from workbench.patches.apply import apply_series
from workbench.patches.series import read_series
from workbench.paths import CHECKOUT, Paths
from workbench.plan.axes import Axes
from workbench.plan.draft import drafts
from workbench.plan.target import cross
from workbench.process import run
from workbench.recipe.load import load
from workbench.recipe.model import Sdist
from workbench.source.sdist import fetch_sdist
from workbench.source.unpacking import unpack

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.plan.draft import Draft
    from workbench.recipe.model import Recipe

PATHS = Paths(CHECKOUT)
RECIPES = ("causal-conv1d", "torch-scatter")
HARD_CODED = ("causal-conv1d",)
"""Upstreams with a list of GPU architectures of their own."""

SETUP = """\
# Run ./setup.py up to the compiler, on a machine without a GPU, with a torch that was built for CUDA 13.0, and print
# what each extension would be compiled with.
import json, os, runpy, sys
from types import ModuleType, SimpleNamespace

def module(name, **members):
    sys.modules[name] = ModuleType(name)
    vars(sys.modules[name]).update(members)

def extension(name, sources, *, extra_compile_args, **_):
    return {"name": name, "nvcc": extra_compile_args.get("nvcc", [])}

class BuildExtension:
    options = {}

    @classmethod
    def with_options(cls, **options):
        cls.options.update(options)
        return cls

def setup(*, ext_modules, **_):
    print("\\n" + json.dumps({"extensions": ext_modules, "options": BuildExtension.options}))

module(
    "torch",
    __version__="2.11.0+cu130",
    version=SimpleNamespace(cuda="13.0", hip=None),
    cuda=SimpleNamespace(is_available=lambda: False),
)
module("torch.__config__", parallel_info=lambda: "")
module("torch.utils")
module(
    "torch.utils.cpp_extension",
    BuildExtension=BuildExtension,
    CppExtension=extension,
    CUDAExtension=extension,
    CUDA_HOME=os.environ["CUDA_HOME"],
    HIP_HOME=None,
)
module("setuptools", setup=setup, find_packages=lambda **_: [])
module("wheel")
module("wheel.bdist_wheel", bdist_wheel=object)
runpy.run_path("setup.py")
"""

NVCC = """\
#!/bin/sh
echo "Cuda compilation tools, release 13.0, V13.0.88"
"""


def planned(recipe: Recipe) -> tuple[Draft, ...]:
    """Return the plans for both architectures."""
    series = read_series(PATHS.patches / recipe.patches)
    plans, left_out = drafts(
        recipe, series, cross(Axes(arch="x86_64,aarch64", compute="cu130", torch="2.11"))
    )
    assert not left_out
    return plans


@cache
def sdist(name: str) -> Path:
    """Return the recipe's sdist."""
    recipe = load(PATHS.recipes, name)
    assert isinstance(recipe.source, Sdist)
    return fetch_sdist(name, recipe.version, recipe.source.sha256, PATHS.cache)


def configured(tree: Path, **env: str) -> dict[str, Any]:
    """Return what a source's setup.py hands to setuptools."""
    home = tree.with_name("cuda")
    (home / "bin").mkdir(parents=True, exist_ok=True)
    (home / "bin" / "nvcc").write_text(NVCC)
    (home / "bin" / "nvcc").chmod(0o755)
    done = run([sys.executable, "-c", SETUP], cwd=tree, env={"CUDA_HOME": str(home), **env})
    found: dict[str, Any] = json.loads(done.output.splitlines()[-1])
    return found


def flags(found: dict[str, Any]) -> list[str]:
    """Return all that nvcc would be told."""
    return [flag for each in found["extensions"] for flag in each["nvcc"]]


def upstream(name: str, folder: Path) -> Path:
    """Return the source as it comes."""
    tree = folder / "tree"
    unpack(sdist(name), tree)
    return tree


def patched(name: str, folder: Path) -> Path:
    """Return the source as it is built."""
    tree = upstream(name, folder)
    apply_series(read_series(PATHS.patches / load(PATHS.recipes, name).patches), tree)
    return tree


@pytest.mark.parametrize("name", RECIPES)
def test_it_is_planned_for_both_architectures_and_bound_to_its_torch(name: str) -> None:
    plans = planned(load(PATHS.recipes, name))
    assert [each.target.arch for each in plans] == ["x86_64", "aarch64"]
    assert {each.version.local for each in plans} == {"cu130torch2.11"}
    assert {each.requires for each in plans} == {("torch==2.11.*",)}


@pytest.mark.parametrize("name", HARD_CODED)
def test_upstream_ignores_the_architectures_asked_for(name: str, tmp_path: Path) -> None:
    tree = upstream(name, tmp_path)
    assert "arch=compute_80,code=sm_80" in flags(configured(tree, TORCH_CUDA_ARCH_LIST="12.1"))


@pytest.mark.parametrize("name", HARD_CODED)
def test_torch_gets_to_choose_the_architectures(name: str, tmp_path: Path) -> None:
    tree = patched(name, tmp_path)
    # it does so where no flag has "arch" in it
    assert not [each for each in flags(configured(tree, TORCH_CUDA_ARCH_LIST="12.1")) if "arch" in each]
    assert "arch=compute_121,code=sm_121" in flags(configured(tree))


@pytest.mark.parametrize("name", HARD_CODED)
@pytest.mark.parametrize(("environment", "threads"), [({}, "4"), ({"NVCC_THREADS": "1"}, "1")])
def test_threads(name: str, tmp_path: Path, environment: dict[str, str], threads: str) -> None:
    tree = patched(name, tmp_path)
    found = flags(configured(tree, **environment))
    assert found[found.index("--threads") + 1] == threads


@pytest.mark.parametrize("name", HARD_CODED)
def test_the_recipe_builds_with_one_thread_and_fetches_nothing_prebuilt(name: str, tmp_path: Path) -> None:
    tree = patched(name, tmp_path)
    text = (tree / "setup.py").read_text(encoding="utf-8")
    for each in planned(load(PATHS.recipes, name)):
        assert each.environment["NVCC_THREADS"] == "1"
        (forced,) = (variable for variable in each.environment if variable.endswith("_FORCE_BUILD"))
        assert f'os.getenv("{forced}", "FALSE") == "TRUE"' in text
        assert each.environment[forced] == "TRUE"


@pytest.mark.parametrize("name", ["torch-scatter"])
def test_no_gpu_is_needed_to_build_for_cuda(name: str, tmp_path: Path) -> None:
    tree = upstream(name, tmp_path)

    def suffixes(**environment: str) -> set[str]:
        found = configured(tree, **environment)
        return {each["name"].rpartition("_")[2] for each in found["extensions"]}

    assert suffixes() == {"cpu"}

    apply_series(read_series(PATHS.patches / name), tree)

    assert suffixes() == {"cpu", "cuda"}
    assert suffixes(FORCE_ONLY_CPU="1") == {"cpu"}
    assert suffixes(**planned(load(PATHS.recipes, name))[0].environment) == {"cuda"}
    assert configured(tree)["options"].get("use_ninja", True)
