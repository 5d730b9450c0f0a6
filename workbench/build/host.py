"""Builders `host` and `cross`: on this machine, in a fresh environment for the build requirements (PEP 517, 518).

For this machine's architecture that is all. For another one, programs and Python are this machine's, and the build is
told of a cross compiler and of the target's headers, libraries and ``sysconfig``.
"""

from __future__ import annotations

import os
import shutil
import tomllib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyproject_hooks
from packaging.utils import parse_wheel_filename

from workbench.build.interpreter import find_interpreter
from workbench.build.machine import foreign_programs
from workbench.build.restamp import restamp
from workbench.build.tools import Tools
from workbench.console import step
from workbench.environment import Environment
from workbench.errors import BuildFailed, CommandFailed
from workbench.files import only_one
from workbench.process import run
from workbench.source.tree import prepare
from workbench.toolchain.environment import joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from workbench.console import Step
    from workbench.plan.plan import Plan
    from workbench.site import Site

LEGACY = {"requires": ["setuptools>=40.8.0"], "build-backend": "setuptools.build_meta:__legacy__"}
"""What a project without a ``[build-system]`` gets (PEP 517)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """The folder of one build: the patched source `tree`, the environment, the log, the `raw` wheel."""

    root: Path

    @classmethod
    def of(cls, plan: Plan, site: Site) -> Workplace:
        """Return where a plan is built."""
        return cls(root=site.state / "builds" / plan.slug)

    @property
    def tree(self) -> Path:
        """The source, patched."""
        return self.root / "tree"

    @property
    def log(self) -> Path:
        """All that the backend and its compilers said."""
        return self.root / "build.log"

    @property
    def raw(self) -> Path:
        """The folder for the wheel as the backend made it."""
        return self.root / "raw"

    def clear(self) -> None:
        """Remove all but the log."""
        for path in self.root.iterdir() if self.root.exists() else ():
            if path.is_dir():
                shutil.rmtree(path)


def build(plan: Plan, site: Site, *, jobs: int | None = None) -> Path:
    """Build one plan and return the raw wheel, in the plan's folder below ``.workbench/builds``.

    `jobs` caps the compilers that run at once; the default is one for each processor that this process may use.

    Raises BuildFailed, with the tree and the log kept and named; SourceError and PatchError from the source;
    ToolchainError and ToolMissing when the target's CUDA or architecture cannot be built for here.
    """
    tools = Tools.of(plan, cache=site.cache)
    place = Workplace.of(plan, site)
    with only_one(place.root.with_name(f"{plan.slug}.lock"), f"a build of {plan.title}"):
        place.clear()
        place.raw.mkdir(parents=True)
        place.log.unlink(missing_ok=True)
        prepare(plan, site, place.tree)
        with step(f"build {plan.title}") as at:
            try:
                wheel = _build_wheel(plan, place, at, tools, jobs=jobs or len(os.sched_getaffinity(0)))
            except CommandFailed as error:
                raise _failed(plan, place, str(error)) from error
            at.outcome = wheel.name
        return wheel


def _build_wheel(plan: Plan, place: Workplace, at: Step, tools: Tools, *, jobs: int) -> Path:
    environment = Environment.create(
        place.root / "env", python=find_interpreter(plan.target.python), log=place.log
    )
    system = _build_system(plan, place)
    environment.install([*system["requires"], *plan.build_requires], log=place.log)
    equipment = tools.equip(environment, place.root / "cross")
    variables = joined(
        {"PATH": os.environ.get("PATH", os.defpath)},
        {"MAX_JOBS": str(jobs), "CMAKE_BUILD_PARALLEL_LEVEL": str(jobs)},
        equipment.variables,
        plan.environment,
        {
            "VIRTUAL_ENV": str(environment.path),
            "PATH": str(environment.path / "bin"),
            "PYTHONNOUSERSITE": "1",
        },
    )

    def runner(
        cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        folder = place.root if cwd is None else type(place.root)(cwd)
        run(cmd, cwd=folder, env={**variables, **(extra_environ or {})}, log=place.log, on_line=at.detail)

    hooks = pyproject_hooks.BuildBackendHookCaller(
        str(place.tree),
        system["build-backend"],
        backend_path=system.get("backend-path"),
        runner=runner,
        python_executable=str(environment.python),
    )
    settings = equipment.config_settings(system["build-backend"])
    try:
        with warnings.catch_warnings():
            # the backend's warnings are in the log; handed on to this process they would stand between the steps
            warnings.simplefilter("ignore", pyproject_hooks.BuildBackendWarning)
            environment.install(hooks.get_requires_for_build_wheel(settings), log=place.log)
            wheel = place.raw / hooks.build_wheel(str(place.raw), settings)
    except (pyproject_hooks.BackendUnavailable, pyproject_hooks.HookMissing) as error:
        raise _failed(plan, place, f"the build backend {system['build-backend']}: {error}") from error
    name, version, _, tags = parse_wheel_filename(wheel.name)
    if (name, str(version)) != (plan.recipe.name, plan.recipe.version):
        raise _failed(
            plan, place, f"it made {wheel.name}, and the recipe says {plan.recipe.name} {plan.recipe.version}"
        )
    if any(tag.platform != "any" and not tag.platform.endswith(plan.target.arch) for tag in tags):
        raise _failed(plan, place, f"it made {wheel.name}, which is not for {plan.target.arch}")
    if foreign := foreign_programs(wheel, plan.target.arch):
        raise _failed(
            plan,
            place,
            f"it made {', '.join(foreign)}, not for {plan.target.arch}: the build has run this machine's compiler, or "
            "fetched something prebuilt",
        )
    if version == plan.version and not plan.requires:
        return wheel
    return restamp(wheel, plan.version, requires=plan.requires)


def _build_system(plan: Plan, place: Workplace) -> dict[str, Any]:
    """Return ``[build-system]`` (PEP 518), completed with PEP 517's defaults."""
    path = place.tree / "pyproject.toml"
    if not path.exists() and not (place.tree / "setup.py").exists():
        raise _failed(plan, place, "the source has neither pyproject.toml nor setup.py at its top")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except tomllib.TOMLDecodeError as error:
        raise _failed(plan, place, f"its pyproject.toml is not TOML: {error}") from error
    system = table.get("build-system")
    return {**LEGACY, **system} if system else LEGACY


def _failed(plan: Plan, place: Workplace, why: str) -> BuildFailed:
    return BuildFailed(
        f"{plan.title} does not build: {why}\nThe tree is kept: {place.tree}\nThe whole log: {place.log}"
    )
