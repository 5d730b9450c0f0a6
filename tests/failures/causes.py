"""Builds that fail, each for the reason that an entry of the catalogue names: really caused, with real programs.

    .venv/bin/python -m tests.failures.causes [NAME ...]

causes those named, or all, and writes what each log says into ``logs/NAME.log``, without the paths of this machine. The
tests hold the catalogue to these logs, and cause those anew that take little time (`QUICK`).
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from tests.plans import planned
from workbench.builders.raw_wheel import build_raw
from workbench.builders.workplace import Workplace
from workbench.errors import WorkbenchError
from workbench.paths import CHECKOUT, Paths
from workbench.plan.target import Target, this_arch, this_python
from workbench.recipe.model import LocalFolder, Recipe, Sdist
from workbench.settings import read_settings

LOGS = Path(__file__).parent / "logs"

MOST = 120
"""Lines of a log that are kept: the middle of a longer one is left out."""

CPU = Target(python=this_python(), arch=this_arch())
CUDA = Target(python=this_python(), arch=this_arch(), compute="cu130", gpu=("sm_121",))
TORCH = Target(python=this_python(), arch=this_arch(), compute="cu130", gpu=("sm_121",), torch="2.11")

RECIPE = Recipe(
    name="cause",
    version="1.0",
    description="d",
    source=Sdist(sha256="0" * 64),
    compute=("cpu", "cu13*"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A source that does not build. `entry` is what the catalogue calls the reason; `variables` are this process's."""

    entry: str
    files: Mapping[str, str]
    target: Target = CPU
    recipe: Mapping[str, object] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


COMMANDS = """\
import subprocess, sys

def build_wheel(folder, config_settings=None, metadata_directory=None):
    for command in open("commands").read().splitlines():
        print("+", command, flush=True)
        subprocess.run(["sh", "-ec", command], check=True)
"""
"""A build backend that runs commands, and adds to their errors what Python says of them."""

PROJECT = '[build-system]\nrequires = [{requires}]\nbuild-backend = "{backend}"\n{more}'


def commands(*lines: str, **files: str) -> dict[str, str]:
    """Return a source whose backend runs commands; `files` are named ``x_cu`` for ``x.cu``."""
    project = PROJECT.format(requires="", backend="backend", more='backend-path = ["."]\n')
    named = {name.replace("_", ".", 1): text for name, text in files.items()}
    return {"pyproject.toml": project, "backend.py": COMMANDS, "commands": "\n".join(lines), **named}


def setuptools(setup: str = "", *, requires: str = '"setuptools"', **files: str) -> dict[str, str]:
    """Return a source that setuptools builds: an extension of ``x.c``, unless `setup` says otherwise."""
    project = PROJECT.format(requires=requires, backend="setuptools.build_meta", more="")
    plain = 'from setuptools import Extension, setup\nsetup(name="cause", version="1.0", ext_modules=[Extension("x", ["x.c"])])\n'
    named = {name.replace("_", ".", 1): text for name, text in files.items()}
    return {"pyproject.toml": project, "setup.py": setup or plain, **named}


def cmake(
    text: str, *, first: str = "cmake_minimum_required(VERSION 3.15)\nproject(cause LANGUAGES CXX)\n"
) -> dict[str, str]:
    """Return a source that scikit-build-core builds with CMake."""
    more = '[project]\nname = "cause"\nversion = "1.0"\n'
    project = PROJECT.format(requires='"scikit-build-core"', backend="scikit_build_core.build", more=more)
    return {"pyproject.toml": project, "CMakeLists.txt": first + text}


def torch_extension(code: str, flags: str = "{}") -> dict[str, str]:
    """Return a source that torch's own extension of setuptools builds, with ninja."""
    setup = (
        "from setuptools import setup\nfrom torch.utils.cpp_extension import BuildExtension, CUDAExtension\n"
        f'setup(name="cause", version="1.0", ext_modules=[CUDAExtension("x", ["x.cpp", "y.cu"], extra_compile_args={flags})],\n'
        '      cmdclass={"build_ext": BuildExtension})\n'
    )
    return setuptools(setup, x_cpp=code, y_cu="")


