"""A build that failed is gone on with, by the build systems that real packages use; none takes what it should not."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders.raw import built
from tests.pipes import read_by_somebody
from tests.plans import planned
from workbench.builders.continuing import may_keep
from workbench.builders.workplace import Workplace
from workbench.errors import BuildFailed
from workbench.plan.plan import Plan
from workbench.plan.target import Target, this_arch, this_python
from workbench.recipe.model import LocalFolder, Recipe, Sdist
from workbench.settings import Settings, SigningSettings

if TYPE_CHECKING:
    from workbench.paths import Paths

GOOD = "int answer(void) { return 42; }\n"
LATE = '#include <Python.h>\n#include "late.h"\nint answer(void);\nPyMODINIT_FUNC PyInit_x(void) { return LATE; }\n'
"""What does not compile until somebody installs late.h, in a folder of this machine's."""

SETUPTOOLS = """\
from setuptools import Extension, setup

parts = [Extension("first", ["first.c"]), Extension("x", ["x.c"], include_dirs=["{machine}"])]
setup(name="late", version="1.0", ext_modules=parts)
"""
CMAKE = """\
cmake_minimum_required(VERSION 3.15)
project(late LANGUAGES C)
find_package(Python REQUIRED COMPONENTS Development.Module)
add_library(first OBJECT good.c)
set_target_properties(first PROPERTIES POSITION_INDEPENDENT_CODE ON)
add_custom_command(OUTPUT then.h COMMAND "${CMAKE_COMMAND}" -E touch then.h DEPENDS $<TARGET_OBJECTS:first>)
Python_add_library(x MODULE x.c then.h $<TARGET_OBJECTS:first>)
target_include_directories(x PRIVATE "{machine}")
install(TARGETS x DESTINATION .)
"""
MESON = """\
project('late', 'c', version: '1.0')
py = import('python').find_installation(pure: false)
first = static_library('first', 'good.c', pic: true)
then = custom_target(output: 'then.h', command: ['touch', '@OUTPUT@'], depends: first)
machine = include_directories('{machine}')
py.extension_module('x', 'x.c', then, link_with: first, include_directories: machine, install: true)
"""
"""Here and with CMake, then.h makes Ninja finish good.c before it begins with x.c; it is empty, as stamps are."""
PROJECT = '[build-system]\nrequires = [{requires}]\nbuild-backend = "{backend}"\n{more}'
NAMED = '[project]\nname = "late"\nversion = "1.0"\n'

SYSTEMS = {
    "setuptools": ("setup.py", SETUPTOOLS, '"setuptools"', "setuptools.build_meta", ""),
    "scikit-build-core": (
        "CMakeLists.txt",
        CMAKE,
        '"scikit-build-core", "ninja"',
        "scikit_build_core.build",
        NAMED,
    ),
    "meson": ("meson.build", MESON, '"meson-python", "ninja"', "mesonpy", NAMED),
}
OBJECTS = ("first*.so", "good.c.o", "first.p/good.c.o")


class Keyed(Plan):
    """A plan of a folder that has a key all the same, as one of a pinned source has."""

    @property
    def key(self) -> str | None:
        return str(self.environment)


def plan_of(source: Path, **environment: str) -> Plan:
    recipe = Recipe(
        name="late",
        version="1.0",
        description="d",
        source=Sdist(sha256="0" * 64),
        environment={**environment},
    )
    plan = planned(recipe, Target(python=this_python(), arch=this_arch()), source=LocalFolder(path=source))
    return Keyed(**{name: getattr(plan, name) for name in Plan.__dataclass_fields__})


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of this machine's folders an isolated build sees the system's and the cache's."""
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "machine"))


def failing(system: str, folder: Path) -> Path:
    """Write a source that compiles in part, and return its folder."""
    source, machine = folder / "source", folder / "machine"
    source.mkdir()
    machine.mkdir()
    name, text, requires, backend, more = SYSTEMS[system]
    (source / name).write_text(text.replace("{machine}", str(machine)))
    (source / "pyproject.toml").write_text(PROJECT.format(requires=requires, backend=backend, more=more))
    (source / "good.c").write_text(GOOD)
    (source / "first.c").write_text("#include <Python.h>\nPyMODINIT_FUNC PyInit_first(void) { return 0; }\n")
    (source / "x.c").write_text(LATE)
    return source


def compiled(place: Workplace) -> dict[str, int]:
    """Return the objects of a build, with the time of each."""
    found = [path for pattern in OBJECTS for path in place.root.rglob(pattern) if "env" not in path.parts]
    return {path.name: path.stat().st_mtime_ns for path in found}


