"""Build and repair one wheel with cibuildwheel, in a container: what runs its `command`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.cgroup import groups_of
from workbench.container.blame import failure
from workbench.container.command import command
from workbench.container.configuration import hand_on
from workbench.container.engine import machine_of, require_emulation, require_image
from workbench.container.wheelhouse import FIRST, MORE, asked_in, fetch_wheels, glibc_of
from workbench.errors import BuildFailed, ContainerError, SettingsError
from workbench.files import temporary
from workbench.paths import PROGRAM
from workbench.plan.target import this_arch
from workbench.process import run

if TYPE_CHECKING:
    from workbench.build_group import BuildGroup
    from workbench.cgroup import ControlGroup
    from workbench.container.command import Build
    from workbench.container.engine import Engine, Image


def build_wheel(
    build: Build,
    engine: Engine,
    *,
    log: Path,
    on_line: Callable[[str], None] = lambda _: None,
    group: BuildGroup | None = None,
) -> Path:
    """Build one wheel and repair it, in a container; return its path. `log` gets all that cibuildwheel said.

    What it requires is downloaded first, and what its backend asks for while the container waits. The wheel's members
    lie in it uncompressed: `repair.assemble` deflates them.

    Raises CibuildwheelFailed; CommandFailed where a requirement has no wheel; ContainerError where the engine or
    the image does not serve; SettingsError for an unknown manylinux policy; BuildFailed where it left no wheel.
    """
    image = image_for(engine, build.image, build.arch)
    if build.toolkit and not image.runs(made_of := machine_of(build.toolkit / "bin" / "nvcc")):
        raise ContainerError(
            f"the CUDA toolkit {build.toolkit} is made of {made_of} programs, which do not run in the "
            f"{build.arch} image {build.image}: '{PROGRAM} toolchain.image --arch {build.arch}' makes one where they "
            "do; or take one that has CUDA itself"
        )
    build.output.mkdir(parents=True, exist_ok=True)
    _fetch(build, FIRST, log=log)

    def heard(line: str) -> None:
        asked = asked_in(line)
        if asked:
            _fetch(build, MORE, asked, log=log)
        on_line(line)

    remove(engine, build.label)  # what a run that was killed has left
    with temporary() as folder:
        made = command(
            build,
            engine=engine.name,
            folder=folder,
            label=build.label,
            emulated=build.arch != this_arch(),
            handed=hand_on() if build.network else None,
            inherited=os.environ,
        )
        for file, text in made.files.items():
            (folder / file).write_text(text, encoding="utf-8")
        if group:
            group.includes(partial(groups_of_containers, engine, build.label))
        try:
            done = run(
                made.argv, cwd=build.tree, env=made.env, log=log, on_line=heard, check=False, group=group
            )
        except BaseException:
            # cibuildwheel leaves its container behind when it is ended by a signal
            remove(engine, build.label)
            raise
    if done.status:
        raise failure(build, engine, done, log)
    wheels = sorted(build.output.glob("*.whl"))
    if len(wheels) != 1:
        left = f"{', '.join(wheel.name for wheel in wheels) or 'no wheel'} in {build.output}"
        raise BuildFailed(f"{build.title}: cibuildwheel left {left}; exactly one is expected")
    return wheels[0]


def _fetch(build: Build, folder: str, asked: Sequence[str] = (), *, log: Path) -> None:
    requirements = (*build.requires, *asked)
    fetch_wheels(
        requirements,
        build.wheelhouse,
        folder=folder,
        python=build.python,
        arch=build.arch,
        glibc=glibc_of(build.image),
        options=build.joined(requirements),
        pins=build.pins,
        log=log,
    )


def resolve_image(image: str, arch: str) -> str:
    """Return the image that a manylinux policy (``manylinux_2_28``) stands for; another name as it is.

    Raises SettingsError for a policy without an image.
    """
    if not re.fullmatch(r"manylinux\w+", image):
        return image
    import configparser

    from cibuildwheel.util.resources import PINNED_DOCKER_IMAGES

    pinned = configparser.ConfigParser(inline_comment_prefixes="#")
    pinned.read(PINNED_DOCKER_IMAGES)
    if image not in pinned[arch]:
        known = ", ".join(key for key in pinned[arch] if key.startswith("manylinux"))
        raise SettingsError(
            f"workbench.yaml: container: the policy {image} has no image for {arch}; there are {known}"
        )
    return pinned[arch][image]


def image_for(engine: Engine, name: str, arch: str) -> Image:
    """Return the image that a name or a manylinux policy stands for, pulled if the engine lacks it.

    Raises SettingsError for a policy without an image; ContainerError where it cannot be pulled, is for another
    architecture, or where programs of that architecture do not run here.
    """
    if arch != this_arch():
        require_emulation(arch)
    return require_image(engine, resolve_image(name, arch), arch)


def groups_of_containers(engine: Engine, label: str) -> tuple[ControlGroup, ...]:
    """Return the control groups that an engine on this machine has made for the running containers of a label."""
    found = []
    for container in _containers(engine, label):
        asked = [engine.name, "inspect", "--format={{.State.Pid}}", container]
        process = run(asked, check=False, stdout_only=True).output.strip()
        with suppress(OSError):  # it has ended meanwhile, or the engine is another machine's
            found += [group for group in groups_of(process) if container in str(group.folder)][:1]
    return tuple(found)


def _containers(engine: Engine, label: str, *options: str) -> list[str]:
    listing = [engine.name, "ps", *options, "--quiet", f"--filter=label={label}"]
    return run(listing, check=False, stdout_only=True).output.split()


def remove(engine: Engine, label: str) -> None:
    """Remove the containers of a label, be they running."""
    if containers := _containers(engine, label, "--all"):
        run([engine.name, "rm", "--force", "--volumes", *containers], check=False)
