from __future__ import annotations

import re
import shutil
import sys
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from tests.builders.raw import built
from tests.plans import planned
from workbench.environment import Environment
from workbench.errors import BuildFailed, ToolchainError
from workbench.paths import CHECKOUT, Paths
from workbench.plan.target import Target, this_python
from workbench.process import run
from workbench.recipe.model import LocalFolder, Recipe, Sdist
from workbench.toolchain.compilers import cross_gcc
from workbench.toolchain.cross import prepare
from workbench.toolchain.emulated import emulated_python

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.plan.plan import Plan

EXTENSION = """\
#include <Python.h>
#ifndef {macro}
#error "this is not the target's compiler"
#endif
static PyObject *size(PyObject *m, PyObject *a) {{ return PyLong_FromLong(sizeof(wchar_t)); }}
static PyMethodDef functions[] = {{{{"size", size, METH_NOARGS, NULL}}, {{NULL, NULL, 0, NULL}}}};
static struct PyModuleDef definition = {{PyModuleDef_HEAD_INIT, "small", NULL, 0, functions}};
PyMODINIT_FUNC PyInit_small(void) {{ return PyModuleDef_Init(&definition); }}
"""

SETUPTOOLS = {
    "pyproject.toml": """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
[project]
name = "small"
version = "1.0"
""",
    "setup.py": """\
import platform
from setuptools import Extension, setup
assert platform.machine() == "{arch}"
setup(ext_modules=[Extension("small", ["small.c"])])
""",
}

MESON = {
    "pyproject.toml": """\
[build-system]
requires = ["meson-python"]
build-backend = "mesonpy"
[project]
name = "small"
version = "1.0"
""",
    "meson.build": """\
project('small', 'c', version: '1.0')
assert(host_machine.cpu_family() == '{arch}')
py = import('python').find_installation(pure: false)
py.extension_module('small', 'small.c', install: true)
""",
}

CMAKE = {
    "pyproject.toml": """\
[build-system]
requires = ["scikit-build-core"]
build-backend = "scikit_build_core.build"
[project]
name = "small"
version = "1.0"
""",
    "CMakeLists.txt": """\
cmake_minimum_required(VERSION 3.24)
project(small LANGUAGES C)
if(NOT CMAKE_SYSTEM_PROCESSOR STREQUAL {arch})
  message(FATAL_ERROR "${{CMAKE_SYSTEM_PROCESSOR}}")
endif()
find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
python_add_library(small MODULE WITH_SOABI small.c)
install(TARGETS small DESTINATION .)
""",
}

MACROS = {"x86_64": "__x86_64__", "aarch64": "__aarch64__"}

pytestmark = pytest.mark.needs("aarch64-linux-gnu-g++")


def write(folder: Path, files: dict[str, str], *, arch: str = "aarch64") -> Path:
    folder.mkdir()
    for name, content in {"small.c": EXTENSION, **files}.items():
        (folder / name).write_text(content.format(arch=arch, macro=MACROS[arch]))
    return folder


def plan_of(source: Path, *, arch: str = "aarch64", compute: str = "cpu", gpu: tuple[str, ...] = ()) -> Plan:
    name = source.name
    version = "1.0"
    recipe = Recipe(
        name=name,
        version=version,
        description="a test's",
        source=Sdist(sha256="0" * 64),
        compute=(compute,),
    )
    target = Target(python=this_python(), arch=arch, compute=compute, gpu=gpu)
    made = planned(recipe, target, source=LocalFolder(path=source))
    assert made.version == Version(version)
    return made


