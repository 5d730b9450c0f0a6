"""What a wheel is built for: Python × compute platform × torch × architecture × variant × glibc floor."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from workbench.arch import ARCHITECTURES
from workbench.errors import UsageError
from workbench.plan.gpu import can_be_asked_for, is_amd
from workbench.recipe.model import USUAL, VARIANT

if TYPE_CHECKING:
    from workbench.plan.axes import Axes

_PYTHON = re.compile(r"3\.(\d{1,2})(t?)")
_TORCH = re.compile(r"\d+\.\d+(\.\d+)?")
_COMPUTE = re.compile(r"cpu|cu\d{3}|rocm\d+\.\d+")
_GLIBC = re.compile(r"2\.\d{1,2}")

_DEFAULT_GPU = ("sm_121",)
"""GB10, the GPU of a DGX Spark: what a CUDA wheel is built for unless somebody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One cell of the matrix.

    `python` is X.Y, with a ``t`` where it is free-threaded (PEP 703), `arch` ``uname -m``'s word, `compute` ``cpu``,
    ``cu130`` or ``rocm6.4``; `torch` the release built against, or None. `gpu` are the GPU architectures: ``sm_121`` is
    machine code (SASS), ``compute_120`` PTX, ``gfx1151`` AMD's. `variant` is one that the recipe offers, or None.
    `glibc` is the oldest that the wheel must run with (``2.28``); None: whatever the build needs.
    """

    python: str
    arch: str
    compute: str = "cpu"
    torch: str | None = None
    gpu: tuple[str, ...] = ()
    variant: str | None = None
    glibc: str | None = None

    @property
    def python_version(self) -> str:
        """The Python's version alone, X.Y: what requirements and conditions are about."""
        return self.python.removesuffix("t")

    @property
    def cuda(self) -> str | None:
        """The CUDA release of a ``cuXYZ`` compute platform: ``13.0`` of ``cu130``."""
        digits = self.compute.removeprefix("cu")
        return f"{digits[:-1]}.{digits[-1]}" if self.compute.startswith("cu") else None

    def __str__(self) -> str:
        torch, glibc = self.torch and f"torch{self.torch}", self.glibc and f"glibc{self.glibc}"
        tag = f"cp{self.python.replace('.', '')}"
        return " ".join(filter(None, [tag, self.arch, self.compute, torch, self.variant, glibc]))


def this_arch() -> str:
    """Return this machine's architecture: ``x86_64``, ``aarch64``."""
    return platform.machine()


def parse_arch(text: str) -> str:
    """Return the one architecture that ``--arch`` names, this machine's where it is empty. Raises UsageError."""
    if text and text not in ARCHITECTURES:
        raise UsageError(f"--arch {text}: there are {', '.join(ARCHITECTURES)}")
    return text or this_arch()


def this_python() -> str:
    """Return the X.Y of the Python that runs the workbench."""
    return ".".join(platform.python_version_tuple()[:2])


def cross(axes: Axes) -> tuple[Target, ...]:
    """Return every cell of the matrix that the axes, spelled out, span, in their order. Raises UsageError."""
    pythons = parse_pythons(axes.python) if axes.python else (this_python(),)
    archs = _parse("--arch", axes.arch, ARCHITECTURES.__contains__, "x86_64 or aarch64") or (this_arch(),)
    computes = _parse("--compute", axes.compute, _COMPUTE.fullmatch, "cpu, cu130, rocm6.4 ...") or ("cpu",)
    torches = _parse("--torch", axes.torch, _TORCH.fullmatch, "a release: 2.11 or 2.11.0") or (None,)
    variants = _parse("--variant", axes.variant, VARIANT.fullmatch, "a variant's name") or (None,)
    glibcs = _parse("--glibc", axes.glibc, _GLIBC.fullmatch, "a glibc: 2.28, 2.34, 2.39") or (None,)
    gpus = {compute: _gpus_of(compute, parse_gpu(axes.gpu)) for compute in computes}
    return tuple(
        Target(
            python=python,
            arch=arch,
            compute=compute,
            torch=torch,
            gpu=gpus[compute],
            variant=None if variant == USUAL else variant,
            glibc=glibc,
        )
        for arch, compute, torch, variant, glibc, python in product(
            archs, computes, torches, variants, glibcs, pythons
        )
    )


def _gpus_of(compute: str, asked: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the GPU architectures asked for that a compute platform has. Raises UsageError."""
    if compute == "cpu":
        return ()
    amd = compute.startswith("rocm")
    if found := tuple(each for each in asked if is_amd(each) is amd):
        return found
    if not asked and not amd:
        return _DEFAULT_GPU
    said = f"none of --gpu {','.join(asked)} is one of its GPUs" if asked else "it has no default GPU"
    raise UsageError(
        f"--compute {compute}: {said}: name what to compile for: --gpu {'gfx1151' if amd else 'sm_121'}"
    )


def require_gpus_used(asked: str, targets: Sequence[Target]) -> None:
    """Raise UsageError where somebody asked (``--gpu``) for a GPU architecture that none of the targets has."""
    used = {gpu for target in targets for gpu in target.gpu}
    computes = ",".join(dict.fromkeys(target.compute for target in targets))
    for gpu in parse_gpu(asked):
        if gpu not in used:
            raise UsageError(
                f"--gpu {asked}: nothing is built for {gpu} with --compute {computes}: add "
                f"{'one of ROCm (rocm6.4)' if is_amd(gpu) else 'one of CUDA (cu130)'}, or leave {gpu} out"
            )


def parse_pythons(text: str) -> tuple[str, ...]:
    """Read ``3.10``, ``3.10,3.13t`` or ``3.10-3.13`` (both ends included) into Pythons, in order, once each.

    The free-threaded ones come last. Raises UsageError.
    """
    found: set[tuple[str, int]] = set()
    for part in text.split(","):
        ends = [_PYTHON.fullmatch(end.strip()) for end in part.split("-")]
        first, last = ends[0], ends[-1]
        if len(ends) > 2 or not first or not last or first[2] != last[2]:  # noqa: PLR2004 - a range has two ends
            raise UsageError(
                f"--python {text}: {part!r} is neither a version (3.12, or 3.13t for a free-threaded one) nor a range "
                "(3.10-3.13)"
            )
        if int(first[1]) > int(last[1]):
            raise UsageError(f"--python {text}: the range {part!r} runs backwards")
        found.update((first[2], minor) for minor in range(int(first[1]), int(last[1]) + 1))
    return tuple(f"3.{minor}{threads}" for threads, minor in sorted(found))


def parse_gpu(text: str) -> tuple[str, ...]:
    """Read ``sm_121`` or ``sm_121,compute_120`` into GPU architectures; nothing into none. Raises UsageError."""
    expected = (
        "sm_121 (machine code), compute_120 (PTX, which newer GPUs run too), or AMD's gfx1151: name each GPU, as in "
        "sm_90,sm_121, for no recipe knows for which ones its source compiles"
    )
    return _parse("--gpu", text, lambda one: can_be_asked_for(one) or is_amd(one), expected)


def _parse(option: str, text: str, fits: Callable[[str], object], expected: str) -> tuple[str, ...]:
    values = tuple(dict.fromkeys(part.strip() for part in text.split(","))) if text else ()
    for value in values:
        if not fits(value):
            raise UsageError(f"{option} {text}: {value!r} is not {expected}")
    return values
