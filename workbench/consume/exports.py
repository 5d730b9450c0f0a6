"""Where no wheel fits: variables that make a build compile for this GPU alone, and a wish for a maintainer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import UsageError

if TYPE_CHECKING:
    from workbench.consume.host import Host

JOB = 4 << 30
"""Bytes that one nvcc with two threads takes, where nothing else is known of a package."""

_JOBS = {
    "flash-attn": 9 << 30,
    "flash-attn-3": 9 << 30,
    "xformers": 8 << 30,
    "vllm": 6 << 30,
    "natten": 8 << 30,
}
"""Bytes that one job takes where that is more: templates of many head dimensions in one file."""

_FORCED = {
    "causal-conv1d": "CAUSAL_CONV1D_FORCE_BUILD",
    "flash-attn": "FLASH_ATTENTION_FORCE_BUILD",
    "flash-attn-3": "FLASH_ATTENTION_FORCE_BUILD",
    "mamba-ssm": "MAMBA_FORCE_BUILD",
}
"""Builds that look for somebody's wheel first, and the variable that keeps them from it."""


def exports(package: str, host: Host) -> tuple[tuple[str, str], ...]:
    """Return the variables for a package's build on this host, in the order in which they are printed.

    With them uv compiles the package, also where it has a wheel, and in the project's environment: an isolated build
    has no torch, or another one than the project. Raises UsageError where the GPU is not known.
    """
    if not host.gpus:
        raise UsageError("no GPU is known to compile for: name its compute capability with --gpu 12.1")
    capabilities = sorted(
        {gpu.capability for gpu in host.gpus}, key=lambda each: tuple(map(int, each.split(".")))
    )
    digits = [each.replace(".", "") for each in capabilities]
    per_job = _JOBS.get(package, JOB)
    found = {
        "TORCH_CUDA_ARCH_LIST": ";".join(capabilities),
        "CUDAARCHS": ";".join(f"{each}-real" for each in digits),
        "FORCE_CUDA": "1",
        "MAX_JOBS": str(_most_jobs(host, per_job)),
        "NVCC_THREADS": "2",
        "UV_NO_BINARY_PACKAGE": package,
        "UV_NO_BUILD_ISOLATION": "1",
    }
    if package.startswith("flash-attn"):
        found["FLASH_ATTN_CUDA_ARCHS"] = ";".join(digits)
    if package in _FORCED:
        found[_FORCED[package]] = "TRUE"
    return tuple(found.items())


def _most_jobs(host: Host, per_job: int) -> int:
    by_memory = host.memory // per_job if host.memory else 1
    return max(1, min(by_memory, host.cpus or by_memory))


def wish(package: str, host: Host) -> tuple[str, str]:
    """Return the title and the text of an issue that asks a maintainer for a wheel."""
    facts = {
        "Python": host.python,
        "architecture": f"{host.arch}, glibc {host.glibc}" if host.arch and host.glibc else host.arch,
        "torch": f"{host.torch} ({host.compute})" if host.torch and host.compute else host.torch,
        "GPU": ", ".join(f"{each.name}, compute capability {each.capability}" for each in host.gpus or ()),
        "driver": f"{host.driver} (CUDA {host.driver_cuda})" if host.driver else None,
    }
    known = {name: fact for name, fact in facts.items() if fact}
    short = ", ".join(
        part
        for part in (
            f"Python {host.python}" if host.python else "",
            f"torch {host.torch}" if host.torch else "",
            host.compute or "",
            host.arch or "",
        )
        if part
    )
    lines = [f"- {name}: {fact}" for name, fact in known.items()]
    body = f"No published wheel of {package} fits this machine:\n\n" + "\n".join(lines)
    if host.gpus:
        code = ", ".join(f"sm_{gpu.number}" for gpu in host.gpus)
        body += f"\n\nIt would need GPU code that runs on {code}."
    return f"Wheel of {package} for {short}", body
