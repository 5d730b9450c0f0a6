"""A recipe's ``before_all``: what it installs into an image, before a build in it that has no network."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from workbench.arch import OCI_ARCH
from workbench.container.blame import PROJECT, CibuildwheelFailed, shell_in
from workbench.container.cibw import image_for, remove
from workbench.container.command import create_args
from workbench.container.configuration import hand_on
from workbench.errors import BuildFailed, CommandFailed
from workbench.files import temporary
from workbench.plan.target import this_arch
from workbench.process import run

if TYPE_CHECKING:
    from workbench.container.command import Build
    from workbench.container.engine import Engine

_TREE = PurePosixPath("/workbench-tree")
"""Where the container sees the source, which it copies to where cibuildwheel has it."""

PATH = "/opt/python/cp39-cp39/bin:$PATH"
"""The search path that cibuildwheel gives to such commands."""


@contextmanager
def prepared(
    build: Build, engine: Engine, commands: Sequence[str], *, log: Path, on_line: Callable[[str], None]
) -> Iterator[str]:
    """Yield the name of a build's image after shell commands of its recipe, as root and with a network; "" without any.

    ``{project}`` is the tree. What they put there stays; files of the source itself are put back. The image goes at the
    end. Raises CibuildwheelFailed with their last lines, and what `image_for` raises.
    """
    if not commands:
        yield ""
        return
    image = image_for(engine, build.image, build.arch).name
    name = f"localhost/wheel-workbench/before-all:{build.label.rpartition('=')[2]}"
    path = f"{shlex.quote(build.environment['PATH'])}:{PATH}" if "PATH" in build.environment else PATH
    lines = [
        *(f"mkdir -p {PROJECT}", f"cp -R {_TREE}/. {PROJECT}", f"cd {PROJECT}", f"export PATH={path}"),
        *(f"({each}\n)" for each in commands),  # it may end with a comment
    ]
    script = "\n".join(lines).replace("{project}", PROJECT).replace("{package}", PROJECT)
    emulated = build.arch != this_arch()
    arguments = create_args(
        build, {_TREE: build.tree}, label=build.label, emulated=emulated, handed=hand_on()
    )
    remove(engine, build.label)
    with temporary() as folder:
        known = folder / "container"
        start = [engine.name, "run", f"--cidfile={known}", f"--platform=linux/{OCI_ARCH[build.arch]}"]
        try:
            run([*start, *arguments, image, "sh", "-ec", script], log=log, on_line=on_line)
            run([engine.name, "commit", known.read_text().strip(), name], log=log)
        except CommandFailed as error:
            why = f"before_all of the recipe failed: {error}"
            inside = shell_in(build, engine)
            raise CibuildwheelFailed(
                why, fault=BuildFailed, engine=engine, inside=inside, online="before_all has a network"
            ) from error
        finally:
            remove(engine, build.label)
    try:
        yield name
    finally:
        run([engine.name, "rmi", "--force", name], check=False)
