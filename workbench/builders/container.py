"""Builder `container`: cibuildwheel in an image of the target's architecture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from workbench.builders import wrapping
from workbench.builders.objects import STATS, ccache_for, cuda_variables
from workbench.builders.own_index import joined_index, own_index
from workbench.builders.tools import toolkit_for
from workbench.container.before_all import prepared
from workbench.container.cibw import build_wheel, image_for
from workbench.container.command import CUDA_HOME, INSIDE, Build, names_network
from workbench.container.engine import cuda_in, find_engine
from workbench.errors import ContainerError
from workbench.files import make_folder
from workbench.source.epoch import source_epoch
from workbench.toolchain.pins import check_gpus
from workbench.toolchain.runtime import NEVER_GRAFTED
from workbench.toolchain.variables import (
    build_variables,
    config_settings,
    cuda_environment,
    joined,
    rocm_environment,
)

if TYPE_CHECKING:
    from workbench.builders.objects import ObjectCache
    from workbench.builders.workplace import Workplace
    from workbench.container.engine import Engine
    from workbench.events import Step
    from workbench.memory.share import Share
    from workbench.paths import Paths
    from workbench.plan.plan import Plan
    from workbench.plan.target import Target
    from workbench.settings import Settings

COMPILERS = PurePosixPath("/workbench-compilers")
"""Where a container has what stands in front of its compilers; ``wrapping.py`` makes it there."""

CCACHE = PurePosixPath("/workbench-ccache")
"""Where a container sees ccache."""

OBJECTS = PurePosixPath("/workbench-objects")
"""Where a container sees its recipe's object cache."""

HOME = PurePosixPath("/workbench-home")
"""Where a container sees its build's home, for what ccache notes there."""

_WRAP = f"python {INSIDE}/wrapping.py {COMPILERS} {CCACHE}/ccache"

_BUILD_FOLDER = Path("/workbench-build")
"""Where build systems compile in a container that else take another folder each time, of which no object is found."""

WHEELHOUSE = "wheelhouse"
"""Where, in a build's folder, lies what the container installs."""


def build_in_container(
    place: Workplace,
    paths: Paths,
    settings: Settings,
    at: Step,
    *,
    share: Share,
    cache: ObjectCache | None = None,
) -> Path:
    """Build a plan's wheel in its image, where auditwheel has repaired it as well, and return it.

    The CUDA toolkit is the image's own, or this machine's, mounted. Raises CibuildwheelFailed, ContainerError,
    BuildFailed, ToolchainError, SettingsError; SourceError where a requirement has no wheel.
    """
    plan, own = place.plan, settings.container
    engine = find_engine(own.engine)
    assert plan.image is not None  # noqa: S101 - who assigns this builder names the image
    toolkit = _toolkit(plan, paths, settings, engine) if plan.target.cuda else None
    system = place.build_system()
    build = Build(
        title=plan.title,
        python=plan.target.python,
        arch=plan.target.arch,
        image=plan.image,
        tree=place.tree,
        output=place.raw,
        wheelhouse=place.root / WHEELHOUSE,
        requires=(*system.requires, *plan.build_requires),
        pins=None if plan.pins is None else tuple(each.line for each in plan.pins),
        joined=lambda requirements: joined_index(own_index(requirements, paths, settings)),
        environment=build_variables(
            joined(_gpu_environment(plan.target), _wrapping(cache, plan.target) if cache else {}),
            plan.environment,
            jobs=share.jobs,
            epoch=source_epoch(plan.source, place.tree),
        ),
        config_settings=config_settings(system.backend, jobs=share.jobs, objects=_BUILD_FOLDER),
        before_build=one_after_the_other((*([_WRAP] if cache else ()), *plan.before_build)),
        files={"wrapping.py": Path(wrapping.__file__).read_text("utf-8")} if cache else {},
        exclude=(*plan.repair_exclude, *NEVER_GRAFTED),
        frontend=own.frontend,
        toolkit=toolkit,
        network=plan.recipe.network or names_network(own.create_args),
        create_args=own.create_args,
    )
    mounted = tuple(_mounted(cache, place, paths)) if cache else ()
    with prepared(build, engine, plan.before_all, log=place.log, on_line=at.detail) as image:
        return build_wheel(
            replace(build, prepared=image, create_args=(*_limits(settings), *own.create_args, *mounted)),
            engine,
            log=place.log,
            on_line=at.detail,
            group=share.group,
        )


def _limits(settings: Settings) -> tuple[str, ...]:
    """Return what an engine is told of how much memory a build may take."""
    most = settings.most_memory
    return () if most is None else (f"--memory={most}", f"--memory-swap={most}")


def _toolkit(plan: Plan, paths: Paths, settings: Settings, engine: Engine) -> Path | None:
    """Return the CUDA toolkit to mount; None where the image has one: the right one, or it raises ContainerError.

    Raises ToolchainError where either does not know the target's GPUs.
    """
    target = plan.target
    own = cuda_in(engine, image_for(engine, str(plan.image), target.arch))
    if own is None:
        return toolkit_for(plan, paths, settings)
    if own.version != target.cuda:
        raise ContainerError(
            f"the image {plan.image} has CUDA {own.version}, and the wheel is for {target.compute}: name another image "
            f"in workbench.yaml (container.images.{target.compute}.{target.arch})"
        )
    check_gpus(target.gpu, version=own.version, known=own.gpus)
    return None


def _gpu_environment(target: Target) -> dict[str, str]:
    if target.cuda:
        return cuda_environment(CUDA_HOME, target.gpu, release=target.cuda)
    return rocm_environment(target.gpu) if target.gpu else {}


def _wrapping(cache: ObjectCache, target: Target) -> dict[str, str]:
    """Return the variables by which a container's compilers go through an object cache.

    The container's user may be another than this one, who is to be able to remove what it writes.
    """
    told = replace(cache, folder=Path(OBJECTS)).variables(Path(COMPILERS), Path(HOME) / STATS)
    nvcc = cuda_variables(Path(COMPILERS), CUDA_HOME / "bin" / "nvcc") if target.cuda else {}
    return told | nvcc | {"CCACHE_UMASK": "000"}


def _mounted(cache: ObjectCache, place: Workplace, paths: Paths) -> Iterator[str]:
    """Yield the engine's arguments that show a container its object cache, and ccache."""
    for here, there in ((cache.folder, OBJECTS), (place.home, HOME)):
        make_folder(here, 0o700)
        yield f"--volume={here}:{there}"
    yield f"--volume={ccache_for(place.plan.target.arch, paths.cache)}:{CCACHE}:ro"


def one_after_the_other(commands: Sequence[str]) -> str:
    """Return shell commands as one, which fails where one of them does. Each may end with a comment."""
    return " && ".join(f"({command}\n)" for command in commands)
