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
    container: bool,
    reason: str,
    cross: bool = False,
    emulated: bool = False,
) -> tuple[Builder, str]:
    """Return the builder for a target's architecture on a machine of architecture `here`, and why.

    `container` says whether an engine here has an image for the target, and `reason` which, or what it lacks; `cross`
    says whether this machine has what builder ``cross`` needs, `emulated` whether it runs the target's programs.

    Raises ContainerError where none can.
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
