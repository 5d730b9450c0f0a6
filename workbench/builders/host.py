"""Builders `host` and `cross`: on this machine, in a fresh environment for the build requirements (PEP 517, 518).

For this machine's architecture that is all. For another one, programs and Python are this machine's, and the build is
told of a cross compiler and of the target's headers, libraries and ``sysconfig``.

Once the requirements are there, all that runs of a source and of its build backend runs isolated (`isolation`).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyproject_hooks

from workbench.builders import isolation, objects
from workbench.builders.interpreter import find_interpreter
from workbench.builders.isolation import COUNTERS, Room
from workbench.builders.own_index import joined_index, own_index
from workbench.builders.tools import compiler_for, equip, toolkit_for
from workbench.environment import Environment
from workbench.errors import CommandFailed, ToolMissing
from workbench.events import note
from workbench.files import make_folder
from workbench.process import run
from workbench.source.epoch import source_epoch
from workbench.toolchain import cuda
from workbench.toolchain.variables import build_variables, config_settings, joined

if TYPE_CHECKING:
    from pyproject_hooks import SubprocessRunner

    from workbench.build_group import BuildGroup
    from workbench.builders.objects import ObjectCache
    from workbench.builders.workplace import Workplace
    from workbench.events import Step
    from workbench.memory.share import Share
    from workbench.paths import Paths
    from workbench.settings import Settings
    from workbench.toolchain.compilers import CrossGcc


_COUNTS = {"MAX_JOBS", "CMAKE_BUILD_PARALLEL_LEVEL", "MAKEFLAGS"}
"""By these variables a build is told how many compilers may run at once."""

_SLOTS = "slots"
"""Where, in a build's folder, lies its jobserver."""


def build_here(
    place: Workplace,
    paths: Paths,
    settings: Settings,
    at: Step,
    *,
    share: Share,
    cache: ObjectCache | None = None,
) -> Path:
    """Build a plan's wheel as its backend makes it, and return it. What is compiled goes through an object `cache`.

    Raises BuildFailed for a source or a backend that is not valid; CommandFailed with the backend's last lines;
    ToolchainError and ToolMissing when the target's CUDA or architecture cannot be built for here.
    """
    plan = place.plan
    compiler, toolkit = compiler_for(plan, paths), toolkit_for(plan, paths, settings)
    python = find_interpreter(plan.target.python)
    environment = Environment.create(place.environment.path, python=python, relocatable=True, log=place.log)
    system = place.build_system()
    requires = [*system.requires, *plan.build_requires]
    _install(requires, environment, place, paths, settings)
    network, isolated = plan.recipe.network, _can_isolate(settings)
    usual = isolation.usual_variables(isolated=isolated, network=network)
    seen = [toolkit, compiler.root if compiler else None, paths.cache]
    through, compiler = _wrapped(place, cache, compiler, toolkit, usual["PATH"], isolated=isolated)
    crossing = place.root / "cross"
    tools, meson = equip(
        environment, plan.target, crossing, toolkit=toolkit, compiler=compiler, cache=paths.cache
    )
    room = _room(place, environment, seen, cache, network=network) if isolated else None
    inside = room.inside if room else str
    variables = joined(
        usual,
        build_variables(
            joined(tools, through),
            plan.environment,
            jobs=share.jobs,
            epoch=source_epoch(plan.source, place.tree),
        ),
        {
            "VIRTUAL_ENV": str(environment.path),
            "PATH": str(environment.path / "bin"),
        },
        # what Python compiles of its own does not go into folders that others have as well
        {"HOME": str(place.home), "PYTHONPYCACHEPREFIX": str(place.home / "pycache")} if room else {},
    )
    runner = _runner(place, room, variables, at, share.group)
    hooks = pyproject_hooks.BuildBackendHookCaller(
        str(place.tree),
        system.backend,
        backend_path=system.backend_path or None,
        runner=runner,
        python_executable=str(environment.python),
    )
    told = config_settings(system.backend, jobs=share.jobs, objects=place.objects, meson_cross_file=meson)
    options = {name: inside(value) for name, value in told.items()}
    try:
        with warnings.catch_warnings():
            # the backend's warnings are in the log; handed on to this process they would stand between the steps
            warnings.simplefilter("ignore", pyproject_hooks.BuildBackendWarning)
            asked = f"get_requires_for_build_wheel of the build backend {system.backend}"
            more = place.requirements(hooks.get_requires_for_build_wheel(options), asked)
            if more and plan.pins is None:
                _install([*requires, *more], environment, place, paths, settings)
            _tell_of_slots(share, place, variables, inside)
            for command in plan.before_build:
                runner(["sh", "-ec", command], str(place.tree))
            name: object = hooks.build_wheel(inside(str(place.raw)), options)
    except CommandFailed:
        # what does not compile with a damaged one may be sound; the site's own is its own affair
        if toolkit and toolkit.is_relative_to(paths.cache):
            cuda.check(toolkit)
        raise
    except (pyproject_hooks.BackendUnavailable, pyproject_hooks.HookMissing) as error:
        raise place.failed(f"the build backend {system.backend}: {error}") from error
    except (pyproject_hooks.UnsupportedOperation, FileNotFoundError, ValueError) as error:
        raise place.failed(f"the build backend {system.backend} ended without an answer") from error
    wheel = place.raw / Path(name).name if isinstance(name, str) else place.raw
    if not wheel.is_file() or wheel.is_symlink():
        made = f"made no file of the name that it returned: {name!r}"
        raise place.failed(f"the build backend {system.backend} {made}")
    return wheel


