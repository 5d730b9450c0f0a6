"""One wheel by cibuildwheel, in one container: its command as a pure function of values, and the run of it.

cibuildwheel copies the tree into the container, so the host's stays as it was. The container is the isolation: the
build requirements are installed into its own Python, for an environment within it takes half a minute to make
where an emulator runs.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Literal

from workbench.container.engine import machine_of, require_emulation, require_image
from workbench.errors import BuildFailed, CommandFailed, ContainerError, RepairFailed, SettingsError
from workbench.paths import PROGRAM, SHIPPED
from workbench.plan.target import this_arch
from workbench.process import pieces_of, run

if TYPE_CHECKING:
    from workbench.build_group import BuildGroup
    from workbench.container.engine import Engine, Image
    from workbench.errors import WorkbenchError
    from workbench.process import Completed

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

_FIRST_FREE_THREADED = 14
"""The minor version of the first free-threaded Python that cibuildwheel builds for."""

PREPARE = SHIPPED / "containers" / "prepare.py"
"""The script that installs a build's requirements in the container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One wheel to build in a container, and all that decides how.

    `image` is an image or a manylinux policy (``manylinux_2_28``). `environment` is taken literally; its ``PATH`` goes
    before the container's own. `requires` come on top of ``build-system.requires``. `before_all` and `before_build` are
    shell commands, before everything and once the requirements are installed; ``{project}`` is the tree. `exclude` are
    sonames that auditwheel must not graft, wildcards allowed. `toolkit` is a CUDA_HOME of this machine, seen at
    ``/usr/local/cuda``. `cache` keeps downloads for later builds, in a volume of the engine's.
    """

    title: str
    python: str
    arch: str
    image: str
    tree: Path
    output: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    config_settings: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    before_all: str = ""
    before_build: str = ""
    exclude: tuple[str, ...] = ()
    frontend: Frontend = "build[uv]"
    toolkit: Path | None = None
    network: bool = True
    cache: bool = True
    create_args: tuple[str, ...] = ()

    @property
    def identifier(self) -> str:
        """What cibuildwheel calls the target: ``cp311-manylinux_aarch64``."""
        return f"cp{self.python.replace('.', '')}-manylinux_{self.arch}"


def builds(python: str) -> bool:
    """Say whether cibuildwheel builds for a Python: of the free-threaded ones for those from 3.14t on."""
    return not python.endswith("t") or int(python.removesuffix("t").partition(".")[2]) >= _FIRST_FREE_THREADED


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line, variables on top of this process's own, and the files that ``/workbench`` must hold."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What of this machine's own configuration goes into a container (see ``configuration``).

    `mounts` are this machine's files and folders, by where the container sees them, read-only. `environment` shows in
    logs; `passed` are names of variables whose values, as they are here, do not.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[PurePath, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    passed: tuple[str, ...] = ()


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
    handed = handed or Handed()
    files = {
        **handed.files,
        "cibuildwheel.toml": "",
        "prepare.py": PREPARE.read_text(encoding="utf-8"),
        "requires.txt": "".join(f"{requirement}\n" for requirement in build.requires),
    }
    installer = "uv" if build.frontend == "build[uv]" else "pip"
    prepare = f"python {INSIDE}/prepare.py {installer} '{{package}}' {INSIDE}/requires.txt"
    exclude = shlex.join([word for soname in build.exclude for word in ("--exclude", soname)])
    create = shlex.join(_create_args(build, folder, label, handed, emulated))
    path = build.environment.get("PATH")
    options = {
        "CIBW_CONTAINER_ENGINE": f"{engine}; create_args: {create}; disable_host_mount: True",
        f"CIBW_MANYLINUX_{build.arch.upper()}_IMAGE": build.image,
        "CIBW_ENVIRONMENT": f"PATH={shlex.quote(path)}:$PATH" if path else "",
        "CIBW_CONFIG_SETTINGS": shlex.join(f"{key}={value}" for key, value in build.config_settings.items()),
        "CIBW_BEFORE_ALL": build.before_all,
        "CIBW_BEFORE_BUILD": f"{prepare} && {build.before_build}" if build.before_build else prepare,
        "CIBW_BUILD_FRONTEND": f"{build.frontend}; args: --no-isolation --skip-dependency-check",
        "CIBW_BUILD_VERBOSITY": "1",
        "CIBW_REPAIR_WHEEL_COMMAND": f"{REPAIR} {exclude} -w {{dest_dir}} {{wheel}}",
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


def _create_args(build: Build, folder: Path, label: str, handed: Handed, emulated: bool) -> list[str]:
    variables = {**handed.environment, **build.environment}
    variables.pop("PATH", None)
    mounts: dict[PurePath, Path] = {INSIDE: folder, **handed.mounts}
    if build.toolkit:
        mounts[CUDA_HOME] = build.toolkit
    arguments = [f"--label={label}", "--security-opt=label=disable"]  # SELinux would hide the mounted folders
    if not build.network:
        arguments.append("--network=none")
    if emulated:
        variables["QEMU_CPU"] = QEMU_CPU
    if build.cache:
        arguments.append(f"--volume=wheel-workbench-cache-{build.arch}:/root/.cache")
        variables["UV_LINK_MODE"] = "copy"  # the volume is a file system of its own
    return [
        *arguments,
        *(f"--volume={source}:{target}:ro" for target, source in mounts.items()),
        # not CIBW_ENVIRONMENT: what reads it is not quite a shell, and quotes come out of it changed
        *(f"--env={key}={value}" for key, value in variables.items()),
        *(f"--env={name}" for name in handed.passed),
        *build.create_args,
    ]


def build_wheel(
    build: Build,
    engine: Engine,
    *,
    handed: Handed | None = None,
    log: Path,
    on_line: Callable[[str], None] = lambda _: None,
    group: BuildGroup | None = None,
) -> Path:
    """Build one wheel and repair it, in a container; return its path. `log` gets all that cibuildwheel said.

    Its members lie in it uncompressed: `repair.assemble` deflates them.

    Raises CibuildwheelFailed; ContainerError where the engine or the image does not serve; SettingsError for an unknown
    manylinux policy; BuildFailed where it left no wheel.
    """
    image = image_for(engine, build.image, build.arch)
    if build.toolkit and not image.runs(made_of := machine_of(build.toolkit / "bin" / "nvcc")):
        raise ContainerError(
            f"the CUDA toolkit {build.toolkit} is made of {made_of} programs, which do not run in the "
            f"{build.arch} image {build.image}: '{PROGRAM} toolchain.image --arch {build.arch}' makes one where they "
            "do; or take one that has CUDA itself"
        )
    build.output.mkdir(parents=True, exist_ok=True)
    label = f"wheel-workbench={hashlib.sha256(bytes(build.output.resolve())).hexdigest()[:16]}"
    _remove(engine, label)  # what a run that was killed has left
    with tempfile.TemporaryDirectory(prefix="workbench-") as name:
        made = command(
            build,
            engine=engine.name,
            folder=Path(name),
            label=label,
            emulated=build.arch != this_arch(),
            handed=handed,
            inherited=os.environ,
        )
        for file, text in made.files.items():
            (Path(name) / file).write_text(text, encoding="utf-8")
        try:
            done = run(
                made.argv, cwd=build.tree, env=made.env, log=log, on_line=on_line, check=False, group=group
            )
        except BaseException:
            # cibuildwheel leaves its container behind when it is ended by a signal
            _remove(engine, label)
            raise
    if done.status:
        raise failure(build, engine, done, log)
    wheels = sorted(build.output.glob("*.whl"))
    if len(wheels) != 1:
        left = f"{', '.join(wheel.name for wheel in wheels) or 'no wheel'} in {build.output}"
        raise BuildFailed(f"{build.title}: cibuildwheel left {left}; exactly one is expected")
    return wheels[0]


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


def _remove(engine: Engine, label: str) -> None:
    listing = [engine.name, "ps", "--all", "--quiet", f"--filter=label={label}"]
    if containers := run(listing, check=False, stdout_only=True).output.split():
        run([engine.name, "rm", "--force", "--volumes", *containers], check=False)


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


class CibuildwheelFailed(CommandFailed):
    """cibuildwheel ended with another status than 0.

    `fault` is the error that it means, by its step and its status; `inside` the command that opens a shell in the
    image, with the build's tree.
    """

    def __init__(self, text: str, *, fault: type[WorkbenchError], engine: Engine, inside: str) -> None:
        super().__init__(text)
        self.fault = fault
        self.engine = engine
        self.inside = inside


def failure(build: Build, engine: Engine, done: Completed, log: Path) -> CibuildwheelFailed:
    """Return what a failed run of cibuildwheel means, by its exit status and the step that its log ends in."""
    step = ""
    for line in pieces_of(log):
        if found := _STEP.search(line):
            step = found[0]
    at_step = f"cibuildwheel failed at '{step}'" if step else "cibuildwheel failed"
    fault, why = _STATUSES.get(done.status, (_BLAME.get(step, BuildFailed), at_step))
    why = why.replace("{engine}", engine.name)
    mount = f"--volume={build.tree}:/project"
    inside = shlex.join([engine.name, "run", "--rm", "-it", mount, build.image, "bash"])
    return CibuildwheelFailed(f"{why}\n{done.tail}", fault=fault, engine=engine, inside=inside)
