"""cibuildwheel's command for one wheel, in one container: a pure function of values.

cibuildwheel copies the tree into the container, so the host's stays as it was. The container is the isolation: it has
no network, and the build requirements are installed from files (`wheelhouse`) into its own Python, for an environment
within it takes half a minute to make where an emulator runs.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Literal

from workbench.container.configuration import PROXIES
from workbench.container.wheelhouse import INSIDE as WHEELHOUSE
from workbench.paths import SHIPPED

if TYPE_CHECKING:
    from workbench.container.configuration import Handed

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
