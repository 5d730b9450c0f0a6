"""One wheel by cibuildwheel, in one container: its command as a pure function of values, and the run of it.

cibuildwheel copies the tree into the container, so the host's stays as it was. The container is the isolation: it has
no network, and the build requirements are installed from files (`wheelhouse`) into its own Python, for an environment
within it takes half a minute to make where an emulator runs.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Literal

from workbench.cgroup import groups_of
from workbench.container.blame import failure
from workbench.container.configuration import PROXIES, hand_on
from workbench.container.engine import machine_of, require_emulation, require_image
from workbench.container.wheelhouse import FIRST, MORE, asked_in, fetch_wheels, glibc_of
from workbench.container.wheelhouse import INSIDE as WHEELHOUSE
from workbench.errors import BuildFailed, ContainerError, SettingsError
from workbench.paths import PROGRAM, SHIPPED
from workbench.plan.target import this_arch
from workbench.process import run

if TYPE_CHECKING:
    from workbench.build_group import BuildGroup
    from workbench.cgroup import ControlGroup
    from workbench.container.configuration import Handed
    from workbench.container.engine import Engine, Image

Frontend = Literal["build", "build[uv]"]
"""What installs requirements and calls the build backend: pip and build, or uv and build (twice as quick)."""

INSIDE = PurePosixPath("/workbench")
"""Where the container sees the folder of files that the workbench hands in."""

CUDA_HOME = Path("/usr/local/cuda")
"""Where a container has its CUDA toolkit: its image's own, or one mounted there."""

QEMU_CPU = "max,pauth=off"
"""The processor that qemu shows: without pointer authentication, which makes Python 20 times slower there."""

REPAIR = "auditwheel repair -z 0"
"""Grafts and tags; to deflate is left to repair on this machine, for under an emulator it takes two thirds of it."""

COUNTERS = re.compile(r"(?:Ip|Udp): ")
"""Begins the lines of a log that have the kernel's counters of a container's network (`refused` reads them)."""

_COUNT = "grep -E '^(Ip|Udp): ' /proc/net/snmp"
"""Says them once the wheel is built: what was asked of no network in silence is in nothing else.

A kernel that does not count fails no build.
"""

_FIRST_FREE_THREADED = 14
"""The minor version of the first free-threaded Python that cibuildwheel builds for."""

_PREPARE = SHIPPED / "containers" / "prepare.py"
"""The script that installs a build's requirements in the container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One wheel to build in a container, and all that decides how.

    `image` is an image or a manylinux policy (``manylinux_2_28``), and `prepared` what a recipe's ``before_all`` made
    of it (`before_all`). `environment` is taken literally; its ``PATH`` goes before the container's own. `requires`
    are all requirements (PEP 508) but those that the backend asks for as it runs; `wheelhouse` is the folder for
    their wheels, and `joined` returns uv's options to find some. With `pins`, lines of ``requirements.txt`` with
    hashes, nothing is resolved: they are all of them. `files` go into ``/workbench``. `before_build` is a shell
    command for once they are installed; ``{project}`` is the tree. `exclude` are sonames that auditwheel must not
    graft, wildcards allowed. `toolkit` is a CUDA_HOME of this machine, seen at ``/usr/local/cuda``.
    """

    title: str
    python: str
    arch: str
    image: str
    tree: Path
    output: Path
    wheelhouse: Path
    requires: tuple[str, ...] = ()
    pins: tuple[str, ...] | None = None
    joined: Callable[[Sequence[str]], Sequence[str]] = lambda _: ()
    prepared: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    config_settings: Mapping[str, str] = field(default_factory=dict)
    before_build: str = ""
    exclude: tuple[str, ...] = ()
    frontend: Frontend = "build[uv]"
    toolkit: Path | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    create_args: tuple[str, ...] = ()

    @property
    def identifier(self) -> str:
        """What cibuildwheel calls the target: ``cp311-manylinux_aarch64``."""
        return f"cp{self.python.replace('.', '')}-manylinux_{self.arch}"

    @property
    def label(self) -> str:
        """What marks the containers of the build, and of no other on this machine."""
        return f"wheel-workbench={hashlib.sha256(bytes(self.output.resolve())).hexdigest()[:16]}"


def builds(python: str) -> bool:
    """Say whether cibuildwheel builds for a Python: of the free-threaded ones for those from 3.14t on."""
    return not python.endswith("t") or int(python.removesuffix("t").partition(".")[2]) >= _FIRST_FREE_THREADED


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line, variables on top of this process's own, and the files that ``/workbench`` must hold."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    files: Mapping[str, str]


