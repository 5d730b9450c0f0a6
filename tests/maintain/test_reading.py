"""What a source tells without being built: small sources that are written here, each with one thing to tell."""

from __future__ import annotations

import sysconfig
from typing import TYPE_CHECKING

import pytest

from workbench.maintain.licences import licence_of
from workbench.maintain.proposal import propose, python_range
from workbench.source.native import conditional_includes, read_native
from workbench.source.reading import read_source
from workbench.source.setup_script import read_scripts

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.maintain.proposal import Proposal

STDLIB = sysconfig.get_path("stdlib")

TORCH_SETUP = """\
import sysconfig
from setuptools import setup
from torch.utils.cpp_extension import BuildExtension, CUDAExtension

FORCE_BUILD = os.getenv("LOOM_FORCE_BUILD", "FALSE") == "TRUE"
ARCHITECTURES = ["-gencode", "arch=compute_90,code=sm_90"]
setup(
    name="loom",
    version="1.0",
    ext_modules=[CUDAExtension("loom_cuda", ["src/loom.cu"], extra_compile_args=ARCHITECTURES)],
    cmdclass={"build_ext": BuildExtension},
)
"""


def written(tree: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    return tree


def proposed(tree: Path, files: dict[str, str]) -> Proposal:
    reading = read_source(written(tree, files), "loom")
    return propose("loom", reading, licence_of(tree, reading.stated))


def evidence(proposal: Proposal, field: str) -> str:
    return " ".join(next(guess.evidence for guess in proposal.guesses if guess.field == field))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("#include <cublas_v2.h>", True),
        ("#ifndef LOOM_H\n#define LOOM_H\n#include <cublas_v2.h>\n#endif", True),
        ("#pragma once\n#ifdef USE_ROCM\n#include <cublas_v2.h>\n#endif", False),
        ("#ifdef USE_ROCM\n#include <hip.h>\n#else\n#include <cublas_v2.h>\n#endif", True),
        ("#if !defined(USE_ROCM) && defined(__CUDACC__)\n#include <cublas_v2.h>\n#endif", True),
        ("#if defined(__HIP__) || defined(_WIN32)\n#include <cublas_v2.h>\n#endif", False),
        ("#if CUDA_VERSION >= 12000\n#include <cublas_v2.h>\n#endif", None),
        ("#ifdef LOOM_FAST\n#include <cublas_v2.h>\n#else\n#include <x.h>\n#endif", None),
        ("#if 0\n#elif !defined(NO_CUDA)\n#  include <cublas_v2.h>\n#endif", None),
    ],
)
def test_an_include_counts_by_the_conditions_around_it(code: str, expected: bool | None) -> None:
    found = {header: holds for header, _, holds in conditional_includes(code.encode())}
    assert found["cublas_v2.h"] is expected


def test_an_include_is_told_with_its_line() -> None:
    text = b"// one\n#define X \\\n  2\n\n#include <curand.h>\n"
    assert list(conditional_includes(text)) == [("curand.h", 5, True)]


def test_tests_other_makers_gpus_and_projects_beside_are_left_out(tmp_path: Path) -> None:
    code = "#include <cufft.h>"
    others = dict.fromkeys(("tests/a.cu", "csrc/hip/b.cu", "csrc/c_hip.cu", "addon/d.cu"), code)
    tree = written(tmp_path, {"src/e.cu": code, "third_party/x/f.h": code, "addon/setup.py": "", **others})
    native = read_native(tree)
    assert native.cuda_files == ("src/e.cu",)
    assert {(each.where, each.certain) for each in native.includes} == {
        ("src/e.cu:1", True),
        ("third_party/x/f.h:1", False),
    }


