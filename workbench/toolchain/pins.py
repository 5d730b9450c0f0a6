"""The CUDA releases that can be laid out, each pinned in ``locks/<compute platform>.txt``.

A lock is a requirements file with hashes for both architectures. Its first lines are comments that say which
release it is and which GPUs its nvcc knows; ``python -m workbench.toolchain.lock`` writes it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from packaging.version import Version

from workbench.environment import uv
from workbench.errors import ToolchainError, nearest
from workbench.files import temporary
from workbench.plan.gpu import Architecture
from workbench.plan.plan import ToolkitPins

LOCKS = Path(__file__).parent / "locks"

_CORE = (
    "nvidia-cuda-cccl",
    "nvidia-cuda-crt",
    "nvidia-cuda-culibos",
    "nvidia-cuda-nvcc",
    "nvidia-cuda-nvrtc",
    "nvidia-cuda-profiler-api",
    "nvidia-cuda-runtime",
    "nvidia-nvtx",
    "nvidia-nvvm",
)
"""What every toolkit has."""

PROGRAMS = ("nvidia-cuda-nvcc", "nvidia-nvvm")
"""The distributions of `_CORE` that hold programs: for a cross layout they are needed for this machine too."""

_LINKED_WITH = {
    "cublas": ("nvidia-cublas",),
    "cufft": ("nvidia-cufft", "nvidia-nvjitlink"),
    "cufile": ("nvidia-cufile",),
    "cupti": ("nvidia-cuda-cupti",),
    "curand": ("nvidia-curand",),
    "cusolver": ("nvidia-cusolver", "nvidia-cublas", "nvidia-cusparse", "nvidia-nvjitlink"),
    "cusparse": ("nvidia-cusparse", "nvidia-nvjitlink"),
    "npp": ("nvidia-npp",),
    "nvfatbin": ("nvidia-nvfatbin",),
    "nvjitlink": ("nvidia-nvjitlink",),
    "nvjpeg": ("nvidia-nvjpeg",),
    "nvml": ("nvidia-nvml-dev",),
    "nvptxcompiler": ("nvidia-nvptxcompiler",),
}
"""The distributions of each library: its own, and those of the libraries that it needs to be linked with."""

_ENTRY = re.compile(r"^(?P<name>[a-z][a-z0-9-]*)==.*\n(?: {4}.*\n)*", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A CUDA release.

    `compute` is the compute platform (``cu130``), `version` NVIDIA's (``13.0.3``), `gpus` the numbers of the GPU
    architectures that its nvcc compiles for (``121`` of ``sm_121``), `pins` the lock's entry of each distribution.
    """

    compute: str
    version: str
    gpus: tuple[int, ...]
    pins: dict[str, str]

    def requirements(self, components: Sequence[str] = ()) -> str:
        """Return the requirements of a toolkit with some libraries (``cublas``). Raises ToolchainError for others."""
        names = set(_CORE)
        for component in components:
            if component not in _LINKED_WITH:
                there_are = f"{nearest(component, _LINKED_WITH)}: there are {', '.join(_LINKED_WITH)}"
                raise ToolchainError(f"CUDA has no library {component!r}{there_are}")
            names.update(_LINKED_WITH[component])
        return "".join(self.pins[name] for name in sorted(names))


def pins_for(compute: str, libraries: Sequence[str]) -> ToolkitPins:
    """Return what a toolkit of a compute platform with some libraries is laid out from. Raises ToolchainError."""
    release = release_of(compute)
    return ToolkitPins(version=release.version, requirements=release.requirements(libraries))


def together(libraries: Sequence[str]) -> set[str]:
    """Return those of CUDA's libraries that a toolkit with `libraries` has: also what they are linked with."""
    there = {name for library in libraries for name in _LINKED_WITH.get(library, ())}
    return {library for library, (own, *_) in _LINKED_WITH.items() if own in there}


