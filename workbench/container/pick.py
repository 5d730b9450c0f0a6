"""Which builder makes a wheel, where nobody names one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import ContainerError

if TYPE_CHECKING:
    from workbench.plan.plan import Builder


def pick_builder(
    target: str,
    here: str,
    *,
    engine: str | None,
    image: str | None,
    cross: bool = False,
    emulated: bool = False,
) -> tuple[Builder, str]:
    """Return the builder for a target's architecture on a machine of architecture `here`, and why.

    `engine` names a container engine that answers and `image` the image for the target, if there are such;
    `cross` says whether this machine has what builder ``cross`` needs, `emulated` whether it runs the target's
    programs.

    Raises ContainerError where none can.
    """
    if target == here:
        if engine and image:
            return "container", f"{target} is this machine's own architecture, and {engine} has {image}"
        lacks = "no container engine here" if engine is None else f"{engine} has no image for it"
        return "host", f"{target} is this machine's own architecture; {lacks}"
    if cross:
        return "cross", f"{here} compiles for {target} without emulation"
    if engine and image and emulated:
        return "container", f"{target} programs run here through an emulator, and {engine} has {image}"
    raise ContainerError(
        f"nothing here builds for {target}: builder 'cross' compiles for aarch64 on x86_64 and needs "
        "g++-aarch64-linux-gnu ('apt install g++-aarch64-linux-gnu'); builder 'container' needs docker or podman, an "
        f"image for {target} and its programs run by qemu (containers/setup)"
    )