def install(folder: Path) -> None:
    """Install what the build was missing."""
    (folder / "machine" / "late.h").write_text("#define LATE 0\n")


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_next_try_goes_on(
    system: str, paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_of(failing(system, tmp_path))
    place = Workplace.of(plan, paths)
    with pytest.raises(BuildFailed, match=r"late\.h"):
        built(plan, paths)
    before = compiled(place)
    assert before
    install(tmp_path)
    assert built(plan, paths).is_file()
    assert "goes on from what the earlier build had compiled" in capsys.readouterr().err
    assert place.took == "the objects that an earlier build left"
    assert before.items() <= compiled(place).items()


def test_what_is_to_be_signed_or_compared_begins_anew(paths: Paths, tmp_path: Path) -> None:
    plan = plan_of(failing("setuptools", tmp_path))
    signs = Settings(signing=SigningSettings(key="site.key"))
    assert may_keep(plan, Settings())
    assert not may_keep(plan, signs)
    assert not may_keep(replace(plan, pins=()), Settings())
    place = Workplace.of(plan, paths)
    with pytest.raises(BuildFailed):
        built(plan, paths)
    before = compiled(place)
    with place.opened(paths, keeps=False):
        assert (before.keys() & compiled(place).keys(), place.took) == (set(), "")


def test_a_source_file_that_somebody_changed_there_is_not_taken(
    paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor what he may have compiled: the wheel is made of the plan's source."""
    plan = plan_of(failing("setuptools", tmp_path))
    place = Workplace.of(plan, paths)
    with pytest.raises(BuildFailed):
        built(plan, paths)
    before = compiled(place)
    (place.tree / "first.c").write_text("#error\n")
    install(tmp_path)
    assert built(plan, paths).is_file()
    assert "is not used: its tree was changed since" in capsys.readouterr().err
    assert before != compiled(place)


def test_other_inputs_begin_anew(paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = failing("setuptools", tmp_path)
    with pytest.raises(BuildFailed):
        built(plan_of(source), paths)
    install(tmp_path)
    assert built(plan_of(source, CFLAGS="-O1"), paths).is_file()
    assert "is not used: the build had other inputs" in capsys.readouterr().err


def killed(plan: Plan, paths: Paths, folder: Path) -> None:
    """Build until the unit that needs late.h is compiled, and end the build's process there with SIGKILL."""
    late = folder / "machine" / "late.h"
    os.mkfifo(late)
    process = multiprocessing.get_context("fork").Process(target=built, args=(plan, paths))
    process.start()
    with read_by_somebody(late):
        process.kill()
        process.join()
    late.unlink()


@pytest.mark.parametrize("system", ["scikit-build-core", "meson"])
def test_what_ninja_had_finished_when_the_build_was_killed_is_kept(
    system: str, paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_of(failing(system, tmp_path))
    killed(plan, paths, tmp_path)
    before = compiled(Workplace.of(plan, paths))
    assert before
    install(tmp_path)
    assert built(plan, paths).is_file()
    assert "goes on from what the earlier build had compiled" in capsys.readouterr().err
    assert before.items() <= compiled(Workplace.of(plan, paths)).items()


@pytest.mark.parametrize(
    ("left", "told"),
    [(0.5, "good.c.o is not whole"), (0, "goes on from what the earlier build had compiled")],
    ids=["half", "nothing"],
)
def test_what_a_power_cut_took_from_an_object_is_compiled_again(
    left: float, told: str, paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_of(failing("scikit-build-core", tmp_path))
    killed(plan, paths, tmp_path)
    (cut,) = Workplace.of(plan, paths).objects.rglob("good.c.o")
    stat = cut.stat()
    os.truncate(cut, int(stat.st_size * left))
    os.utime(cut, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    install(tmp_path)
    assert built(plan, paths).is_file()
    assert told in capsys.readouterr().err


def test_a_build_of_setuptools_that_was_killed_begins_anew(
    paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half an object may lie there, and Make and setuptools would take it for a whole one."""
    plan = plan_of(failing("setuptools", tmp_path))
    killed(plan, paths, tmp_path)
    install(tmp_path)
    assert built(plan, paths).is_file()
    told = capsys.readouterr().err
    assert "is not used: the build was killed, and nothing tells which of its objects are whole" in told


def test_what_was_not_found_is_looked_for_anew(paths: Paths, tmp_path: Path) -> None:
    """Of what CMake has in its cache only the objects are kept."""
    source = failing("scikit-build-core", tmp_path)
    lists = source / "CMakeLists.txt"
    lists.write_text(
        lists.read_text() + 'find_path(LATE late.h PATHS "' + str(tmp_path / "machine") + '" REQUIRED)\n'
    )
    plan = plan_of(source)
    with pytest.raises(BuildFailed):
        built(plan, paths)
    install(tmp_path)
    assert built(plan, paths).is_file()


def test_what_a_killed_program_left_is_not_taken_for_finished_by_the_second_try(
    paths: Paths, tmp_path: Path
) -> None:
    """As a half-linked library of setuptools would be: it is newer than what it is made of."""
    place = Workplace.of(plan_of(failing("setuptools", tmp_path)), paths)
    half = [place.tree / "build" / "half.so", place.objects / "half.o"]
    for each in half:
        each.parent.mkdir(parents=True)
        each.write_bytes(b"\x7fELF")
    place.doubt()
    assert not any(each.exists() for each in half)
