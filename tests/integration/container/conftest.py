from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from workbench.container.cibw import build_wheel
from workbench.container.command import CUDA_HOME, Build
from workbench.container.engine import Engine, find_engine
from workbench.container.image import ImageRecipe, Kind, build_image
from workbench.paths import Paths
from workbench.toolchain.cuda import lay_out
from workbench.toolchain.variables import cuda_environment


@pytest.fixture(scope="session")
def engine() -> Engine:
    return find_engine("podman")


@pytest.fixture(scope="session")
def image(engine: Engine) -> Callable[..., str]:
    """Return the function that makes an image and returns its name; one that there is already is taken as it is."""

    def make(arch: str, kind: Kind = "build", toolkit: Path | None = None) -> str:
        return build_image(
            ImageRecipe(arch=arch, kind=kind, toolkit=toolkit), engine, cache=Paths.here().cache
        ).name

    return make


@pytest.fixture(scope="session")
def toolkit() -> Callable[[str], Path]:
    return partial(lay_out, "cu130", cache=Paths.here().cache)


Builds = Callable[..., Path]


def requires_of(tree: Path) -> tuple[str, ...]:
    """Return what a tree's ``[build-system]`` requires."""
    project = tree / "pyproject.toml"
    table = tomllib.loads(project.read_text()) if project.exists() else {}
    return tuple(table.get("build-system", {}).get("requires", ["setuptools"]))


@pytest.fixture
def build(
    engine: Engine, image: Callable[..., str], toolkit: Callable[[str], Path], tmp_path: Path
) -> Builds:
    """Return the function that builds a tree in a container, for CUDA's sm_121 where `cuda` is set."""

    def run(
        tree: Path, arch: str = "x86_64", *, cuda: bool = False, on_line: Any = None, **changes: Any
    ) -> Path:
        gpu: dict[str, Any] = {}
        if cuda:
            gpu = {
                "toolkit": toolkit(arch),
                "environment": cuda_environment(CUDA_HOME, ("sm_121",), release="13.0"),
            }
        values = {
            "title": f"{tree.name} {arch}",
            "python": "3.11",
            "arch": arch,
            "image": image(arch),
            "tree": tree,
            "output": tmp_path / "wheels",
            "wheelhouse": Path(tempfile.mkdtemp(dir=tmp_path)),
            "requires": requires_of(tree),
            **gpu,
            **changes,
        }
        log = tmp_path / "build.log"
        return build_wheel(Build(**values), engine, log=log, on_line=on_line or (lambda _: None))

    return run


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return a project with a C extension that takes a moment to build."""
    tree = tmp_path / "small"
    tree.mkdir()
    (tree / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "small"\nversion = "1.0"\n'
        # a project's own settings for cibuildwheel decide nothing here
        '[tool.cibuildwheel]\nbefore-all = "exit 9"\nskip = "*"\n'
    )
    (tree / "setup.py").write_text(
        "from setuptools import Extension, setup\nsetup(ext_modules=[Extension('small', ['small.c'])])\n"
    )
    (tree / "small.c").write_text(
        "#include <Python.h>\n"
        "#include <stdio.h>\n"
        'static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "small", NULL, -1, NULL};\n'
        'PyMODINIT_FUNC PyInit_small(void) { printf("small\\n"); return PyModule_Create(&module); }\n'
    )
    return tree
