"""Who builds a draft, and with what: the builder that somebody names, or the one that fits this machine."""

from __future__ import annotations

import shutil
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Literal, get_args

from workbench.builders.tools import expect_toolkit
from workbench.container.cibw import resolve_image
from workbench.container.command import builds
from workbench.container.engine import (
    Engine,
    Image,
    engine_without,
    find_engine,
    find_image,
    installed,
    is_emulated,
)
from workbench.errors import ContainerError, UsageError, nearest
from workbench.plan.draft import Draft
from workbench.plan.plan import Builder, Plan
from workbench.plan.target import this_arch
from workbench.process import environment

if TYPE_CHECKING:
    from workbench.settings import Settings

AUTO = "auto"


def assign(draft: Draft, wanted: str, settings: Settings) -> Plan:
    """Return the plan of a draft: built as `wanted`, or for ``auto`` by the builder that fits this machine.

    Raises UsageError for an unknown builder, or one that cannot build for the target; ContainerError and
    ToolchainError where nothing here can; SettingsError for an unknown manylinux policy.
    """
    return complete(draft, *_choose(draft, wanted, settings), settings)


def builder_named(wanted: str) -> Builder | None:
    """Return the builder that somebody names, None for ``auto``. Raises UsageError for an unknown one."""
    builders: tuple[Builder, ...] = get_args(Builder)
    if wanted != AUTO and wanted not in builders:
        there = f"{AUTO}, {', '.join(builders)}{nearest(wanted, builders)}"
        raise UsageError(f"--builder {wanted}: there are {there}")
    return next((each for each in builders if each == wanted), None)


def complete(draft: Draft, builder: Builder, why: str, settings: Settings) -> Plan:
    """Return the plan of a draft and its builder, with what that builds with. Raises ToolchainError, SettingsError."""
    target, own = draft.target, settings.container
    image = own.image(target.compute, target.arch)
    contained = builder == "container"
    own_image = contained and target.arch in own.images.get(target.compute, {})
    return Plan(
        **{each.name: getattr(draft, each.name) for each in fields(Draft)},
        builder=builder,
        why=why,
        image=image if contained else None,
        image_pin=_pin(image, target.arch, settings) if contained else None,
        create_args=own.create_args if contained else (),
        toolkit=expect_toolkit(target, draft.recipe.cuda_libraries, settings, may_be_in_image=own_image),
    )


def _choose(draft: Draft, wanted: str, settings: Settings) -> tuple[Builder, str]:
    """Return the builder, and why it is that one."""
    named = builder_named(wanted)
    arch, compute = draft.target.arch, draft.target.compute
    if compute.startswith("rocm"):  # its toolchain comes only in images
        if named in ("host", "cross"):
            raise UsageError(
                f"--builder {wanted}: {compute} is built in a container, with an image that has ROCm"
            )
        if arch not in settings.container.images.get(compute, {}):
            raise ContainerError(
                f"nothing here builds for {compute}: it needs an image that has ROCm, named in workbench.yaml "
                f"(container.images.{compute}.{arch})"
            )
        return "container", f"{compute} is built in an image that has it"
    if named is None:
        container, reason = _container(draft, settings)
        able = {"container": container, "cross": can_cross(arch), "emulated": is_emulated(arch)}
        return pick_builder(arch, this_arch(), reason=reason, **able)
    if named == "container" and not builds(draft.target.python):
        raise ContainerError(f"--builder container: cibuildwheel does not build for {draft.target.python}")
    if named == "host" and arch != this_arch():
        raise UsageError(
            f"--builder host: {arch} is not this machine's own architecture: cross and container build for another"
        )
    if named == "cross" and arch == this_arch():
        raise UsageError(f"--builder cross: {arch} is this machine's own architecture: host builds for it")
    return named, "as asked"


def pick_builder(
    target: str, here: str, *, container: bool, reason: str, cross: bool = False, emulated: bool = False
) -> tuple[Builder, str]:
    """Return the builder for a target's architecture on a machine of architecture `here`, and why.

    `container` says whether an engine here has an image for the target, and `reason` which, or what it lacks; `cross`
    says whether this machine has what builder ``cross`` needs, `emulated` whether it runs the target's programs. Raises
    ContainerError where none can.
    """
    if target == here:
        return "container" if container else "host", f"{target} is this machine's own architecture; {reason}"
    if cross:
        return "cross", f"{here} compiles for {target} without emulation"
    if container and emulated:
        return "container", f"{target} programs run here through an emulator; {reason}"
    raise ContainerError(
        f"nothing here builds for {target}: builder 'cross' compiles for aarch64 on x86_64 and needs "
        "g++-aarch64-linux-gnu ('apt install g++-aarch64-linux-gnu'); builder 'container' needs docker or podman, an "
        f"image for {target} and its programs run by qemu (containers/setup): here {reason}"
        f"{'' if emulated else f', and no emulator for {target} is registered'}"
    )


def _pin(image: str, arch: str, settings: Settings) -> str | None:
    """Return which image a name stands for now, where it may stand for another later.

    That is the reference that cibuildwheel pins for a policy, and the id of an image that was made here. An image of a
    registry is what its name says: whether it was pulled already must not change the key.
    """
    if image.startswith("localhost/") and (found := _image(settings.container.engine, image)):
        return found.id
    reference = resolve_image(image, arch)
    return reference if reference != image else None


def _container(draft: Draft, settings: Settings) -> tuple[bool, str]:
    """Say whether an engine here has an image that can build a draft, and which, or what it lacks."""
    target, wanted = draft.target, settings.container.engine
    name = settings.container.image(target.compute, target.arch)
    lacking = _engine_without(wanted, resolve_image(name, target.arch)) if installed(wanted) else None
    engine = None if lacking else _engine(wanted)
    if isinstance(engine, str):
        return False, engine
    if not builds(target.python):
        return False, f"cibuildwheel does not build for {target.python}"
    image = _image(wanted, resolve_image(name, target.arch)) if engine else None
    if image is None:
        return False, f"{engine.name if engine else lacking} has no image {name}"
    if image.pythons and target.python not in image.pythons:
        return False, f"{name} has Python {', '.join(image.pythons)} only"
    return True, f"{engine.name if engine else lacking} has {name}"


_engine_without = cache(engine_without)
"""Asked once: a matrix has many cells."""


@cache
def _engine(wanted: Literal["auto", "docker", "podman"]) -> Engine | str:
    """Return the engine, or in one line what stands in its way."""
    try:
        return find_engine(wanted)
    except ContainerError as error:
        return str(error).partition("\n")[0]


@cache
def _image(wanted: Literal["auto", "docker", "podman"], name: str) -> Image | None:
    """Return an image that the engine has, asked for once: a matrix has many cells."""
    engine = _engine(wanted)
    return None if isinstance(engine, str) else find_image(engine, name)


def can_cross(arch: str) -> bool:
    """Say whether this machine has what builder ``cross`` needs for another architecture."""
    return (this_arch(), arch) == ("x86_64", "aarch64") and bool(
        shutil.which(f"{arch}-linux-gnu-g++", path=environment()["PATH"])
    )
