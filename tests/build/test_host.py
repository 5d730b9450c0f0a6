"""Builder `host`: a package that says what its build was told."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from workbench.build.build import build
from workbench.plan.plan import plan
from workbench.plan.target import Target, this_arch, this_python
from workbench.recipe.model import LocalFolder, Recipe, Sdist

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from workbench.site import Site

PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""

BACKEND = """\
import os
import zipfile

NAME = "told-1.0-py3-none-any.whl"

def build_wheel(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(os.path.join(folder, NAME), "w") as wheel:
        wheel.writestr("environment", "".join(f"{name}={value}\\n" for name, value in os.environ.items()))
    return NAME
"""

LEAKS = (
    "CC",
    "CFLAGS",
    "CMAKE_ARGS",
    "CUDA_HOME",
    "LIBRARY_PATH",
    "NVCC_APPEND_FLAGS",
    "TORCH_CUDA_ARCH_LIST",
)


def test_what_a_shell_tells_compilers_decides_no_wheel(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not in the build key; what the recipe says is, and holds."""
    for name in LEAKS:
        monkeypatch.setenv(name, "leak")
    monkeypatch.setenv("HTTPS_PROXY_OF_MINE", "kept")
    source = tmp_path / "source"
    source.mkdir()
    (source / "pyproject.toml").write_text(PROJECT)
    (source / "backend.py").write_text(BACKEND)
    recipe = Recipe(
        name="told",
        version="1.0",
        description="d",
        source=Sdist(sha256="0" * 64),
        environment={"CFLAGS": "-DRECIPE"},
    )
    target = Target(python=this_python(), arch=this_arch())
    ((wanted,), _) = plan(recipe, (), [target], source=LocalFolder(path=source))
    with zipfile.ZipFile(build(wanted, site)) as wheel:
        told = dict(
            line.split("=", 1) for line in wheel.read("environment").decode().splitlines() if "=" in line
        )
    assert told["CFLAGS"] == "-DRECIPE"
    assert told["HTTPS_PROXY_OF_MINE"] == "kept"
    assert [name for name in LEAKS if told.get(name) == "leak"] == []
