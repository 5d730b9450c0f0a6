"""Docker or podman on this machine: the engine, its images, and whether another architecture runs here."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workbench.arch import OCI_ARCH
from workbench.errors import CommandFailed, ContainerError
from workbench.events import step
from workbench.paths import PROGRAM
from workbench.process import environment, run
from workbench.wheel import elf

EngineName = Literal["docker", "podman"]

NATIVE_LABEL = "wheel-workbench.runs"
"""Marks an image that also runs the programs of the architecture that it names."""

PYTHONS_LABEL = "wheel-workbench.pythons"
"""Says which Pythons (X.Y, with spaces between) an image has. One that does not say is taken to have them all."""

PROBE_TIMEOUT = 30
"""Seconds that an engine has to say that it is there. One whose daemon or storage hangs never does."""

PULL_WAITS = (2.0, 10.0, 30.0)
"""Seconds between the tries to pull an image where a registry is overrun, or the line breaks off."""

_PASSING = re.compile(
    r"\b(?:429|50[0234])\b|too ?many ?requests|timeout|timed out|connection reset|unexpected eof",
    re.IGNORECASE,
)

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
"""Where the kernel lists the programs that run other machines' programs."""

_LACKING: Mapping[EngineName, str] = {"docker": "No such image", "podman": "image not known"}
"""What each engine says of an image that it does not have; a podman that is called docker says it as podman does."""