WITH_TORCH = {
    "torch": ">=2.11",
    "build_requires": ("ninja",),
    "cuda_libraries": ("cublas", "cusolver", "cusparse"),
}

PYTHON_H = "#include <Python.h>\n"
INIT = "PyMODINIT_FUNC PyInit_x(void) { return 0; }\n"
NVCC = "nvcc -arch=sm_121 -c x.cu -o x.o"

CAUSES = (
    Cause(
        entry="killed",
        files=commands("g++ -wrapper sh,-c,'kill -9 $$' -c x.cpp", x_cpp="int x;"),
        recipe={"memory_per_job": 0.001},
    ),
    Cause(
        entry="cuda-file-twice",
        files=commands(
            *(f"nvcc -arch=sm_121 -Xcompiler -fPIC -DX={x} -c x.cu -o {x}.o" for x in (1, 2)),
            "g++ -shared 1.o 2.o -o x.so",
            x_cu="namespace { __global__ void k(int *p) { *p = X; }\nstruct R { R() { k<<<1, 1>>>(0); } } r; }\n",
        ),
        target=CUDA,
    ),
    Cause(entry="cuda-header", files=commands(NVCC, x_cu="#include <cusparse.h>\n"), target=CUDA),
    Cause(
        entry="cuda-header-torch",
        files=torch_extension("#include <ATen/cuda/CUDAContext.h>\n"),
        target=TORCH,
        recipe={**WITH_TORCH, "cuda_libraries": ()},
    ),
    Cause(
        entry="cuda-not-included",
        files=setuptools(x_c="#include <cuda_runtime.h>\n"),
        target=CUDA,
    ),
    Cause(
        entry="cccl-moved",
        files=commands("g++ -I$CUDA_HOME/include -c x.cpp", x_cpp="#include <thrust/complex.h>\n"),
        target=CUDA,
    ),
    Cause(
        entry="thrust-removed",
        files=commands(
            NVCC, x_cu="#include <thrust/functional.h>\nstruct f : thrust::unary_function<int, int> {};\n"
        ),
        target=CUDA,
    ),
    Cause(
        entry="thrust-removed-identity",
        files=commands(NVCC, x_cu="#include <thrust/functional.h>\nthrust::identity<int> f;\n"),
        target=CUDA,
    ),
    Cause(
        entry="cub-removed",
        files=commands(
            NVCC, x_cu="#include <cub/cub.cuh>\n__device__ int f() { return cub::Max()(1, 2); }\n"
        ),
        target=CUDA,
    ),
    Cause(
        entry="device-field-removed",
        files=commands(
            NVCC, x_cu="#include <cuda_runtime.h>\nint f() { cudaDeviceProp p; return p.clockRate; }\n"
        ),
        target=CUDA,
    ),
    Cause(
        entry="device-field-removed-gcc",
        files=commands(
            "g++ -I$CUDA_HOME/include -c x.cpp",
            x_cpp="#include <cuda_runtime.h>\nint f() { cudaDeviceProp p; return p.clockRate; }\n",
        ),
        target=CUDA,
    ),
    Cause(
        entry="cuda-name-removed",
        files=commands(NVCC, x_cu="#include <cuda_runtime.h>\nvoid f() { cudaThreadSynchronize(); }\n"),
        target=CUDA,
    ),
    Cause(
        entry="gpu-unsupported",
        files=commands("nvcc -gencode arch=compute_60,code=sm_60 -c x.cu", x_cu="int x;"),
        target=CUDA,
    ),
    Cause(
        entry="ptxas-too-old",
        files=commands("ptxas -arch=sm_139a x.ptx", x_ptx=".version 9.0\n"),
        target=CUDA,
    ),
    Cause(entry="march", files=commands("gcc -march=armv8.2-a+fp16 -c x.c", x_c="int x;")),
    Cause(entry="march-flag", files=commands("aarch64-linux-gnu-gcc -mavx2 -c x.c", x_c="int x;")),
    Cause(
        entry="march-header", files=commands("aarch64-linux-gnu-gcc -c x.c", x_c="#include <immintrin.h>\n")
    ),
    Cause(
        entry="no-such-torch",
        files=commands("true"),
        target=Target(python=this_python(), arch=this_arch(), torch="3.99"),
        recipe={"torch": ">=2"},
    ),
    Cause(
        entry="torch-cuda-differs",
        files=torch_extension(
            "int x;\n",
        ),
        target=TORCH,
        recipe={**WITH_TORCH, "environment": {"CUDA_HOME": "{source}"}},
    ),
    Cause(
        entry="no-gpu-here",
        files=setuptools(
            'import shutil\n\nif not shutil.which("nvidia-smi"):\n    raise RuntimeError("CUDA is not available")\n'
        ),
    ),
    Cause(entry="torch-missing", files=setuptools("import torch\n")),
    Cause(
        entry="distutils-missing",
        files=setuptools("import imp\n"),
        target=Target(python="3.12", arch=this_arch()),
    ),
    Cause(
        entry="pkg-resources-missing", files=setuptools("import pkg_resources\n", requires='"setuptools>=82"')
    ),
    Cause(entry="module-missing", files=setuptools("import yaml\n")),
    Cause(
        entry="ninja-missing",
        files=commands(
            "cmake -G Ninja .", CMakeLists_txt="cmake_minimum_required(VERSION 3.15)\nproject(x)\n"
        ),
        variables={"PATH": "{without:ninja}"},
    ),
    Cause(
        entry="cmake-missing",
        files=setuptools('import subprocess\nsubprocess.check_call(["cmake", "."])\n'),
        variables={"PATH": "{without:cmake}"},
    ),
    Cause(
        entry="cmake-too-old",
        files=commands("cmake .", CMakeLists_txt="cmake_minimum_required(VERSION 9.1)\nproject(x)\n"),
    ),
    Cause(
        entry="cmake-policy",
        files=cmake("", first="cmake_minimum_required(VERSION 3.0)\nproject(cause)\n"),
        recipe={"build_requires": ("cmake>=4",)},
    ),
    Cause(
        entry="rust-missing",
        files=setuptools(
            'from setuptools import setup\nfrom setuptools_rust import RustExtension\nsetup(name="cause", version="1.0", rust_extensions=[RustExtension("x")])\n',
            requires='"setuptools", "setuptools-rust"',
            Cargo_toml='[package]\nname = "x"\nversion = "1.0.0"\n',
        ),
        variables={"PATH": "{without:cargo}"},
    ),
    Cause(
        entry="git-missing",
        files=setuptools('import subprocess\nsubprocess.check_output(["git", "rev-parse", "HEAD"])\n'),
        variables={"PATH": "{without:git}"},
    ),
    Cause(
        entry="version-from-git",
        files={
            **setuptools("", requires='"setuptools", "setuptools-scm"'),
            "setup.py": "from setuptools import setup\nsetup(use_scm_version=True)\n",
        },
    ),
    Cause(
        entry="program-missing",
        files=setuptools(
            'from setuptools import Extension, setup\nsetup(name="cause", version="1.0", ext_modules=[Extension("_x", ["x.i"])])\n',
            x_i="%module x\n",
        ),
        variables={"PATH": "{without:swig}"},
    ),
    Cause(
        entry="nvcc-missing",
        files=commands("nvcc -c x.cu", x_cu="int x;"),
        variables={"PATH": "{without:nvcc}"},
    ),
    Cause(
        entry="gcc-too-new",
        files=commands(
            "printf '#!/bin/sh\\nexec g++ -U__GNUC__ -D__GNUC__=19 \"$@\"\\n' > newer; chmod +x newer; nvcc -ccbin ./newer -c x.cu",
            x_cu="int x;",
        ),
        target=CUDA,
    ),
    Cause(
        entry="torch-needs-newer-cxx",
        files=torch_extension("#include <torch/extension.h>\n", '{"cxx": ["-std=c++14"]}'),
        target=TORCH,
        recipe=WITH_TORCH,
    ),
    Cause(
        entry="torch-dispatch",
        files=torch_extension(
            '#include <torch/extension.h>\nvoid f(at::Tensor t) { AT_DISPATCH_FLOATING_TYPES(t.type(), "f", [&] { t.data_ptr<scalar_t>(); }); }\n'
        ),
        target=TORCH,
        recipe=WITH_TORCH,
    ),
    Cause(entry="python-header", files=commands("gcc -c x.c", x_c=PYTHON_H)),
    Cause(entry="python-api-removed", files=setuptools(x_c=PYTHON_H + '#include "longintrepr.h"\n')),
    Cause(
        entry="numpy-2",
        files=setuptools(
            'import numpy\nfrom setuptools import Extension, setup\nsetup(name="cause", version="1.0", ext_modules=[Extension("x", ["x.c"], include_dirs=[numpy.get_include()])])\n',
            requires='"setuptools", "numpy>=2"',
            x_c=PYTHON_H + "#include <numpy/arrayobject.h>\nint f(PyArray_Descr *d) { return d->elsize; }\n",
        ),
    ),
    Cause(
        entry="python-package-header",
        files=commands("g++ -c x.cpp", x_cpp="#include <pybind11/pybind11.h>\n"),
    ),
    Cause(entry="missing-include", files=commands("g++ -c x.cpp", x_cpp="uint32_t x;\n")),
    Cause(
        entry="werror", files=commands("gcc -Wall -Werror -c x.c", x_c="static int f(void) { return 1; }\n")
    ),
    Cause(
        entry="implicit-declaration",
        files=commands(
            "gcc -Werror=implicit-function-declaration -c x.c", x_c="int f(void) { return strdup(0) != 0; }\n"
        ),
    ),
    Cause(
        entry="not-pic",
        files=commands(
            "gcc -fno-pic -c x.c; ar rc libx.a x.o; gcc -shared -o y.so y.c -L. -lx",
            x_c="int v; int f(void) { return v; }\n",
            y_c="int f(void); int g(void) { return f(); }\n",
        ),
    ),
    Cause(entry="submodule-missing", files={**cmake("add_subdirectory(third)\n"), "third/README": ""}),
    Cause(
        entry="download-tried",
        files=setuptools('from urllib.request import urlopen\nurlopen("https://files.invalid/x.tar.gz")\n'),
    ),
    Cause(entry="download-tried-git", files=commands("git clone https://files.invalid/x.git")),
    Cause(
        entry="index-silent",
        files=setuptools(),
        variables={
            "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
            "UV_HTTP_RETRIES": "1",
            "UV_NO_CACHE": "1",
        },
    ),
    Cause(entry="requirement-impossible", files=setuptools(requires='"setuptools>=9999"')),
    Cause(
        entry="flat-layout",
        files={
            **setuptools(),
            "setup.py": 'from setuptools import setup\nsetup(name="cause", version="1.0")\n',
            "one/__init__.py": "",
            "two/__init__.py": "",
        },
    ),
    Cause(entry="library-missing", files=commands("gcc -shared -o x.so x.c -lopenblas64_", x_c="int x;")),
    Cause(entry="header-missing", files=setuptools(x_c='#include "turbojpeg.h"\n')),
    Cause(entry="cmake-package-missing", files=cmake("find_package(LAPACK REQUIRED)\n")),
)

