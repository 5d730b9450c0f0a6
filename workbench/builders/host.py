"""Builders `host` and `cross`: on this machine, in a fresh environment for the build requirements (PEP 517, 518).

For this machine's architecture that is all. For another one, programs and Python are this machine's, and the build is
told of a cross compiler and of the target's headers, libraries and ``sysconfig``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyproject_hooks

from workbench.builders.interpreter import find_interpreter
from workbench.builders.own_index import joined_index, own_index
from workbench.builders.tools import compiler_for, equip, toolkit_for
from workbench.environment import Environment
from workbench.errors import CommandFailed
from workbench.process import run
from workbench.source.epoch import source_epoch
from workbench.toolchain import cuda
from workbench.toolchain.variables import build_variables, config_settings, joined

if TYPE_CHECKING:
    from workbench.builders.workplace import Workplace
    from workbench.events import Step
    from workbench.paths import Paths
    from workbench.settings import Settings


_COMPILERS_READ = {
    *("AR", "AS", "CC", "CPP", "CXX", "FC", "LD", "LDSHARED", "LDCXXSHARED"),
    *("ARCHFLAGS", "CFLAGS", "CPPFLAGS", "CXXFLAGS", "FCFLAGS", "FFLAGS", "HIPFLAGS", "LDFLAGS", "RUSTFLAGS"),
    *("COMPILER_PATH", "CPATH", "CPLUS_INCLUDE_PATH", "C_INCLUDE_PATH", "LD_RUN_PATH", "LIBRARY_PATH"),
    *("CUDAARCHS", "CUDACXX", "CUDAHOSTCXX", "FORCE_CUDA", "PYTORCH_ROCM_ARCH", "TORCH_CUDA_ARCH_LIST"),
    "PKG_CONFIG",
    *("PYTHONHOME", "PYTHONPATH"),  # a module there is imported before the one that the build requires
}
_BUILD_SYSTEMS_READ = ("CMAKE_", "CUDA_", "CUDAToolkit_", "NVCC_", "PKG_CONFIG_", "SKBUILD_")


def _decides_a_wheel(name: str) -> bool:
    """Say whether a variable of somebody's shell would change what is built, and yet not be in the build key."""
    return name in _COMPILERS_READ or name.startswith(_BUILD_SYSTEMS_READ)


def build_here(place: Workplace, paths: Paths, settings: Settings, at: Step, *, jobs: int) -> Path:
    """Build a plan's wheel as its backend makes it, and return it.

    Raises BuildFailed for a source or a backend that is not valid; CommandFailed with the backend's last lines;
    ToolchainError and ToolMissing when the target's CUDA or architecture cannot be built for here.
    """
    plan = place.plan
    compiler, toolkit = compiler_for(plan, paths), toolkit_for(plan, paths, settings)
    python = find_interpreter(plan.target.python)
    environment = Environment.create(place.environment.path, python=python, log=place.log)
    system = place.build_system()
    requires = [*system.requires, *plan.build_requires]
    index = own_index(requires, paths, settings)
    environment.install_pinned(requires, options=joined_index(index), log=place.log)
    cross = place.root / "cross"
    tools, meson = equip(
        environment, plan.target, cross, toolkit=toolkit, compiler=compiler, cache=paths.cache
    )
    variables = joined(
        {"PATH": os.environ.get("PATH", os.defpath)},
        build_variables(tools, plan.environment, jobs=jobs, epoch=source_epoch(plan.source, place.tree)),
        {
            "VIRTUAL_ENV": str(environment.path),
            "PATH": str(environment.path / "bin"),
            "PYTHONNOUSERSITE": "1",
        },
    )
    dropped = dict.fromkeys(filter(_decides_a_wheel, os.environ))

    def runner(
        cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        folder = place.root if cwd is None else Path(cwd)
        env = {**dropped, **variables, **(extra_environ or {})}
        run(cmd, cwd=folder, env=env, log=place.log, on_line=at.detail)

    hooks = pyproject_hooks.BuildBackendHookCaller(
        str(place.tree),
        system.backend,
        backend_path=system.backend_path or None,
        runner=runner,
        python_executable=str(environment.python),
    )
    options = config_settings(system.backend, jobs=jobs, objects=place.objects, meson_cross_file=meson)
    try:
        with warnings.catch_warnings():
            # the backend's warnings are in the log; handed on to this process they would stand between the steps
            warnings.simplefilter("ignore", pyproject_hooks.BuildBackendWarning)
            asked = f"get_requires_for_build_wheel of the build backend {system.backend}"
            more = place.requirements(hooks.get_requires_for_build_wheel(options), asked)
            if more:
                index = own_index([*requires, *more], paths, settings)
                environment.install_pinned([*requires, *more], options=joined_index(index), log=place.log)
            for command in plan.before_build:
                runner(["sh", "-ec", command], cwd=str(place.tree))
            name: object = hooks.build_wheel(str(place.raw), options)
    except CommandFailed:
        # what does not compile with a damaged one may be sound; the site's own is its own affair
        if toolkit and toolkit.is_relative_to(paths.cache):
            cuda.check(toolkit)
        raise
    except (pyproject_hooks.BackendUnavailable, pyproject_hooks.HookMissing) as error:
        raise place.failed(f"the build backend {system.backend}: {error}") from error
    except (pyproject_hooks.UnsupportedOperation, FileNotFoundError, ValueError) as error:
        raise place.failed(f"the build backend {system.backend} ended without an answer") from error
    if not isinstance(name, str) or not (wheel := place.raw / Path(name).name).is_file():
        made = f"made no file of the name that it returned: {name!r}"
        raise place.failed(f"the build backend {system.backend} {made}")
    return wheel
