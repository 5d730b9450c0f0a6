"""Whose fault it is when a container's build fails, by cibuildwheel's exit status and the step that its log ends in."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import BuildFailed, CommandFailed, ContainerError, RepairFailed
from workbench.process import pieces_of

if TYPE_CHECKING:
    from workbench.container.command import Build
    from workbench.container.engine import Engine
    from workbench.errors import WorkbenchError
    from workbench.process import Completed

_STEP = re.compile(
    r"(Starting container image|Copying project into container|Running before_all"
    r"|Setting up build environment|Running before_build|Building wheel|Repairing wheel"
    r"|Copying wheels back to host)(?=\W)"
)

_BLAME: Mapping[str, type[WorkbenchError]] = {
    "Starting container image": ContainerError,
    "Copying project into container": ContainerError,
    "Repairing wheel": RepairFailed,
    "Copying wheels back to host": ContainerError,
}
"""Whose fault it is when a step fails; that of the package's build where it is not listed."""

_STATUSES: Mapping[int, tuple[type[WorkbenchError], str]] = {
    2: (ContainerError, "cibuildwheel does not take what it was given"),
    5: (BuildFailed, "its wheel has no binaries and needs no container: build it with --builder host"),
    7: (ContainerError, "{engine} is too old for cibuildwheel, or does not work"),
    8: (RepairFailed, "auditwheel ended well and left no wheel"),
    10: (BuildFailed, "the build backend ended well and left no wheel"),
}
"""cibuildwheel's own exit statuses (``cibuildwheel.errors``), where they say more than the step does."""


PROJECT = "/project"
"""Where cibuildwheel has the tree, in a container."""


class CibuildwheelFailed(CommandFailed):
    """cibuildwheel ended with another status than 0, or what a recipe runs before it did.

    `fault` is the error that it means, by its step and its status; `inside` the command that opens a shell in the
    image, with the build's tree. `online` says why it had a network, where the build itself may have none.
    """

    def __init__(
        self, text: str, *, fault: type[WorkbenchError], engine: Engine, inside: str, online: str = ""
    ) -> None:
        super().__init__(text)
        self.fault = fault
        self.engine = engine
        self.inside = inside
        self.online = online


def failure(build: Build, engine: Engine, done: Completed, log: Path) -> CibuildwheelFailed:
    """Return what a failed run of cibuildwheel means, by its exit status and the step that its log ends in."""
    step = ""
    for line in pieces_of(log):
        if found := _STEP.search(line):
            step = found[0]
    at_step = f"cibuildwheel failed at '{step}'" if step else "cibuildwheel failed"
    fault, why = _STATUSES.get(done.status, (_BLAME.get(step, BuildFailed), at_step))
    why = why.replace("{engine}", engine.name)
    return CibuildwheelFailed(
        f"{why}\n{done.tail}", fault=fault, engine=engine, inside=shell_in(build, engine)
    )


def shell_in(build: Build, engine: Engine) -> str:
    """Return the command that opens a shell in a build's image, with its tree."""
    mount = f"--volume={build.tree}:{PROJECT}"
    return shlex.join([engine.name, "run", "--rm", "-it", mount, build.image, "bash"])
