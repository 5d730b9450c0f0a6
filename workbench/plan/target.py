"""What a wheel is built for: Python × compute platform × torch × architecture."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from workbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_PYTHON = re.compile(r"3\.\d{1,2}")
_TORCH = re.compile(r"\d+\.\d+(\.\d+)?")
_COMPUTE = re.compile(r"cpu|cu\d{3}|rocm\d+\.\d+")
_GPU = re.compile(r"(sm|compute)_\d{2,3}[af]?")

ARCHITECTURES = ("x86_64", "aarch64")

DEFAULT_GPU = ("sm_121",)
"""GB10, the GPU of a DGX Spark: what a CUDA wheel is built for unless somebody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One cell of the matrix.

    `python` is X.Y, `arch` ``uname -m``'s word, `compute` ``cpu``, ``cu130`` or ``rocm6.4``; `torch` the release
    built against, or None. `gpu` are the GPU architectures to compile for: ``sm_121`` is machine code (SASS),
    ``compute_120`` is PTX; empty without a GPU.
    """

    python: str
    arch: str
    compute: str = "cpu"
    torch: str | None = None
    gpu: tuple[str, ...] = ()

    @property
    def python_tag(self) -> str:
        """The Python tag of PEP 425, ``cp312``."""
        return f"cp{self.python.replace('.', '')}"

    @property
    def cuda(self) -> str | None:
        """The CUDA release of a ``cuXYZ`` compute platform: ``13.0`` of ``cu130``."""
        digits = self.compute.removeprefix("cu")
        return f"{digits[:-1]}.{digits[-1]}" if self.compute.startswith("cu") else None

    def __str__(self) -> str:
        torch = f" torch{self.torch}" if self.torch else ""
        return f"{self.python_tag} {self.arch} {self.compute}{torch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """The axes of a matrix, each as a person types it: a list ``a,b``, for Pythons also a range ``3.10-3.13``.

    An empty axis is this machine's own: its architecture, the workbench's Python, no GPU, no torch.
    """

    python: str = ""
    arch: str = ""
    compute: str = ""
    torch: str = ""
    gpu: str = ""


def this_arch() -> str:
    """Return this machine's architecture: ``x86_64``, ``aarch64``."""
    return platform.machine()


def this_python() -> str:
    """Return the X.Y of the Python that runs the workbench."""
    return ".".join(platform.python_version_tuple()[:2])


def cross(axes: Axes) -> tuple[Target, ...]:
    """Return every cell of the matrix that the axes span, in their order. Raises UsageError."""
    pythons = parse_pythons(axes.python) if axes.python else (this_python(),)
    archs = _parse("--arch", axes.arch, ARCHITECTURES.__contains__, "x86_64 or aarch64") or (this_arch(),)
    computes = _parse("--compute", axes.compute, _COMPUTE.fullmatch, "cpu, cu130, rocm6.4 ...") or ("cpu",)
    torches = _parse("--torch", axes.torch, _TORCH.fullmatch, "a release: 2.11 or 2.11.0") or (None,)
    gpu = parse_gpu(axes.gpu)
    return tuple(
        Target(
            python=python,
            arch=arch,
            compute=compute,
            torch=torch,
            gpu=() if compute == "cpu" else gpu or DEFAULT_GPU,
        )
        for arch, compute, torch, python in product(archs, computes, torches, pythons)
    )


def parse_pythons(text: str) -> tuple[str, ...]:
    """Read ``3.10``, ``3.10,3.12`` or ``3.10-3.13`` (both ends included) into X.Y versions, in order, once each.

    Raises UsageError.
    """
    minors: set[int] = set()
    for part in text.split(","):
        ends = [end.strip() for end in part.split("-")]
        if len(ends) > 2 or not all(_PYTHON.fullmatch(end) for end in ends):  # noqa: PLR2004 - a range has two ends
            raise UsageError(f"--python {text}: {part!r} is neither a version (3.12) nor a range (3.10-3.13)")
        first, last = (int(end.removeprefix("3.")) for end in (ends[0], ends[-1]))
        if first > last:
            raise UsageError(f"--python {text}: the range {part!r} runs backwards")
        minors.update(range(first, last + 1))
    return tuple(f"3.{minor}" for minor in sorted(minors))


def parse_gpu(text: str) -> tuple[str, ...]:
    """Read ``sm_121`` or ``sm_121,compute_120`` into GPU architectures; nothing into none. Raises UsageError."""
    return _parse("--gpu", text, _GPU.fullmatch, "sm_121 (machine code), compute_120 (PTX)")


def _parse(option: str, text: str, fits: Callable[[str], object], expected: str) -> tuple[str, ...]:
    values = tuple(dict.fromkeys(part.strip() for part in text.split(","))) if text else ()
    for value in values:
        if not fits(value):
            raise UsageError(f"{option} {text}: {value!r} is not {expected}")
    return values