def _install(
    requires: Sequence[str], environment: Environment, place: Workplace, paths: Paths, settings: Settings
) -> None:
    """Install build requirements, those of the site's own from its index; of a plan with pins these very files."""
    options = joined_index(own_index(requires, paths, settings))
    if place.plan.pins is None:
        environment.install_pinned(requires, options=options, log=place.log)
    else:
        environment.install_files([each.line for each in place.plan.pins], options=options, log=place.log)


def _wrapped(
    place: Workplace,
    cache: ObjectCache | None,
    compiler: CrossGcc | None,
    toolkit: Path | None,
    path: str,
    *,
    isolated: bool,
) -> tuple[dict[str, str], CrossGcc | None]:
    """Put an object cache in front of a build's compilers; return the variables and the cross compiler to build with.

    Isolated, the build has the same folder each time. Otherwise paths below its own count as relative ones.
    """
    if cache is None:
        return {}, compiler
    seen_at = (Path(isolation.ROOT) if isolated else place.root) / place.compilers.name
    objects.wrap_here(place.compilers, path, seen_at=seen_at)
    for folder in (cache.folder, place.home):
        make_folder(folder, 0o700)
    told = cache.variables(place.compilers, place.home / objects.STATS)
    if not isolated:
        told |= {"CCACHE_BASEDIR": str(place.root), "CCACHE_NOHASHDIR": "1"}
    if toolkit:
        told |= objects.cuda_variables(place.compilers, toolkit / "bin" / "nvcc")
    return told, compiler and objects.wrapped(compiler, place.compilers, seen_at=seen_at)


def _tell_of_slots(
    share: Share, place: Workplace, variables: dict[str, str], inside: Callable[[str], str]
) -> None:
    """Tell a build's tools of a jobserver, instead of a number of jobs, where they know what that is.

    `MAX_JOBS` stays, for a ``setup.py`` that starts compilers itself.
    """
    if counts := sorted(_COUNTS & place.plan.environment.keys()):
        share.fixed = f"the recipe sets {counts[0]}"
    if slots := share.slots(place.root / _SLOTS, variables["PATH"], inside):
        variables.pop("CMAKE_BUILD_PARALLEL_LEVEL")
        variables.update(slots)


def _can_isolate(settings: Settings) -> bool:
    """Say whether a build can be isolated here; a note tells where not. Raises ToolMissing where it must be."""
    why = isolation.why_not()
    if why and settings.isolation == "required":
        raise ToolMissing(f"workbench.yaml says isolation: required, and {why}")
    if why:
        note(f"· the build is not isolated: {why}")
    return not why


def _room(
    place: Workplace,
    environment: Environment,
    seen: Sequence[Path | None],
    cache: ObjectCache | None,
    *,
    network: bool,
) -> Room:
    """Return what a build sees, and make its folders.

    Its requirements are for reading alone: their files are those of other environments as well. So is what this process
    asks Git of the source. Of the object cache it may write its own recipe's.
    """
    own = (place.tree, place.raw, place.objects, place.home, place.root / _SLOTS)
    for folder in (*own, place.temporary):
        folder.mkdir(exist_ok=True)
    kept = (environment.path, place.root / "cross", place.compilers, place.tree / ".git")
    hooks = Path(pyproject_hooks.__file__).parent / "_in_process"
    reads = [*isolation.interpreter_of(environment.python), hooks, *seen]
    room = Room(
        own={
            **{f"{isolation.ROOT}/{each.relative_to(place.root)}": each for each in own},
            isolation.TEMPORARY: place.temporary,
            **({f"{isolation.ROOT}/ccache": cache.folder} if cache else {}),
        },
        kept={f"{isolation.ROOT}/{each.relative_to(place.root)}": each for each in kept},
        reads=(*filter(None, reads), *(isolation.certificates() if network else ())),
        network=network,
    )
    isolation.moved(place.root / "cross", room)
    return room


def _runner(
    place: Workplace, room: Room | None, variables: Mapping[str, str], at: Step, group: BuildGroup
) -> SubprocessRunner:
    """Return what runs the programs of a build, as `pyproject_hooks` asks for it, with these variables alone."""
    inside = room.inside if room else str
    dropped = dict.fromkeys(os.environ)

    def runner(
        cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        folder = str(place.tree) if cwd is None else cwd
        env = {name: inside(value) for name, value in {**variables, **(extra_environ or {})}.items()}
        answer = [cmd[-1]] if extra_environ else []  # a hook's folder, where it reads its arguments
        under = room.words(inside(folder), writes=answer, counts=COUNTERS) if room else ()
        words = [inside(word) for word in cmd]
        run(
            words,
            cwd=Path(folder),
            env=dropped | env,
            log=place.log,
            on_line=at.detail,
            under=under,
            group=group,
        )

    return runner