_REMEDIES = (
    (
        "permission denied",
        "this user may not talk to it: 'sudo usermod -aG docker $USER' and a new login, or podman instead",
    ),
    ("cannot connect", "its daemon does not run: start it with 'sudo systemctl start docker'"),
    ("newuidmap", "it cannot map user ids: 'apt install uidmap', or run as root"),
    ("subuid", "this user has no ids to give away: 'sudo usermod --add-subuids 100000-165535 $USER'"),
)
"""A word of an engine's complaint, in lower case, and what to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine that answers. `storage` is the folder where it keeps images and containers."""

    name: EngineName
    version: str
    storage: Path

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def free(self) -> str:
        """Return how much is free for containers; ``unknown`` where the storage is not on this machine."""
        here = self.storage.is_dir()
        return f"{shutil.disk_usage(self.storage).free / 1e9:.1f} GB" if here else "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that the engine has. `id` is its hash, `arch` an OCI name (``amd64``), `size` in bytes."""

    name: str
    id: str
    arch: str
    size: int
    labels: dict[str, str]

    def runs(self, arch: str) -> bool:
        """Say whether programs of an architecture (``x86_64``) find in it what they need, be it of another."""
        return self.arch == OCI_ARCH[arch] or self.labels.get(NATIVE_LABEL) == arch

    @property
    def pythons(self) -> tuple[str, ...]:
        """The Pythons (X.Y) that it says it has; empty for one that does not say."""
        return tuple(self.labels.get(PYTHONS_LABEL, "").split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuda:
    """A CUDA toolkit: its release (``13.0``) and the numbers of the GPUs that it compiles for (``121``)."""

    version: str
    gpus: tuple[int, ...]

    @classmethod
    def read(cls, said: str) -> Cuda | None:
        """Return what nvcc answers to ``--version`` and ``--list-gpu-code``; None where that is no nvcc's."""
        release = re.search(r"release (\d+\.\d+)", said)
        gpus = {int(number) for number in re.findall(r"^sm_(\d+)", said, re.MULTILINE)}
        return cls(version=release[1], gpus=tuple(sorted(gpus))) if release else None


def find_engine(wanted: Literal["auto", "docker", "podman"] = "auto") -> Engine:
    """Return the engine that `wanted` names, or for ``auto`` the first of docker and podman that answers.

    Raises ContainerError, which says for each engine tried what stands in its way and what to do.
    """
    troubles = []
    for found in map(_ask, installed(wanted)):
        if isinstance(found, Engine):
            return found
        troubles.append(found)
    which = "docker or podman" if wanted == "auto" else wanted
    none = (
        f"no container engine here ({which})\n'apt install podman', or containers/setup, which sets up "
        "all that builder 'container' needs (root, Debian)"
    )
    raise ContainerError("\n".join(troubles) or none)


def _ask(name: EngineName) -> Engine | str:
    """Return the engine, or what stands in its way."""
    try:
        ask = [name, "info", "--format", "{{json .}}"]
        done = run(ask, check=False, timeout=PROBE_TIMEOUT, stdout_only=True)
    except CommandFailed:
        return f"{name} is installed and does not answer within {PROBE_TIMEOUT:g} s\nsee '{name} info'"
    if done.status == 0:
        return _engine(name, json.loads(done.output))
    *_, complaint = done.said.splitlines() or [f"'{done.command}' ended with {done.status} and said nothing"]
    remedy = next((remedy for word, remedy in _REMEDIES if word in complaint.lower()), f"see '{name} info'")
    return f"{name} is installed and does not work: {complaint}\n{remedy}"


def _engine(name: EngineName, info: dict[str, Any]) -> Engine | str:
    if name == "podman":
        return Engine(name=name, version=info["version"]["Version"], storage=Path(info["store"]["graphRoot"]))
    if "store" in info:  # Debian's podman-docker: a docker that is podman and answers as podman does
        return "docker here is podman under docker's name\ninstall docker itself, or take podman (container.engine)"
    return Engine(name=name, version=info["ServerVersion"], storage=Path(info["DockerRootDir"]))


def installed(wanted: Literal["auto", "docker", "podman"]) -> tuple[EngineName, ...]:
    """Return the engines that `wanted` means and whose programs are on this machine, the first choice first."""
    names: tuple[EngineName, ...] = ("docker", "podman") if wanted == "auto" else (wanted,)
    return tuple(name for name in names if shutil.which(name, path=environment()["PATH"]))


def engine_without(wanted: Literal["auto", "docker", "podman"], image: str) -> EngineName | None:
    """Return the engine that `find_engine` would, where it lacks an image and says so at once.

    None where it has the image, where no engine answers, and where more must be asked to know: to describe itself takes
    podman six times as long.
    """
    for name in installed(wanted):
        try:
            asked = [name, "image", "inspect", image]
            done = run(asked, check=False, timeout=PROBE_TIMEOUT, stdout_only=True)
        except CommandFailed:
            return None
        if done.status and _LACKING[name] in done.errors:
            return name
        if done.status == 0 or "annot connect to the Docker daemon" not in done.errors:
            return None
    return None


def find_image(engine: Engine, name: str) -> Image | None:
    """Return an image that the engine has, or None."""
    done = run([engine.name, "image", "inspect", name], check=False, stdout_only=True)
    if done.status:
        return None
    (facts,) = json.loads(done.output)
    return Image(
        name=name,
        id=facts["Id"],
        arch=facts["Architecture"],
        size=facts["Size"],
        labels=(facts["Config"] or {}).get("Labels") or {},
    )


def require_image(engine: Engine, name: str, arch: str) -> Image:
    """Return an image of an architecture (``aarch64``), pulled if the engine lacks it.

    Raises ContainerError when it cannot be pulled, or is for another architecture.
    """
    image, said = find_image(engine, name), "it is made on this machine"
    # what is called localhost/ was made here, and lies in no registry
    if image is None and not name.startswith("localhost/"):
        said = _pull(engine, name, arch)
        image = find_image(engine, name)
    if image and image.arch == OCI_ARCH[arch]:
        return image
    why = f"is for {image.arch}, and the wheel is for {arch} ({OCI_ARCH[arch]})" if image else ""
    raise ContainerError(
        f"the image {name} {why or f'is not here, and {engine.name} cannot pull it: {said}'}\n"
        f"Make one with '{PROGRAM} toolchain.image --arch {arch}', or name another in workbench.yaml (container.images)"
    )


def _pull(engine: Engine, name: str, arch: str) -> str:
    """Pull an image, again where the trouble is one that passes; return the last line of what was said."""
    pull = [engine.name, "pull", "--quiet", f"--platform=linux/{OCI_ARCH[arch]}", name]
    with step(f"pull {name}") as at:
        for wait in (*PULL_WAITS, None):
            done = run(pull, check=False)
            said = done.tail.rpartition("\n")[2]
            if done.status == 0:
                break
            if wait is None or not _PASSING.search(done.said):
                at.fail(said)
                break
            at.detail(f"{said}: again in {wait:g} s")
            time.sleep(wait)
    return said


def cuda_in(engine: Engine, image: Image) -> Cuda | None:
    """Return the CUDA toolkit that lies in an image at ``/usr/local/cuda``, or None where there is none that runs."""
    ask = "nvcc=/usr/local/cuda/bin/nvcc; $nvcc --version && $nvcc --list-gpu-code"
    run_in = [engine.name, "run", "--rm", "--network=none", "--entrypoint=sh", image.name]
    done = run([*run_in, "-c", ask], check=False, stdout_only=True)
    return None if done.status else Cuda.read(done.output)


def machine_of(program: Path) -> str:
    """Return the architecture of an ELF program, ``x86_64``. Raises ContainerError for any other."""
    with program.open("rb") as file:
        arch = elf.machine_of(file.read(elf.HEAD))
    if arch not in OCI_ARCH:
        raise ContainerError(f"{program} is not a program for {' or '.join(OCI_ARCH)}")
    return arch


def is_emulated(arch: str, *, binfmt: Path = _BINFMT) -> bool:
    """Say whether the kernel hands programs of an architecture to an emulator that containers can reach."""
    return any(_runs(entry, arch) for entry in binfmt.glob("*") if entry.name not in ("register", "status"))


def _runs(entry: Path, arch: str) -> bool:
    lines = entry.read_text().splitlines()
    fields = dict(line.split(" ", 1) for line in lines if " " in line)
    magic = bytes.fromhex(fields.get("magic", ""))
    # F: the kernel opened the emulator when it was registered; else each container would need one inside
    opened = "F" in next((line for line in lines if line.startswith("flags:")), "")
    return lines[:1] == ["enabled"] and elf.machine_of(magic) == arch and opened


def require_emulation(arch: str, *, binfmt: Path = _BINFMT) -> None:
    """Raise ContainerError, with the remedy, unless programs of an architecture run here."""
    if not is_emulated(arch, binfmt=binfmt):
        raise ContainerError(
            f"{arch} programs do not run on this machine: no emulator for them is registered in {binfmt} "
            "(with flag F, so that containers reach it)\n"
            "containers/setup registers qemu (root, Debian); elsewhere install qemu-user-static, binfmt-support"
        )
