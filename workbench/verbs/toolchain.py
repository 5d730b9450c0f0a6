"""``toolchain`` and ``image``: what wheels are compiled with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from workbench import console
from workbench.plan.target import parse_arch
from workbench.toolchain import cuda

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.paths import Paths


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """A CUDA toolkit that is laid out: its folder, release, architecture, and the GPUs it compiles for."""

    cuda_home: str
    version: str
    arch: str
    gpu: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the plain form, for JSON."""
        return asdict(self)


def toolchain(compute: str, paths: Paths, *, arch: str, libraries: Sequence[str], check: bool) -> Toolchain:
    """Lay out the CUDA toolkit of a compute platform, or find it laid out; with `check` read every file of it.

    Raises UsageError for an architecture that there is no toolkit for; ToolchainError, ToolMissing.
    """
    arch = parse_arch(arch)
    home = cuda.lay_out(compute, arch, cache=paths.cache, components=libraries)
    if check:
        with console.step(f"read every file of {home}"):
            cuda.check(home)
    gpu = tuple(f"sm_{number}" for number in cuda.gpus_of(home))
    return Toolchain(cuda_home=str(home), version=cuda.version_of(home), arch=arch, gpu=gpu)


def report(found: Toolchain, *, json: bool) -> None:
    """Print where a toolkit is and what it can."""
    if json:
        console.answer_json(found.as_dict())
        return
    facts = [("CUDA_HOME", found.cuda_home), ("release", found.version), ("GPUs", " ".join(found.gpu))]
    console.answer_summary(f"CUDA {found.version} for {found.arch}", facts)