def test_a_torch_extension_with_all_that_its_source_tells(tmp_path: Path) -> None:
    code = "#include <torch/extension.h>\n#include <curand_kernel.h>\n"
    proposal = proposed(tmp_path, {"setup.py": TORCH_SETUP, "src/loom.cu": code})
    assert proposal.values() == {
        "python": ">=3.10",
        "compute": ("cu13*",),
        "torch": ">=2.11",
        "build_requires": ("ninja",),
        "cuda_libraries": ("cublas", "curand", "cusolver", "cusparse"),
        "environment": {"LOOM_FORCE_BUILD": "TRUE"},
        "memory_per_job": 4,
        "local_version": "cu{cuda}torch{torch}",
        "modules": ("loom", "loom_cuda"),
    }
    assert "CUDAExtension (setup.py:10), 1 .cu files (src/loom.cu)" in evidence(proposal, "compute")
    assert "curand: src/loom.cu:2" in evidence(proposal, "cuda_libraries")
    assert evidence(proposal, "environment") == "setup.py:5 reads LOOM_FORCE_BUILD"
    remaining = "\n".join(proposal.remaining)
    assert "setup.py:6 names GPUs itself (sm_90)" in remaining
    assert "license: an SPDX expression" in remaining


@pytest.mark.parametrize(
    ("imported", "called"),
    [
        ("from torch.utils import cpp_extension", "cpp_extension."),
        ("import torch.utils.cpp_extension as ext", "ext."),
        ("from torch.utils.cpp_extension import CUDAExtension", ""),
    ],
)
def test_torchs_builder_is_known_however_it_is_imported(imported: str, called: str, tmp_path: Path) -> None:
    made = f"{called}CUDAExtension('loom_cuda', ['a.cu'])"
    setup = f"from setuptools import setup\n{imported}\nsetup(ext_modules=[{made}])"
    values = proposed(tmp_path, {"setup.py": setup, "a.cu": "", "loom/__init__.py": ""}).values()
    assert (values["torch"], values["local_version"]) == (">=2.11", "cu{cuda}torch{torch}")
    assert values["cuda_libraries"] == ("cublas", "cusolver", "cusparse")


@pytest.mark.parametrize(
    ("words", "compute"), [("", None), ("NVCC = '/usr/local/cuda/bin/nvcc'", ("cu13*",))]
)
def test_gpu_code_in_a_package_counts_where_its_script_compiles_it(
    words: str, compute: tuple[str, ...] | None, tmp_path: Path
) -> None:
    setup = (
        f"from setuptools import Extension, setup\n{words}\nsetup(ext_modules=[Extension('loom.x', ['x.c'])])"
    )
    values = proposed(
        tmp_path, {"setup.py": setup, "loom/__init__.py": "", "loom/a.cu": "", "x.c": ""}
    ).values()
    assert values.get("compute") == compute


def test_a_script_that_asks_for_a_gpu_and_reads_no_variable_for_want_of_one(tmp_path: Path) -> None:
    setup = TORCH_SETUP.replace("setup(\n", "if not torch.cuda.is_available():\n    CUDA = False\nsetup(\n")
    asks = "setup.py:7 asks whether there is a GPU (torch.cuda.is_available)"
    assert asks in "\n".join(proposed(tmp_path, {"setup.py": setup}).remaining)
    switched = setup.replace("LOOM_FORCE_BUILD", "FORCE_CUDA")
    assert "a GPU" not in "\n".join(proposed(tmp_path, {"setup.py": switched}).remaining)


@pytest.mark.parametrize(
    ("then", "ends"),
    [("raise Exception('no')", True), ("print('for the CPU')", False), ("if x: raise", False)],
)
def test_a_script_that_ends_without_a_gpu_is_told_from_one_that_asks(
    then: str, ends: bool, tmp_path: Path
) -> None:
    setup = TORCH_SETUP.replace(
        "setup(\n", f"import torch\nif not torch.cuda.is_available():\n    {then}\nsetup(\n"
    )
    told = [line for line in proposed(tmp_path, {"setup.py": setup}).remaining if "is_available" in line]
    assert len(told) == 1
    assert ("setup.py:8 ends the build where there is no GPU" in told[0]) == ends