QUICK = (
    *("killed", "march", "cmake-too-old", "missing-include", "werror", "not-pic", "library-missing"),
    *("python-header", "torch-missing", "index-silent", "requirement-impossible"),
)
"""Causes that take a second or two."""


def without(program: str, folder: Path) -> str:
    """Return a search path that has all programs of this machine's but one, as links in a folder."""
    folder.mkdir()
    for place in (Path(each) for each in reversed(os.environ["PATH"].split(os.pathsep))):
        for path in place.iterdir() if place.is_dir() else ():
            link = folder / path.name
            if path.name != program:
                link.unlink(missing_ok=True)
                link.symlink_to(path)
    return str(folder)


@contextmanager
def caused(cause: Cause, root: Path) -> Iterator[tuple[Workplace, WorkbenchError]]:
    """Cause a failure in a site at `root`; yield where it was built, and the error."""
    source, paths = root / "source", Paths(root / "site")
    for name, text in cause.files.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    own = {
        **{each: getattr(RECIPE, each) for each in ("name", "version", "description", "source", "compute")},
        **cause.recipe,
    }
    if cause.entry == "torch-cuda-differs":
        # torch asks nvcc, and one of another CUDA is not on the package index
        nvcc = source / "bin" / "nvcc"
        nvcc.parent.mkdir()
        nvcc.write_text("#!/bin/sh\necho 'Cuda compilation tools, release 12.8, V12.8.93'\n")
        nvcc.chmod(0o755)
        own["environment"] = {"CUDA_HOME": str(source)}
    variables = {}
    for name, value in cause.variables.items():
        left_out = re.fullmatch(r"\{without:(\w+)\}", value)
        variables[name] = without(left_out[1], root / "programs") if left_out else value
    plan = planned(Recipe(**own), cause.target, source=LocalFolder(path=source))
    place = Workplace.of(plan, paths)
    with patch.dict(os.environ, variables), place.opened(paths):
        try:
            build_raw(place, paths, read_settings(paths), jobs=4)
        except WorkbenchError as error:
            yield place, error
            return
    raise AssertionError(f"{cause.entry}: it builds")


