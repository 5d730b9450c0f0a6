"""Builder `host`: packages whose backends say what they were told, or fail."""

from __future__ import annotations

import dataclasses
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.builders.raw import built
from tests.plans import planned
from workbench.errors import BuildFailed, ToolchainError, WorkbenchError
from workbench.memory import peaks
from workbench.plan.target import Target, this_arch, this_python
from workbench.recipe.model import LocalFolder, Recipe, Sdist
from workbench.toolchain.cuda import lay_out

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.plan.plan import Plan

PROJECT = """\
[build-system]
requires = {requires}
build-backend = "backend"
backend-path = ["."]
"""

BACKEND = """\
import os
import sys
import zipfile

NAME = "told-1.0-py3-none-any.whl"

def build_wheel(folder, config_settings=None, metadata_directory=None):
    {before}
    with zipfile.ZipFile(os.path.join(folder, NAME), "w") as wheel:
        wheel.writestr("environment", "".join(f"{{name}}={{value}}\\n" for name, value in os.environ.items()))
    return NAME
"""

RECIPE = Recipe(
    name="told",
    version="1.0",
    description="d",
    source=Sdist(sha256="0" * 64),
    compute=("cpu", "cu13*"),
    environment={"CFLAGS": "-DRECIPE"},
)
HERE = Target(python=this_python(), arch=this_arch())
CUDA = Target(python=this_python(), arch=this_arch(), compute="cu130", gpu=("sm_121",))


def plan_of(
    tmp_path: Path, target: Target = HERE, *, before: str = "pass", requires: tuple[str, ...] = ()
) -> Plan:
    """Plan a package of which the backend does something before it makes its wheel."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "pyproject.toml").write_text(PROJECT.format(requires=list(requires)))
    (source / "backend.py").write_text(BACKEND.format(before=before))
    return planned(RECIPE, target, source=LocalFolder(path=source))


def environment(wheel: Path) -> dict[str, str]:
    """Return the variables that a backend has put into its wheel."""
    with zipfile.ZipFile(wheel) as archive:
        lines = archive.read("environment").decode().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


LEAKS = (
    "CC",
    "CFLAGS",
    "CMAKE_ARGS",
    "COMPILER_PATH",
    "CUDA_HOME",
    "FCFLAGS",
    "FORCE_CUDA",
    "HIPFLAGS",
    "LDCXXSHARED",
    "LD_RUN_PATH",
    "LIBRARY_PATH",
    "NVCC_APPEND_FLAGS",
    "PKG_CONFIG",
    "PKG_CONFIG_PATH",
    "PKG_CONFIG_SYSROOT_DIR",
    "PYTHONHOME",
    "PYTHONPATH",
    "RUSTFLAGS",
    "TORCH_CUDA_ARCH_LIST",
)


def test_what_a_shell_tells_compilers_decides_no_wheel(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not in the build key; what the recipe says is, and holds."""
    for name in LEAKS:
        monkeypatch.setenv(name, "leak")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "leak")
    told = environment(built(plan_of(tmp_path), paths))
    assert told["CFLAGS"] == "-DRECIPE"
    assert "leak" not in told.values()


def test_a_set_has_one_order_in_every_build(paths: Paths, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, before='os.environ["ORDER"] = " ".join({str(number) for number in range(50)})')
    first, second = (environment(built(plan, paths))["ORDER"] for _ in range(2))
    assert first == second