def test_cuda_that_cmake_switches_on(tmp_path: Path) -> None:
    cmake = """\
project(loom LANGUAGES CXX)
option(USE_CUDA "Compile for GPUs" OFF)
if(USE_CUDA)
  find_package(CUDAToolkit REQUIRED)
endif()
include(FetchContent)
FetchContent_Declare(fmt GIT_REPOSITORY https://example.org/fmt)
"""
    pyproject = """\
[build-system]
requires = ["scikit-build-core"]
build-backend = "scikit_build_core.build"
[project]
name = "loom"
version = "1.0"
description = "Weaves"
requires-python = ">=3.11,<3.14"
license = "MIT OR Apache-2.0"
urls = { Repository = "https://example.org/loom.git" }
"""
    files = {"CMakeLists.txt": cmake, "pyproject.toml": pyproject, "src/loom.cu": "#include <cufft.h>\n"}
    proposal = proposed(tmp_path, files)
    values = proposal.values()
    assert (values["compute"], values["cuda_libraries"]) == (("cpu", "cu13*"), ("cufft",))
    assert str(values["environment"]).startswith("{'CMAKE_ARGS': When(value='-DUSE_CUDA=ON'")
    assert (values["python"], values["license"]) == (">=3.11,<3.14", "MIT OR Apache-2.0")
    assert (values["description"], values["upstream"]) == ("Weaves", "https://example.org/loom")
    assert any("CMake may download fmt (CMakeLists.txt:7)" in line for line in proposal.remaining)


BY_CMAKE = '[build-system]\nrequires = ["scikit-build-core"]\nbuild-backend = "scikit_build_core.build"\n'


@pytest.mark.parametrize(("code", "compute"), [("gemm.hpp", None), ("gemm.cu", ("cpu", "cu13*"))])
def test_a_library_that_is_bundled_is_for_cuda_where_it_has_code_for_it(
    code: str, compute: tuple[str, ...] | None, tmp_path: Path
) -> None:
    asks = "option(FLOW_CUDA OFF)\nif(FLOW_CUDA)\nenable_language(CUDA)\nendif()\n"
    files = {
        "pyproject.toml": BY_CMAKE,
        "CMakeLists.txt": "project(loom)",
        "extern/flow/CMakeLists.txt": asks,
        f"extern/flow/{code}": "#include <cublas_v2.h>",
        "extern/flow/sandbox/try.cu": "",
    }
    values = proposed(tmp_path, files).values()
    assert values.get("compute") == compute
    assert ("environment" in values, "cuda_libraries" in values) == (compute is not None,) * 2


@pytest.mark.parametrize(
    ("files", "modules"),
    [
        (
            {"src/weave/__init__.py": "", "src/weave2/__init__.pyi": "", "benchmarks/__init__.py": ""},
            ("weave", "weave2"),
        ),
        ({"weave/__init__.py": "", "tests/__init__.py": ""}, ("weave",)),
        ({"py/weave/__init__.py": "", "pyproject.toml": '[tool.maturin]\npython-source = "py"'}, ("weave",)),
        ({"loom/__init__.py": "", "pyproject.toml": f'[tool.maturin]\npython-source = "{STDLIB}"'}, None),
        ({"src/lo-om/__init__.py": "", "src/weave/__init__.py": ""}, ("weave",)),
        ({"src/loom/__init__.pyi": "", "src/weave/__init__.py": ""}, None),
        ({"loom.pyx": "", "weave/__init__.py": ""}, None),
        ({"CMakeLists.txt": "pybind11_add_module(loom MODULE loom.cpp)", "pyproject.toml": BY_CMAKE}, None),
        ({"setup.py": "from setuptools import *\nsetup(ext_modules=[Extension('loom', ['a.c'])])"}, None),
    ],
)
def test_import_names_are_told_by_where_packages_lie(
    files: dict[str, str], modules: tuple[str, ...] | None, tmp_path: Path
) -> None:
    proposal = proposed(tmp_path, files)
    assert proposal.values().get("modules") == modules
    assert not any(line.startswith("modules") for line in proposal.remaining)


def test_an_import_name_that_nothing_tells_is_to_be_looked_at(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, {"a/__init__.py": "", "b/__init__.py": ""})
    assert "modules" not in proposal.values()
    assert any(
        line == "modules: the source does not tell what is imported; loom is only the project's name"
        for line in proposal.remaining
    )


def test_gpu_code_that_the_build_does_not_compile_is_told(tmp_path: Path) -> None:
    setup = "from setuptools import find_packages, setup\nsetup(name='loom', packages=find_packages())\n"
    proposal = proposed(tmp_path, {"setup.py": setup, "loom/kernels/a.cu": "", "loom/__init__.py": ""})
    assert "compute" not in proposal.values()
    assert any("makes a wheel without GPU code" in line for line in proposal.remaining)


