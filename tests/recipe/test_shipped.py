"""The shipped patches do what they say: no wheel is tuned for the machine that built it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from workbench.patches.apply import apply_series
from workbench.patches.series import read_series
from workbench.paths import CHECKOUT, Paths
from workbench.process import run
from workbench.recipe.load import load
from workbench.recipe.model import Sdist
from workbench.source.sdist import fetch_sdist
from workbench.source.unpacking import unpack

if TYPE_CHECKING:
    from pathlib import Path

FLAGS = """\
# Run ./setup.py as setuptools would on x86-64, up to the compiler, and print the flags that it would get.
import json, platform, runpy, sys, types

def module(name, **members):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(members)

class Extension:
    def __init__(self, *_, extra_compile_args=(), **__):
        self.extra_compile_args = [*extra_compile_args]

def setup(*, ext_modules, cmdclass=None, **_):
    flags = [flag for each in ext_modules for flag in each.extra_compile_args]
    for command in (cmdclass or {}).values():
        flags += command.c_opts["unix"]
    print(json.dumps(flags))

platform.machine = lambda: "x86_64"
module("setuptools", setup=setup, Extension=Extension)
module("setuptools.command")
module("setuptools.command.build_ext", build_ext=object)
module("numpy", get_include=str)
module("pybind11", get_include=str)
runpy.run_path("setup.py")
"""


def flags(tree: Path, **env: str) -> list[str]:
    """Return the flags that a source's setup.py gives the compiler."""
    found: list[str] = json.loads(run([sys.executable, "-c", FLAGS], cwd=tree, env=env).output)
    return found


@pytest.mark.parametrize(
    ("name", "opt_in"),
    [("hnswlib", {"HNSWLIB_NATIVE": "1"}), ("annoy", {"ANNOY_COMPILER_ARGS": "-O3,-march=native"})],
)
def test_native_only_when_asked_for(name: str, opt_in: dict[str, str], tmp_path: Path) -> None:
    paths = Paths(CHECKOUT)
    recipe = load(paths.recipes, name)
    assert isinstance(recipe.source, Sdist)
    tree = tmp_path / "tree"
    unpack(fetch_sdist(name, recipe.version, recipe.source.sha256, paths.cache), tree)
    upstream = flags(tree)

    apply_series(read_series(paths.patches / recipe.patches), tree)

    assert "-march=native" in upstream
    assert flags(tree) == [flag for flag in upstream if flag != "-march=native"]
    assert "-march=native" in flags(tree, **opt_in)