def machines(wheel: Path, into: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(into)
    said = [run(["readelf", "--file-header", path]).output for path in into.rglob("*.so")]
    return {
        line.partition(":")[2].strip()
        for text in said
        for line in text.splitlines()
        if line.strip().startswith("Machine:")
    }


@pytest.mark.parametrize(
    "files", [SETUPTOOLS, MESON, CMAKE], ids=["setuptools", "meson-python", "scikit-build-core"]
)
def test_each_build_system_makes_a_wheel_for_aarch64(
    files: dict[str, str], paths: Paths, tmp_path: Path
) -> None:
    wheel = built(plan_of(write(tmp_path / "small", files)), paths)
    tag = f"cp{this_python().replace('.', '')}"
    assert wheel.name == f"small-1.0-{tag}-{tag}-linux_aarch64.whl"
    assert machines(wheel, tmp_path / "unpacked") == {"AArch64"}
    (library,) = (tmp_path / "unpacked").rglob("small*.so")
    # Python looks for these two; CMake names the first only where it does not cross-compile
    assert library.name in {f"small.cpython-{tag.removeprefix('cp')}-aarch64-linux-gnu.so", "small.so"}


@pytest.mark.needs("cmake")
def test_plain_cmake_finds_the_targets_python(tmp_path: Path) -> None:
    source = write(tmp_path / "small", CMAKE)
    environment = Environment.create(tmp_path / "env", python=sys.executable)
    variables, _ = prepare(environment.python, cross_gcc("aarch64"), tmp_path / "cross")
    run(
        ["cmake", "-S", source, "-B", tmp_path / "out", f"-DPython_EXECUTABLE={environment.python}"],
        env=variables | {"PATH": f"{variables['PATH']}:/usr/bin:/bin"},
    )
    known = (tmp_path / "out" / "CMakeCache.txt").read_text()
    assert f"_INCLUDE_DIR:INTERNAL={tmp_path / 'cross' / 'python' / 'include'}\n" in known
    run(["cmake", "--build", tmp_path / "out"], env={"PATH": "/usr/bin:/bin"})
    (library,) = (tmp_path / "out").glob("small*.so")
    assert "AArch64" in run(["readelf", "--file-header", library]).output


def test_sysconfig_answers_for_the_target(tmp_path: Path) -> None:
    environment = Environment.create(tmp_path / "env", python=sys.executable)
    variables, _ = prepare(environment.python, cross_gcc("aarch64"), tmp_path / "cross")
    code = (
        "import os, platform, sysconfig; print(sysconfig.get_platform(), platform.machine(), os.uname().machine,"
        "sysconfig.get_config_var('EXT_SUFFIX'), 'x86_64' in str(sysconfig.get_config_var('LDSHARED')))"
    )
    version = this_python().replace(".", "")
    assert run([environment.python, "-c", code], env=variables).output.split() == [
        "linux-aarch64",
        "aarch64",
        "aarch64",
        f".cpython-{version}-aarch64-linux-gnu.so",
        "False",
    ]


def test_a_build_that_runs_this_machines_compiler_is_refused(paths: Paths, tmp_path: Path) -> None:
    # as do packages whose setup.py names gcc, or fetches what somebody else has built
    setup = (
        "import pathlib, subprocess\nfrom setuptools import setup\n"
        "pathlib.Path('pkg').mkdir(exist_ok=True)\n"
        "subprocess.run(['gcc', '-shared', '-x', 'c', '/dev/null', '-o', 'pkg/helper.so'], check=True)\n"
        "setup(packages=['pkg'], package_data={{'pkg': ['*.so']}})\n"
    )
    source = write(tmp_path / "small", {**SETUPTOOLS, "setup.py": setup})
    with pytest.raises(BuildFailed, match=r"it made pkg/helper.so, not for aarch64") as caught:
        built(plan_of(source), paths)
    assert "The tree is kept: " in str(caught.value)


def test_a_library_that_the_target_lacks_is_named_with_its_package(paths: Paths, tmp_path: Path) -> None:
    source = write(tmp_path / "small", SETUPTOOLS)
    setup = source / "setup.py"
    setup.write_text(setup.read_text().replace('["small.c"]', '["small.c"], libraries=["z"]'))
    with pytest.raises(
        BuildFailed, match=r"(?s)finds no z for aarch64\n.* apt install (zlib1g|libz)-dev:arm64'"
    ):
        built(plan_of(source), paths)


def test_a_gpu_that_the_toolkit_does_not_know_stops_the_build(paths: Paths, tmp_path: Path) -> None:
    source = write(tmp_path / "small", SETUPTOOLS)
    with pytest.raises(ToolchainError, match=r"cannot compile for sm_107: .* cu134"):
        built(plan_of(source, arch="x86_64", compute="cu130", gpu=("sm_107",)), paths)


@pytest.mark.needs("apt-get", "dpkg-deb")
def test_a_wheel_that_may_need_no_new_glibc_gets_an_older_compiler(paths: Paths, tmp_path: Path) -> None:
    # both are newer in newer libraries: hypotf since glibc 2.35, pthread_create since 2.34
    setup = SETUPTOOLS["setup.py"].replace('["small.c"]', '["small.c"], libraries=["m", "pthread"]')
    source = write(tmp_path / "small", {**SETUPTOOLS, "setup.py": setup})
    code = (source / "small.c").read_text()
    use = "#include <math.h>\n#include <pthread.h>\nvoid *used[] = {hypotf, pthread_create};\n"
    (source / "small.c").write_text(use + code)
    wheel = built(replace(plan_of(source), glibc="2.31"), paths)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
    (library,) = (tmp_path / "unpacked").glob("small*.so")
    versions = set(re.findall(r"GLIBC_(\d+\.\d+)", run(["readelf", "--version-info", library]).output))
    assert versions == {"2.17"}


@pytest.mark.needs("qemu-aarch64-static")
def test_what_is_cross_built_runs_on_the_target(paths: Paths, tmp_path: Path) -> None:
    python = emulated_python(this_python(), "aarch64", cache=paths.cache)
    small = built(plan_of(write(tmp_path / "small", SETUPTOOLS)), paths)
    sample = shutil.copytree(CHECKOUT / "examples" / "cuda-kernel", tmp_path / "cuda-kernel")
    kernel = built(plan_of(sample, compute="cu130", gpu=("sm_121",)), paths)
    packages = tmp_path / "packages"
    python.install([small, kernel], packages)
    code = (
        "import platform, small\nprint(platform.machine(), small.size())\n"
        "from array import array\nfrom cuda_kernel import saxpy\n"
        "try:\n    saxpy(2.0, array('f', [1]), array('f', [1]))\n"
        "except RuntimeError as error:\n    print(error)\n"
    )
    said = python.run_code(code, packages=packages, cwd=tmp_path).output.splitlines()
    assert said[0] == "aarch64 4"
    assert said[1].startswith("CUDA: ")
