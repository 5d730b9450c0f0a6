"""What a target is compiled with on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import ToolchainError
from workbench.files import sha256_of
from workbench.plan.target import this_arch
from workbench.toolchain import cross, cuda, torch
from workbench.toolchain.compilers import cross_gcc_below
from workbench.toolchain.pins import check_gpus, digest, release_of
from workbench.toolchain.variables import cuda_environment, joined

if TYPE_CHECKING:
    from workbench.environment import Environment
    from workbench.paths import Paths
    from workbench.plan.plan import Plan
    from workbench.plan.target import Target
    from workbench.settings import Settings
    from workbench.toolchain.compilers import CrossGcc


def equip(
    environment: Environment,
    target: Target,
    folder: Path,
    *,
    toolkit: Path | None,
    compiler: CrossGcc | None,
    cache: Path,
) -> tuple[dict[str, str], Path | None]:
    """Return the variables of a build for a target in an environment, and of a cross build the file for Meson.

    A cross build's files are written into `folder`. `toolkit` and `compiler` are None without CUDA and for this
    machine's own architecture. Raises CommandFailed; ToolchainError when the package index has no torch for the target,
    or one that is built for another CUDA.
    """
    with_cuda: dict[str, str] = {}
    if toolkit:
        for package in environment.path.glob("lib/python*/site-packages/torch"):
            torch.check_cuda(package, compute=target.compute, arch=this_arch())
        with_cuda = cuda_environment(toolkit, target.gpu, release=str(target.cuda))
    if not compiler:
        return with_cuda, None
    of_target = None
    if target.torch:
        code = "import importlib.metadata; print(importlib.metadata.version('torch'))"
        version = environment.run_code(code, cwd=environment.path).output.strip().partition("+")[0]
        of_target = torch.unpack(version, python=target.python, arch=target.arch, cache=cache)
        if toolkit:
            torch.check_cuda(of_target, compute=target.compute, arch=target.arch)
    crossing, meson = cross.prepare(environment.python, compiler, folder, toolkit=toolkit, torch=of_target)
    return joined(with_cuda, crossing), meson


def compiler_for(plan: Plan, paths: Paths) -> CrossGcc | None:
    """Return the cross compiler for a plan; None where its architecture is this machine's. Raises ToolMissing."""
    if plan.target.arch == this_arch():
        return None
    return cross_gcc_below(plan.glibc, plan.target.arch, cache=paths.cache)


def expect_toolkit(
    target: Target, libraries: Sequence[str], settings: Settings, *, may_be_in_image: bool
) -> str | None:
    """Return what tells a target's CUDA toolkit from others, for the build key; None without CUDA.

    Of the site's own that is its path and what it says of its parts, of another its pins. An image may bring one,
    which only running it would tell (`may_be_in_image`): it gets the one that would be mounted, or None where none
    could be laid out.

    Raises ToolchainError where none can be, as far as the locks tell: nothing is fetched. What a toolkit of the site's
    own or an image knows shows when it is used.
    """
    if not target.cuda:
        return None
    if named := _of_site(target, settings):
        parts = named / "version.json"  # NVIDIA's installers write it, with the release of each part
        return f"{named} {sha256_of(parts)}" if parts.is_file() else str(named)
    try:
        release = release_of(target.compute)
        check_gpus(target.gpu, version=release.version, known=release.gpus)
        return digest(release.requirements(libraries))
    except ToolchainError:
        if may_be_in_image:
            return None
        raise


def _of_site(target: Target, settings: Settings) -> Path | None:
    """Return the toolkit that the site names for a target; those are for this machine's architecture."""
    named = settings.cuda.get(target.compute) if target.arch == this_arch() else None
    return Path(named) if named else None


def toolkit_for(plan: Plan, paths: Paths, settings: Settings) -> Path | None:
    """Return the CUDA toolkit for a plan: the one that the site names, or one laid out; None without CUDA.

    Where the plan says what another build's was laid out from, it is that one.

    Raises ToolchainError where there is none, or where it does not know the target's GPUs.
    """
    target = plan.target
    if not target.cuda:
        return None
    of_site = None if plan.toolkit_pins else _of_site(target, settings)
    toolkit = of_site or cuda.lay_out(
        target.compute,
        target.arch,
        cache=paths.cache,
        components=plan.recipe.cuda_libraries,
        pins=plan.toolkit_pins,
    )
    found = cuda.cuda_of(toolkit)
    if found.version != target.cuda:
        raise ToolchainError(f"workbench.yaml: cuda.{target.compute}: {toolkit} is CUDA {found.version}")
    check_gpus(target.gpu, version=found.version, known=found.gpus)
    return toolkit
