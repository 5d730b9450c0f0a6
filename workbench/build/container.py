"""Builder `container`: cibuildwheel in an image of the target's architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.container.cibw import CUDA_HOME, Build, build_wheel
from workbench.container.configuration import hand_on, read_pip_options
from workbench.container.engine import find_engine
from workbench.toolchain import cuda
from workbench.toolchain.environment import cuda_environment
from workbench.toolchain.gpu import check_gpus

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.build.workplace import Workplace
    from workbench.console import Step
    from workbench.site import Site


def build_in_container(place: Workplace, site: Site, at: Step, *, jobs: int) -> Path:
    """Build a plan's wheel in its image, where auditwheel has repaired it as well, and return it.

    The CUDA toolkit is this machine's, mounted; an image is not asked to have one.

    Raises ContainerError, BuildFailed, RepairFailed, ToolchainError.
    """
    plan, settings = place.plan, site.settings.container
    engine = find_engine(settings.engine)
    assert plan.image is not None  # noqa: S101 - who assigns this builder names the image
    toolkit = None
    variables: dict[str, str] = {}
    if plan.target.cuda:
        libraries = plan.recipe.cuda_libraries
        toolkit = cuda.lay_out(plan.target.compute, plan.target.arch, cache=site.cache, components=libraries)
        check_gpus(plan.target.gpu, version=cuda.version_of(toolkit), known=cuda.gpus_of(toolkit))
        variables = cuda_environment(CUDA_HOME, plan.target.gpu)
    return build_wheel(
        Build(
            title=plan.title,
            python=plan.target.python,
            arch=plan.target.arch,
            image=plan.image,
            tree=place.tree,
            output=place.raw,
            environment={
                **variables,
                "MAX_JOBS": str(jobs),
                "CMAKE_BUILD_PARALLEL_LEVEL": str(jobs),
                **plan.environment,
            },
            requires=plan.build_requires,
            exclude=plan.repair_exclude,
            frontend=settings.frontend,
            toolkit=toolkit,
            network=settings.network,
            cache=settings.cache,
            create_args=settings.create_args,
        ),
        engine,
        handed=hand_on(read_pip_options()),
        log=place.log,
        on_line=at.detail,
    )