def command(
    build: Build,
    *,
    engine: str,
    folder: Path,
    label: str,
    emulated: bool = False,
    handed: Handed | None = None,
    inherited: Iterable[str] = (),
) -> Command:
    """Return cibuildwheel's command for one wheel.

    `folder` is the host folder that will hold the command's files, `label` marks the container. `inherited` are the
    names of this process's variables: those that cibuildwheel would read are dropped, as is the project's own
    ``[tool.cibuildwheel]``, so that the build alone decides.
    """
    files = {**build.files, "cibuildwheel.toml": "", "prepare.py": _PREPARE.read_text(encoding="utf-8")}
    installer = "uv" if build.frontend == "build[uv]" else "pip"
    prepare = f"python {INSIDE}/prepare.py {installer} '{{package}}' {WHEELHOUSE}"
    exclude = shlex.join([word for soname in build.exclude for word in ("--exclude", soname)])
    repair = f"{REPAIR} {exclude} -w {{dest_dir}} {{wheel}}"
    mounts: dict[PurePath, Path] = {INSIDE: folder, WHEELHOUSE: build.wheelhouse}
    create = shlex.join(create_args(build, mounts, label=label, emulated=emulated, handed=handed))
    path = build.environment.get("PATH")
    options = {
        "CIBW_CONTAINER_ENGINE": f"{engine}; create_args: {create}; disable_host_mount: True",
        f"CIBW_MANYLINUX_{build.arch.upper()}_IMAGE": build.prepared or build.image,
        "CIBW_ENVIRONMENT": f"PATH={shlex.quote(path)}:$PATH" if path else "",
        "CIBW_CONFIG_SETTINGS": shlex.join(f"{key}={value}" for key, value in build.config_settings.items()),
        "CIBW_BEFORE_ALL": "",
        "CIBW_BEFORE_BUILD": f"{prepare} && {build.before_build}" if build.before_build else prepare,
        "CIBW_BUILD_FRONTEND": f"{build.frontend}; args: --no-isolation --skip-dependency-check",
        "CIBW_BUILD_VERBOSITY": "1",
        "CIBW_REPAIR_WHEEL_COMMAND": repair if build.network else f"{_COUNT}; {repair}",
        "CIBW_AUDIT_COMMAND": "",  # the workbench's own checks look at the wheel
        "CIBW_DEPENDENCY_VERSIONS": "latest",
    }
    dropped = sorted(name for name in inherited if name.startswith("CIBW_") and name != "CIBW_CACHE_PATH")
    argv = (
        *("env", *(f"--unset={name}" for name in dropped)),
        *("cibuildwheel", "--only", build.identifier, "--output-dir", str(build.output)),
        *("--config-file", str(folder / "cibuildwheel.toml"), "."),
    )
    return Command(argv=argv, env=options, files=files)


def create_args(
    build: Build, mounts: Mapping[PurePath, Path], *, label: str, emulated: bool, handed: Handed | None
) -> list[str]:
    """Return the arguments with which an engine makes a container for a build, the site's own as the last.

    `mounts` are folders of this machine by where the container sees them; `label` marks it. One that `handed` is None
    for has no network.
    """
    # engines hand proxies on, with their logins, unless they are told that there are none
    variables = {**(handed.environment if handed else dict.fromkeys(PROXIES, "")), **build.environment}
    variables.pop("PATH", None)
    seen = {**mounts, **(handed.mounts if handed else {})}
    if build.toolkit:
        seen[CUDA_HOME] = build.toolkit
    if emulated:
        variables["QEMU_CPU"] = QEMU_CPU
    return [
        f"--label={label}",
        "--security-opt=label=disable",  # SELinux would hide the mounted folders
        *([] if handed or "none" in _networks(build.create_args) else ["--network=none"]),
        *(f"--volume={source}:{target}:ro" for target, source in seen.items()),
        # not CIBW_ENVIRONMENT: what reads it is not quite a shell, and quotes come out of it changed
        *(f"--env={key}={value}" for key, value in variables.items()),
        *(f"--env={name}" for name in (handed.passed if handed else ())),
        *build.create_args,
    ]


def names_network(arguments: Sequence[str]) -> bool:
    """Say whether a site's own arguments for a container choose its network."""
    return any(network != "none" for network in _networks(arguments))


def _networks(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the networks that arguments for a container name: ``--network=host``, ``--net host``."""
    for argument, after in zip(arguments, (*arguments[1:], ""), strict=False):
        option, is_one_word, value = argument.partition("=")
        if option in ("--net", "--network"):
            yield value if is_one_word else after


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
    with tempfile.TemporaryDirectory(prefix="workbench-") as name:
        made = command(
            build,
            engine=engine.name,
            folder=Path(name),
            label=build.label,
            emulated=build.arch != this_arch(),
            handed=hand_on() if build.network else None,
            inherited=os.environ,
        )
        for file, text in made.files.items():
            (Path(name) / file).write_text(text, encoding="utf-8")
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
