"""The object cache: another folder finds what was compiled, one changed line compiles one unit; same bytes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders.test_host import CUDA, HERE
from tests.forked import invoke
from tests.plans import planned
from workbench.builders import isolation, objects
from workbench.builders.objects import (
    Kept,
    ObjectCache,
    Units,
    kept_objects,
    object_cache,
    to_remove,
    trim,
)
from workbench.builders.raw_wheel import build_raw
from workbench.builders.workplace import Workplace
from workbench.paths import Paths
from workbench.process import find_program, run
from workbench.recipe.model import LocalFolder, Recipe, Sdist
from workbench.settings import CacheSettings, Settings, SigningSettings

if TYPE_CHECKING:
    from workbench.plan.plan import Plan
    from workbench.plan.target import Target

SETUP = """\
from setuptools import Extension, setup

setup(name="units", version="1.0", ext_modules=[Extension("units", ["module.c", *(f"{n}.c" for n in range(3))])])
"""
MODULE = """\
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "units", 0, -1, 0};
PyMODINIT_FUNC PyInit_units(void) { return PyModule_Create(&module); }
"""
RECIPE = Recipe(
    name="units", version="1.0", description="d", source=Sdist(sha256="0" * 64), compute=("cpu", "cu13*")
)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Return a source of four compile units."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "setup.py").write_text(SETUP)
    (source / "module.c").write_text(MODULE)
    for number in range(3):
        (source / f"{number}.c").write_text(f"int part{number}(void) {{ return {number}; }}\n")
    return source


def site(tmp_path: Path, name: str) -> Paths:
    root = tmp_path / name
    (root / "recipes").mkdir(parents=True)
    return Paths(root)


def build(
    source: Path,
    paths: Paths,
    target: Target = HERE,
    settings: Settings = Settings(),  # noqa: B008 - a frozen value
    *,
    cached: bool = True,
) -> tuple[str, Units, str]:
    """Build a folder in a site; return the wheel's sha256, its units, and what its build said."""
    plan = planned(RECIPE, target, source=LocalFolder(path=source))
    place = Workplace.of(plan, paths)
    with place.opened(paths):
        cache = object_cache(plan, paths, settings) if cached else None
        wheel = build_raw(place, paths, settings, cache=cache).path
        return hashlib.sha256(wheel.read_bytes()).hexdigest(), place.units, place.log.read_text()


def test_another_folder_compiles_nothing_again_and_one_line_compiles_one_unit(
    units: Path, tmp_path: Path
) -> None:
    one, other = site(tmp_path, "one"), site(tmp_path, "other")
    assert kept_objects(one.cache / "objects") == ()
    without, none, _ = build(units, one, cached=False)
    cold, compiled, _ = build(units, one)
    warm, kept, _ = build(units, other)
    assert (none, compiled, kept) == (Units(), Units(compiled=4), Units(kept=4))
    assert without == cold == warm
    (units / "1.c").write_text("int part1(void) { return 11; }\n")
    changed, mixed, _ = build(units, other)
    assert mixed == Units(kept=3, compiled=1)
    assert changed != warm
    (found,) = kept_objects(one.cache / "objects")
    assert (found.recipe, found.hits, found.misses) == ("units", 4 + 3, 4 + 1)
    assert found.size > 0
    assert found.used > 0


def test_where_nothing_is_isolated_another_folder_finds_the_objects_too(
    units: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "why_not", lambda: "of this test")
    assert build(units, site(tmp_path, "one"))[1] == Units(compiled=4)
    assert build(units, site(tmp_path, "another-name"))[1] == Units(kept=4)


NVCC = """\
#!/bin/sh
case $1 in
    --version) echo release 13.0 ;;
    --list-gpu-code) echo sm_121 ;;
    *) exec g++ -x c++ "$@" ;;
esac
"""
WITH_NVCC = """\
import os, shlex, subprocess
subprocess.run([*shlex.split(os.environ["{variable}"]), "-c", "kernel.cu", "-o", "kernel.o"], check=True)
"""


@pytest.fixture
def cuda(tmp_path: Path) -> Settings:
    """Return the settings of a site that has a CUDA toolkit of its own."""
    nvcc = tmp_path / "cuda" / "bin" / "nvcc"
    nvcc.parent.mkdir(parents=True)
    nvcc.write_text(NVCC)
    nvcc.chmod(0o755)
    return Settings(cuda={"cu130": str(nvcc.parent.parent)})


@pytest.mark.parametrize("variable", ["NVCC", "PYTORCH_NVCC"])
def test_what_calls_the_nvcc_that_it_is_told_of_compiles_nothing_again(
    variable: str, units: Path, tmp_path: Path, cuda: Settings
) -> None:
    (units / "kernel.cu").write_text("int kernel;\n")
    (units / "setup.py").write_text(WITH_NVCC.format(variable=variable) + SETUP)
    assert build(units, site(tmp_path, "one"), CUDA, cuda)[1].kept == 1  # the backend asks setup.py twice
    assert build(units, site(tmp_path, "other"), CUDA, cuda)[1] == Units(kept=6)