def test_versions_are_compared_and_not_how_they_are_written(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.RECIPE", dataclasses.replace(RECIPE, version="v1.00"))
    assert built(plan_of(tmp_path), paths).name == "told-1.0-py3-none-any.whl"


def failure(wanted: Plan, paths: Paths, *, jobs: int | None = None) -> WorkbenchError:
    with pytest.raises(WorkbenchError) as caught:
        built(wanted, paths, jobs=jobs)
    return caught.value


def test_a_full_disk_is_not_the_packages_fault(paths: Paths, tmp_path: Path) -> None:
    error = failure(plan_of(tmp_path, before='open("/dev/full", "w", buffering=1).write("x\\n")'), paths)
    assert type(error) is WorkbenchError
    assert str(error).startswith("the disk is full: OSError: [Errno 28] No space left on device")


def test_a_project_that_is_not_utf_8_is_the_packages_fault(paths: Paths, tmp_path: Path) -> None:
    wanted = plan_of(tmp_path)
    project = tmp_path / "source" / "pyproject.toml"
    project.write_bytes(b"# \xe9crit en latin-1\n" + project.read_bytes())
    error = failure(wanted, paths)
    assert type(error) is BuildFailed
    assert "its pyproject.toml is not TOML: 'utf-8' codec can't decode" in str(error)


@pytest.mark.parametrize(
    ("project", "why"),
    [
        ('[build-system]\nrequires = "six"', "requires in [build-system] is not a list of strings: 'six'"),
        ("[build-system]\nrequires = [1]", "requires in [build-system] is not a list of strings: [1]"),
        ('[build-system]\nrequires = ["--no-index"]', "'--no-index' is not a requirement (PEP 508)"),
        ("[build-system]\nrequires = []\nbuild-backend = 3", "not the name of a module: 3"),
        ('[build-system]\nrequires = []\nbackend-path = [".."]', "not a folder of the source: '..'"),
        ('[build-system]\nrequires = []\nbackend-path = "."', "backend-path in [build-system] is not a list"),
        ('build-system = "x"', "build-system in its pyproject.toml is not a table"),
        ("[[build-system]]\nrequires = []", "build-system in its pyproject.toml is not a table"),
    ],
)
def test_a_build_system_of_another_shape_is_named(
    paths: Paths, tmp_path: Path, project: str, why: str
) -> None:
    wanted = plan_of(tmp_path)
    (tmp_path / "source" / "pyproject.toml").write_text(project)
    error = failure(wanted, paths)
    assert type(error) is BuildFailed
    assert why in str(error)


@pytest.mark.parametrize(
    ("before", "why"),
    [
        ("return", "made no file of the name that it returned: None"),
        ("return 'told-1.0-py3-none-any.whl'", "made no file of the name that it returned: 'told-1.0"),
        ("os._exit(0)", "ended without an answer"),
        ("open(f'{folder}/told.whl', 'w').close(); return 'told.whl'", "told.whl, which is not a wheel"),
        (
            "open(f'{folder}/{NAME}', 'w').close(); return NAME",
            "which is not a wheel: no end record",
        ),
    ],
)
def test_a_backend_that_makes_no_wheel_is_named(paths: Paths, tmp_path: Path, before: str, why: str) -> None:
    error = failure(plan_of(tmp_path, before=before), paths)
    assert type(error) is BuildFailed
    assert why in str(error)


def test_what_a_backend_asks_for_is_never_an_option(paths: Paths, tmp_path: Path) -> None:
    wanted = plan_of(tmp_path)
    with (tmp_path / "source" / "backend.py").open("a") as backend:
        backend.write("\ndef get_requires_for_build_wheel(settings=None):\n    return ['--no-index']\n")
    error = failure(wanted, paths)
    assert type(error) is BuildFailed
    assert "get_requires_for_build_wheel of the build backend backend: '--no-index' is not" in str(error)


def test_a_daemon_of_the_build_ends_with_it(paths: Paths, tmp_path: Path) -> None:
    daemon = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)"
    assert built(plan_of(tmp_path, before=daemon), paths).is_file()


def test_a_compiler_that_was_killed_wants_fewer_of_its_kind(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peaks, "JOB", 1_000_000)  # four fit on this machine, whatever else it does
    said = "g++: fatal error: Killed signal terminated program cc1plus"
    plan = plan_of(tmp_path, before=f'print("{said}"), print("\\n" * 99), sys.exit(1)')
    error = failure(plan, paths, jobs=4)
    assert type(error) is BuildFailed
    assert "--max-jobs 1" in str(error)  # four were tried, and then two
    assert said in str(error)


@pytest.mark.parametrize("retries", ["0", "1"])  # uv says it otherwise where it has tried again
def test_an_index_that_does_not_answer_is_not_the_packages_fault(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retries: str
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", retries)
    monkeypatch.setenv("UV_NO_CACHE", "1")
    error = failure(plan_of(tmp_path, requires=("setuptools",)), paths)
    assert type(error) is WorkbenchError
    assert "the package index did not give what the build requires" in str(error)
    assert "The tree is kept: " in str(error)


def test_a_torch_that_there_is_not_is_not_the_packages_fault(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.RECIPE", dataclasses.replace(RECIPE, torch=">=2.9"))
    error = failure(plan_of(tmp_path, dataclasses.replace(HERE, torch="3.99")), paths)
    assert type(error) is ToolchainError
    assert "the package index has no such torch for this Python and architecture\n" in str(error)
    assert "What to do: Name another --torch." in str(error)


def test_what_fails_with_a_damaged_toolkit_is_not_the_packages_fault(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    header = lay_out("cu130", this_arch(), cache=paths.cache) / "include" / "cuda_runtime.h"
    wanted = plan_of(tmp_path, CUDA, before="sys.exit(1)")
    assert type(failure(wanted, paths)) is BuildFailed
    damaged = header.read_bytes().replace(b"cudaError_t", b"cudaError_!")
    header.unlink()  # it is a link to uv's own
    header.write_bytes(damaged)
    error = failure(wanted, paths)
    assert type(error) is ToolchainError
    assert "is damaged: include/cuda_runtime.h has other bytes" in str(error)