def test_what_setup_py_imports_and_the_build_does_not_require(tmp_path: Path) -> None:
    setup = """\
import numpy
import pkg_resources
from Cython.Build import cythonize
from helper import flags
from setuptools import Extension, setup
try:
    import optional
except ImportError:
    pass
setup(name="loom", ext_modules=cythonize([Extension("loom", ["loom.pyx"])]))
"""
    helper = "import os\nflags = os.environ.get('LOOM_FLAGS')\n"
    pyproject = '[build-system]\nrequires = ["cython>=3", "setuptools"]\n'
    proposal = proposed(tmp_path, {"setup.py": setup, "helper.py": helper, "pyproject.toml": pyproject})
    assert proposal.values()["build_requires"] == ("numpy", "setuptools<82")
    assert any("optional (setup.py:7)" in line for line in proposal.remaining)


def test_a_link_to_what_is_not_a_file_is_not_read(tmp_path: Path) -> None:
    for name in ("setup.py", "pyproject.toml", "CMakeLists.txt", "LICENSE", "a.cu"):
        (tmp_path / name).symlink_to("/dev/zero")
    assert propose("loom", read_source(tmp_path, "loom"), None).values() == {"python": ">=3.10"}


def test_a_name_that_is_set_again_is_no_constant(tmp_path: Path) -> None:
    renamed = "NAME = 'loom'\nif x:\n    NAME += '-cu13'\n"
    setup = f"from setuptools import setup\n{renamed}V = '1'\nsetup(name=NAME, version=V)\n"
    assert {*read_scripts(written(tmp_path, {"setup.py": setup})).keywords} == {"version"}


DEEP = f"x = {'+'.join(['1'] * 5000)}"
CIRCLE = "A = f'{B}'\nB = f'{A}'\nsetup(name=A)"


@pytest.mark.parametrize("text", ["print 'Python 2'", "setup(", "\0", "(" * 5000, DEEP, CIRCLE])
def test_a_setup_py_that_is_not_python_tells_nothing(tmp_path: Path, text: str) -> None:
    scripts = read_scripts(written(tmp_path, {"setup.py": text}))
    assert not scripts.compiles
    assert scripts.unread == ("setup.py",)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (">=3.7", ">=3.10"),
        (">=3.12", ">=3.12"),
        ("~=3.8", ">=3.10"),
        (">=3.10.4,<3.13", ">=3.10,<3.13"),
        ("<3.9", None),
        ("nonsense", ">=3.10"),
    ],
)
def test_the_pythons_of_a_new_recipe(told: str, expected: str | None) -> None:
    assert python_range(told) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"PKG-INFO": "Name: x\nLicense-Expression: mit\n"}, "MIT"),
        ({"PKG-INFO": "Name: x\nLicense: CC BY-NC 4.0\n"}, "CC-BY-NC-4.0"),
        ({"PKG-INFO": "Name: x\nLicense: Apache License, Version 2.0\n"}, "Apache-2.0"),
        (
            {"PKG-INFO": "Name: x\nLicense: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\n"},
            "MIT",
        ),
        ({"PKG-INFO": "Name: x\nClassifier: License :: OSI Approved :: BSD License\n"}, None),
        (
            {
                "PKG-INFO": "Name: x\nClassifier: License :: OSI Approved :: BSD License\n",
                "LICENSE": "Redistribution and use in source and binary forms, ...\n* Neither the name of the holder",
            },
            "BSD-3-Clause",
        ),
        ({"LICENSE.txt": "Boost Software License - Version 1.0\n"}, "BSL-1.0"),
        ({"LICENSE": "Apache License\n  Version 2.0\n... Boost Software License - Version 1.0"}, None),
    ],
)
def test_a_licence_is_told_only_where_it_is_one(
    tmp_path: Path, files: dict[str, str], expected: str | None
) -> None:
    reading = read_source(written(tmp_path, files), "x")
    found = licence_of(tmp_path, reading.stated)
    assert (found and found.text) == expected