def releases() -> tuple[Release, ...]:
    """Return the releases that can be laid out, the oldest first."""
    return tuple(_read(path) for path in sorted(LOCKS.glob("cu*.txt")))


def release_of(compute: str) -> Release:
    """Return the release of a compute platform, ``cu130``. Raises ToolchainError, which names those that there are."""
    path = LOCKS / f"{compute}.txt"
    if path.is_file():
        return _read(path)
    there_are = ", ".join(release.compute for release in releases())
    if compute.startswith("cu12"):
        raise ToolchainError(
            f"{compute}: the package index has no nvcc for CUDA 12, so no toolkit can be laid out from it. "
            f"Build for one of {there_are}, or bring CUDA {compute[2:4]}.{compute[4:]} yourself: a container "
            "image that has it, or a toolkit installed on this machine and named in workbench.yaml"
        )
    raise ToolchainError(
        f"{compute}: no such CUDA toolkit{nearest(compute, there_are.split(', '))}: there are {there_are}"
    )


def entries(requirements: str) -> dict[str, str]:
    """Return the entries of a requirements file with hashes, each with its lines of hashes, by project."""
    return {match["name"]: match[0] for match in _ENTRY.finditer(requirements)}


def digest(*parts: str) -> str:
    """Return a name for content that is decided by `parts`."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def check_gpus(gpu: Sequence[str], *, version: str, known: Sequence[int]) -> None:
    """Check GPU architectures against the numbers (``121``) that a CUDA release's nvcc knows, and their letters.

    nvcc lists numbers only; which of them may have an ``a`` or an ``f`` is in its manual. Raises ToolchainError, which
    names the first release that has what this one lacks, or what to ask for instead.
    """
    for each in map(Architecture.parse, gpu):
        cannot = f"CUDA {version} cannot compile for {each}: "
        if each.number not in known:
            raise ToolchainError(cannot + _first_that_can(each))
        if each.feature and each.number < _FIRST_NUMBER[each.feature]:
            raise ToolchainError(
                f"{cannot}there is code with {each.feature!r} for sm_{_FIRST_NUMBER[each.feature]} and later; "
                f"leave the letter off: {each.kind}_{each.number}"
            )
        if each.feature == "f" and Version(version) < Version(_FIRST_WITH_FAMILIES):
            raise ToolchainError(f"{cannot}code for a family there is from CUDA {_FIRST_WITH_FAMILIES} on")


_FIRST_NUMBER = {"a": 90, "f": 100}
"""The first architecture that has features of its own, and the first that has some in common with its family."""
_FIRST_WITH_FAMILIES = "12.9"
"""The CUDA release whose nvcc was the first to know families."""


def _first_that_can(gpu: Architecture) -> str:
    having = [release for release in releases() if gpu.number in release.gpus]
    if having:
        return f"the first that can is {having[0].compute} (CUDA {having[0].version})"
    newest = releases()[-1]
    knows = ", ".join(f"sm_{number}" for number in newest.gpus)
    return f"none that can be laid out does; {newest.compute}, the newest, knows {knows}"


def compiled(requirements: str, *options: str, python: str, platform: str) -> str:
    """Return requirements as the index meets them now, with hashes; `options` are uv's. Raises CommandFailed."""
    with temporary() as folder:
        asked = folder / "requirements.in"
        asked.write_text(requirements, encoding="utf-8")
        machine = ["--python-platform", platform, "--python-version", python]
        words = ["--generate-hashes", "--no-header", "--no-annotate", *machine, *options]
        return uv("pip", "compile", *words, asked, stdout_only=True).output


@cache
def _read(path: Path) -> Release:
    text = path.read_text(encoding="utf-8")
    facts = dict(re.findall(r"^# (\w+): (.*)$", text, re.MULTILINE))
    return Release(
        compute=path.stem,
        version=facts["version"],
        gpus=tuple(int(number) for number in facts["gpus"].split()),
        pins=entries(text),
    )