def test_the_compilers_that_a_recipe_names_go_before_the_object_cache(
    units: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cuda: Settings
) -> None:
    recipe = replace(RECIPE, environment={"NVCC": "/opt/own/nvcc -ccbin g++-12", "PATH": "/opt/own"})
    monkeypatch.setattr(f"{__name__}.RECIPE", recipe)
    told = 'import os\nprint("TOLD", os.environ["NVCC"], os.environ["PATH"].split(":").index("/opt/own"))\n'
    (units / "setup.py").write_text(told + SETUP)
    # the programs of its requirements are in front, as they are without the cache
    assert "TOLD /opt/own/nvcc -ccbin g++-12 1" in build(units, site(tmp_path, "one"), CUDA, cuda)[2]


@pytest.mark.needs("bwrap")
def test_a_build_can_write_no_other_recipes_objects(units: Path, tmp_path: Path) -> None:
    other = tmp_path / "cache" / "objects" / "victim" / "here"
    other.mkdir(parents=True)
    text = (units / "setup.py").read_text()
    attack = f"import os\nprint('WRITES', os.access({str(other)!r}, os.W_OK), os.access('/build/ccache', os.W_OK))\n"
    (units / "setup.py").write_text(attack + text)
    assert "WRITES False True" in build(units, site(tmp_path, "one"))[2]


def test_each_recipe_has_its_objects_and_a_site_that_signs_uses_none(tmp_path: Path) -> None:
    paths, plan = site(tmp_path, "one"), planned(RECIPE, HERE)

    def cache(settings: Settings, plan: Plan = plan) -> ObjectCache | None:
        return object_cache(plan, paths, settings)

    assert cache(Settings(signing=SigningSettings(key="wheels.key"))) is None
    assert cache(Settings(cache=CacheSettings(objects=False))) is None
    other = cache(Settings(), planned(replace(RECIPE, name="other"), HERE))
    mine = cache(Settings())
    assert mine
    assert other
    assert mine.folder != other.folder


def test_what_was_not_used_for_the_longest_goes_first() -> None:
    kept = [
        Kept(recipe=name, size=size, files=1, hits=0, misses=0, used=used)
        for name, size, used in (("old", 40, 1), ("new", 30, 3), ("mine", 50, 0), ("middle", 30, 2))
    ]
    assert [each.recipe for each in to_remove(kept, 150, but="mine")] == []
    assert [each.recipe for each in to_remove(kept, 100, but="mine")] == ["old", "middle"]
    assert [each.recipe for each in to_remove(kept, 10, but="mine")] == ["old", "middle", "new"]


def keep(root: Path, recipe: str) -> None:
    """Let ccache keep an object of a recipe."""
    source = root.parent / "unit.c"
    source.parent.mkdir(exist_ok=True)
    source.write_text("int unit(void) { return 0; }\n")
    words = [find_program("ccache"), "cc", "-c", "unit.c", "-o", "unit.o"]
    run(words, cwd=source.parent, env={"CCACHE_DIR": str(root / recipe / "here")})


def test_what_cannot_be_removed_fails_no_build_and_counts_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another build may write there meanwhile."""
    root = tmp_path / "objects"
    for name in ("mine", "other"):
        keep(root, name)

    def busy(folder: Path, *, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise OSError(f"{folder}: Directory not empty")

    monkeypatch.setattr("workbench.builders.objects.shutil.rmtree", busy)
    monkeypatch.setattr(
        objects, "to_remove", lambda kept, _limit, *, but: [each for each in kept if each.recipe != but]
    )
    assert trim(root, 1, but="mine") == ()
    assert [each.recipe for each in kept_objects(root)] == ["mine"]


def test_what_was_being_removed_when_a_process_was_killed_goes_with_the_next_build(tmp_path: Path) -> None:
    root = tmp_path / "objects"
    for name in ("mine", "other"):
        keep(root, name)
    (root / "other").rename(root / ".gone-0")
    assert trim(root, 10**9, but="mine") == ()
    assert [each.name for each in root.iterdir()] == ["mine"]


def test_a_recipe_that_is_named_twice_is_removed_once_and_one_without_objects_is_not_shown(
    tmp_path: Path, paths: Paths
) -> None:
    root = tmp_path / "cache" / "objects"
    keep(root, "annoy")
    (root / "pure" / "here").mkdir(parents=True)  # as a build leaves it that compiles nothing
    assert [each["recipe"] for each in json.loads(invoke("fleet.cache", "--json").stdout)["recipes"]] == [
        "annoy"
    ]
    done = invoke("fleet.cache", "--clean", "annoy,annoy")
    assert (done.status, done.stdout[:28]) == (0, "removed the objects of annoy"), done.stderr
    assert [each.name for each in root.iterdir()] == ["pure"]
    again = invoke("fleet.cache", "--clean", "annoy")
    assert (again.status, "--clean annoy: no recipe of this name has objects here" in again.stderr) == (
        2,
        True,
    )
    assert paths.root.is_dir()
