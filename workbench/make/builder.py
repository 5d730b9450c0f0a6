"""Who builds a plan: the builder that somebody names, or the one that fits this machine."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, get_args

from workbench.container.cibw import resolve_image
from workbench.container.engine import Engine, Image, find_engine, find_image, is_emulated
from workbench.container.pick import pick_builder
from workbench.errors import ContainerError, UsageError, nearest
from workbench.plan.plan import Builder, Plan
from workbench.plan.target import this_arch
from workbench.process import environment

if TYPE_CHECKING:
    from workbench.site import Site

AUTO = "auto"


def assign(plan: Plan, wanted: str, site: Site) -> Plan:
    """Return a plan with its builder, as `wanted` or, for ``auto``, picked for this machine, and its glibc.

    Raises UsageError for no such builder, or one that cannot build for the target; ContainerError where none can;
    SettingsError for a manylinux policy that there is not.
    """
    plan = replace(plan, glibc=plan.target.glibc or site.settings.glibc)
    builders = get_args(Builder)
    if wanted not in (AUTO, *builders):
        raise UsageError(
            f"--builder {wanted}: there are {AUTO}, {', '.join(builders)}{nearest(wanted, builders)}"
        )
    arch, compute = plan.target.arch, plan.target.compute
    if compute.startswith("rocm"):
        return _with_rocm(plan, wanted, site)
    image = site.settings.container.image(compute, arch)
    if wanted == AUTO:
        container, reason = _container(plan, site, image)
        builder, why = pick_builder(
            arch,
            this_arch(),
            container=container,
            reason=reason,
            cross=_can_cross(arch),
            emulated=is_emulated(arch),
        )
        if builder == "container":
            return _in_container(plan, image, why, site)
        return replace(plan, builder=builder, why=why)
    if wanted == "container":
        return _in_container(plan, image, "as asked", site)
    if (wanted == "host") != (arch == this_arch()):
        raise UsageError(
            f"--builder {wanted}: {arch} is {'not ' if wanted == 'host' else ''}this machine's own architecture: "
            f"{'cross and container build for another' if wanted == 'host' else 'host builds for it'}"
        )
    return replace(plan, builder="host" if wanted == "host" else "cross", why="as asked")


def _with_rocm(plan: Plan, wanted: str, site: Site) -> Plan:
    """Return a plan for ROCm: there is no toolchain of it but in images."""
    arch, compute = plan.target.arch, plan.target.compute
    image = site.settings.container.images.get(compute, {}).get(arch)
    if wanted in ("host", "cross"):
        raise UsageError(
            f"--builder {wanted}: {compute} is built in a container, with an image that has ROCm"
        )
    if image is None:
        raise ContainerError(
            f"nothing here builds for {compute}: it takes an image that has ROCm, named in workbench.yaml "
            f"(container.images.{compute}.{arch})"
        )
    return _in_container(plan, image, f"{compute} is built in an image that has it", site)


def _in_container(plan: Plan, image: str, why: str, site: Site) -> Plan:
    """Return a plan that is built in an image, and which that is where its name stands for one after the other.

    That is the reference that cibuildwheel pins for a policy, and the id of an image that was made here. One of a
    registry is what its name says: whether it lies here already must change no key.
    """
    reference = resolve_image(image, plan.target.arch)
    pin = reference if reference != image else None
    if image.startswith("localhost/") and (found := _image(site, image)):
        pin = found.id
    return replace(
        plan,
        builder="container",
        why=why,
        image=image,
        image_pin=pin,
        create_args=site.settings.container.create_args,
    )


def _container(plan: Plan, site: Site, name: str) -> tuple[bool, str]:
    """Say whether an engine here has an image that can build a plan, and which, or what it lacks."""
    engine = _engine(site)
    if isinstance(engine, str):
        return False, engine
    image = _image(site, resolve_image(name, plan.target.arch))
    if image is None:
        return False, f"{engine.name} has no image {name}"
    if image.pythons and plan.target.python not in image.pythons:
        return False, f"{name} has Python {', '.join(image.pythons)} only"
    return True, f"{engine.name} has {name}"


@cache
def _engine(site: Site) -> Engine | str:
    """Return the engine, or in one line what stands in its way."""
    try:
        return find_engine(site.settings.container.engine)
    except ContainerError as error:
        return str(error).partition("\n")[0]


@cache
def _image(site: Site, name: str) -> Image | None:
    """Return an image that the engine has, asked for once: a matrix has many cells."""
    engine = _engine(site)
    return None if isinstance(engine, str) else find_image(engine, name)


def _can_cross(arch: str) -> bool:
    return (this_arch(), arch) == ("x86_64", "aarch64") and bool(
        shutil.which(f"{arch}-linux-gnu-g++", path=environment()["PATH"])
    )
