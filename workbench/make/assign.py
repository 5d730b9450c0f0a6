"""Who builds a draft, and with what: the builder that somebody names, or the one that fits this machine."""

from __future__ import annotations

import shutil
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Literal, get_args

from workbench.builders.tools import expect_toolkit
from workbench.container.cibw import builds, resolve_image
from workbench.container.engine import Engine, Image, find_engine, find_image, is_emulated
from workbench.container.pick import pick_builder
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
    image = settings.container.image(draft.target.compute, draft.target.arch)
    builder, why = _choose(draft, wanted, image, settings)
    return complete(draft, builder, why, settings)


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


def _choose(draft: Draft, wanted: str, image: str, settings: Settings) -> tuple[Builder, str]:
    """Return the builder, and why it is that one."""
    builders = get_args(Builder)
    if wanted not in (AUTO, *builders):
        raise UsageError(
            f"--builder {wanted}: there are {AUTO}, {', '.join(builders)}{nearest(wanted, builders)}"
        )
    arch, compute = draft.target.arch, draft.target.compute
    if compute.startswith("rocm"):
        return _for_rocm(draft, wanted, settings)
    if wanted == AUTO:
        container, reason = _container(draft, settings, image)
        return pick_builder(
            arch,
            this_arch(),
            container=container,
            reason=reason,
            cross=_can_cross(arch),
            emulated=is_emulated(arch),
        )
    if wanted == "container":
        if not builds(draft.target.python):
            raise ContainerError(
                f"--builder container: cibuildwheel does not build for {draft.target.python}"
            )
        return "container", "as asked"
    if (wanted == "host") != (arch == this_arch()):
        raise UsageError(
            f"--builder {wanted}: {arch} is {'not ' if wanted == 'host' else ''}this machine's own architecture: "
            f"{'cross and container build for another' if wanted == 'host' else 'host builds for it'}"
        )
    return "host" if wanted == "host" else "cross", "as asked"


def _for_rocm(draft: Draft, wanted: str, settings: Settings) -> tuple[Builder, str]:
    """Return the one builder for ROCm, whose toolchain comes only in images."""
    arch, compute = draft.target.arch, draft.target.compute
    if wanted in ("host", "cross"):
        raise UsageError(
            f"--builder {wanted}: {compute} is built in a container, with an image that has ROCm"
        )
    if arch not in settings.container.images.get(compute, {}):
        raise ContainerError(
            f"nothing here builds for {compute}: it needs an image that has ROCm, named in workbench.yaml "
            f"(container.images.{compute}.{arch})"
        )
    return "container", f"{compute} is built in an image that has it"


def _pin(image: str, arch: str, settings: Settings) -> str | None:
    """Return which image a name stands for now, where it may stand for another later.

    That is the reference that cibuildwheel pins for a policy, and the id of an image that was made here. An image of a
    registry is what its name says: whether it was pulled already must not change the key.
    """
    if image.startswith("localhost/") and (found := _image(settings.container.engine, image)):
        return found.id
    reference = resolve_image(image, arch)
    return reference if reference != image else None


def _container(draft: Draft, settings: Settings, name: str) -> tuple[bool, str]:
    """Say whether an engine here has an image that can build a draft, and which, or what it lacks."""
    engine = _engine(settings.container.engine)
    if isinstance(engine, str):
        return False, engine
    if not builds(draft.target.python):
        return False, f"cibuildwheel does not build for {draft.target.python}"
    image = _image(settings.container.engine, resolve_image(name, draft.target.arch))
    if image is None:
        return False, f"{engine.name} has no image {name}"
    if image.pythons and draft.target.python not in image.pythons:
        return False, f"{name} has Python {', '.join(image.pythons)} only"
    return True, f"{engine.name} has {name}"


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


def _can_cross(arch: str) -> bool:
    return (this_arch(), arch) == ("x86_64", "aarch64") and bool(
        shutil.which(f"{arch}-linux-gnu-g++", path=environment()["PATH"])
    )
