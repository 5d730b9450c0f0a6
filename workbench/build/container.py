"""Builder `container`: cibuildwheel in an image of the target's architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.build.tools import toolkit_for
from workbench.container.cibw import CUDA_HOME, Build, Handed, build_wheel
from workbench.container.configuration import hand_on, read_pip_options
from workbench.container.engine import find_engine
from workbench.container.trial import try_wheel
from workbench.container.wheelhouse import fetch_wheelhouse
from workbench.toolchain.environment import cuda_environment

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.build.workplace import Workplace
    from workbench.console import Step
    from workbench.site import Site


def build_in_container(place: Workplace, site: Site, at: Step, *, jobs: int) -> Path:
    """Build a plan's wheel in its image, where auditwheel has repaired it as well, and return it.

    The CUDA toolkit is this machine's, mounted; an image is not asked to have one. Where the site names a runtime
    image, the wheel is tried in that.

    Raises ContainerError, BuildFailed, RepairFailed, ToolchainError, VerificationFailed.
    """
    plan, settings = place.plan, site.settings.container
    engine = find_engine(settings.engine)
    assert plan.image is not None  # noqa: S101 - who assigns this builder names the image
    toolkit = toolkit_for(plan, site)
    wheel = build_wheel(
        Build(
            title=plan.title,
            python=plan.target.python,
            arch=plan.target.arch,
            image=plan.image,
            tree=place.tree,
            output=place.raw,
            environment={
                **(cuda_environment(CUDA_HOME, plan.target.gpu) if toolkit else {}),
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
        handed=_handed(place, site),
        log=place.log,
        on_line=at.detail,
    )
    runtime = settings.runtime_image(plan.target.compute, plan.target.arch)
    if runtime:
        at.detail(f"try it in {runtime}")
        recipe = plan.recipe
        try_wheel(
            wheel,
            engine=engine,
            image=runtime,
            python=plan.target.python,
            arch=plan.target.arch,
            code=recipe.smoke_test or f"import {recipe.modules[0]}",
            requires=recipe.test_requires,
        )
    return wheel


def _handed(place: Workplace, site: Site) -> Handed:
    """Return what the container gets to install from: what pip has here, or a folder of wheels without a network."""
    if site.settings.container.network:
        return hand_on(read_pip_options())
    plan = place.plan
    requirements = [*place.build_system()["requires"], *plan.build_requires]
    house = place.root / "wheelhouse"
    return fetch_wheelhouse(requirements, python=plan.target.python, arch=plan.target.arch, into=house)
