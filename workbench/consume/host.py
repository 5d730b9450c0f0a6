"""What a wheel is to run on: a project's Python, its torch, the driver and the GPUs, as far as they are known.

The form in JSON is what ``gw detect --json`` prints and ``--machine`` reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench.text import minor

NOT_INSTALLED = ""
"""What `Host.torch` is where it is known that there is none; None is for a fact that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU, with its compute capability, ``12.1``, and its memory in bytes: None where it shares the machine's."""

    name: str
    capability: str
    memory: int | None = None

    @property
    def number(self) -> int:
        """The compute capability without its point: 121."""
        return int(self.capability.replace(".", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Facts about a machine and a project on it. None is always "not known", which is not the same as "none".

    `python` is ``3.12.4`` or ``3.12``, with a ``t`` where it is free-threaded, and `interpreter` its path. `arch` is
    ``uname -m``'s word, `glibc` ``2.39``, or "" where the C library is another. `torch` is the installed version
    without its local part (``2.11.0``), or `NOT_INSTALLED`, and `torch_local` that part (``cu130``), "" where it has
    none; `compute` is what that torch was built for, ``cu130``,
    ``cpu``, ``rocm6.4`` or ``xpu``, or what was asked for in its place: ``cu13`` is any CUDA 13. `cxx11_abi` says
    which of libstdc++'s ABIs that torch has. `driver` is the driver's version (``580.95.05``, or ``580`` where it
    was given) and `driver_cuda` the newest CUDA that it knows (``13.0``); both are "" where there is
    no driver. `gpus` is empty where there is none. `memory` is in bytes. `origins` says where each fact comes from:
    ``given``, ``libcuda``, ``nvidia-smi``, a file.
    """

    python: str | None = None
    interpreter: str | None = None
    arch: str | None = None
    glibc: str | None = None
    torch: str | None = None
    torch_local: str | None = None
    compute: str | None = None
    cxx11_abi: bool | None = None
    driver: str | None = None
    driver_cuda: str | None = None
    gpus: tuple[Gpu, ...] | None = None
    cpus: int | None = None
    memory: int | None = None
    origins: dict[str, str] = field(default_factory=dict)

    @property
    def python_minor(self) -> str:
        """The minor release of its Python, ``3.12``, without the ``t`` of a free-threaded one; "" where not known."""
        return minor((self.python or "").removesuffix("t"))