def tidied(place: Workplace) -> str:
    """Return what the last command in a log said, without the paths of this machine."""
    text = place.log.read_text(errors="replace").rpartition("\n$ ")[2].partition("\n")[2]
    known = {
        str(place.tree): "/tree",
        str(place.root): "/build",
        str(place.root.parents[3]): "/elsewhere",
        str(CHECKOUT): "/checkout",
        sys.base_prefix: "/python",
    }
    for path, name in known.items():
        text = text.replace(path, name)
    text = re.sub(r"\S*/wheel-workbench/toolchains/[^/\s]+", "/cuda", text)
    text = re.sub(
        rf"({re.escape(str(Path.home()))}|{re.escape(str(CHECKOUT.parent))})/[^\s:]*", "/elsewhere", text
    )
    lines = [f"{line[:400]}\n" for line in text.splitlines()]
    return "".join(lines if len(lines) < MOST else [*lines[: MOST // 2], "[...]\n", *lines[-MOST // 2 :]])


def main() -> None:
    asked = sys.argv[1:]
    LOGS.mkdir(exist_ok=True)
    for cause in CAUSES:
        if asked and cause.entry not in asked:
            continue
        with tempfile.TemporaryDirectory(prefix="cause-") as folder:
            try:
                with caused(cause, Path(folder)) as (place, error):
                    found = error.explanation.name if error.explanation else None
                    right = bool(found) and cause.entry.startswith(str(found))
                    print("ok   " if right else "WRONG", cause.entry, found)
                    if not right or asked:
                        print(error)
                    (LOGS / f"{cause.entry}.log").write_text(tidied(place))
            except (AssertionError, WorkbenchError) as failed:
                print("FAILED", cause.entry, str(failed)[:3000])


if __name__ == "__main__":
    main()
