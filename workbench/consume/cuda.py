"""For which CUDA, ROCm or XPU a wheel is built, held against the project's torch and the driver.

The rules are CUDA's (its compatibility guide, "Minor Version Compatibility"): a driver runs the machine code of every
release of the CUDA that it is of, and of older ones; PTX only of those that it knows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workbench.consume.torch import required
from workbench.consume.verdict import FARTHEST, Reason
from workbench.text import minor
from workbench.wheel.local_version import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.consume.build import Learnt
    from workbench.consume.host import Host
    from workbench.wheel.local_version import LocalVersion

_OLDEST_DRIVER = {11: 450, 12: 525, 13: 580}
"""The oldest driver that runs the machine code of any release of a CUDA (CUDA's compatibility guide)."""

_CUDA = re.compile(r"cu(\d{2})(\d)?")
_LEGACY_CUDA = re.compile(r"cu([7-9])(\d)")
_RUNTIME = re.compile(r"nvidia-(?:cuda-runtime|cublas|cudnn|cuda-nvrtc|nccl)-cu(\d\d)\b")


def _cuda_numbers(compute: str) -> tuple[int, int | None] | None:
    """Return the CUDA of ``cu130``, (13, 0); of ``cu13`` (13, None); None for what is not a CUDA."""
    if match := _CUDA.fullmatch(compute) or _LEGACY_CUDA.fullmatch(compute):
        if int(match[1]) > 70:  # noqa: PLR2004 - cu92 is CUDA 9.2
            return int(match[1]) // 10, int(match[1]) % 10
        return int(match[1]), int(match[2]) if match[2] else None
    return None


def cuda_major(compute: str | None) -> int:
    """Return the major release of ``cu130`` or ``cu13``, 13; 0 of what is not a CUDA, or not known."""
    numbers = _cuda_numbers(compute or "")
    return numbers[0] if numbers else 0


def cuda_release(compute: str) -> str:
    """Return a CUDA as people write it: ``13.0``; "" where its minor release is not said."""
    numbers = _cuda_numbers(compute)
    return f"{numbers[0]}.{numbers[1]}" if numbers and numbers[1] is not None else ""


def _shown(compute: str) -> str:
    """Return what a build is for in words: ``CUDA 13.0``, ``CUDA 13``, ``the CPU``, ``ROCm 6.4``."""
    if numbers := _cuda_numbers(compute):
        return f"CUDA {numbers[0]}" if numbers[1] is None else f"CUDA {numbers[0]}.{numbers[1]}"
    return {"cpu": "the CPU", "xpu": "Intel's XPU"}.get(compute, compute.replace("rocm", "ROCm "))


def judge_cuda(compute: str, host: Host) -> tuple[list[Reason], int]:
    """Judge a wheel that says what it is built for. The number: how near it is to the host's, 0 is the very same."""
    if compute == UNKNOWN:
        text = "its local version says something of CUDA that cannot be read for sure"
        return [Reason("cuda", "undecided", text, "metadata", "--deep")], FARTHEST
    if host.compute is not None:
        return _by_torch(compute, host.compute, host)
    wheel = _cuda_numbers(compute)
    return _by_driver(wheel, compute, host) if wheel else ([_without_torch(compute, host)], 0)


def _by_torch(compute: str, wanted: str, host: Host) -> tuple[list[Reason], int]:
    """Judge a build by what the project's torch is built for, or by what was asked for in its place."""
    theirs = "what was asked for is" if host.origins.get("compute") == "given" else "the project's torch is"
    built = f"it is built for {_shown(compute)}"
    wheel, ours = _cuda_numbers(compute), _cuda_numbers(wanted)
    same = compute == wanted
    if not (same or (wheel and ours and wheel[0] == ours[0]) or _same_rocm(compute, wanted)):
        text = f"{built}; {theirs} for {_shown(wanted)}"
        return [Reason("cuda", "no", text, "", "--cuda", _flag_value(compute))], FARTHEST
    text = (
        f"{built}, as {theirs}"
        if same
        else f"{built}; {theirs} for {_shown(wanted)}, of the same major release"
    )
    near = 0 if same else 1 if not wheel or not ours or None in (wheel[1], ours[1]) else 2
    return [Reason("cuda", "fits", text), *(_driver(wheel, compute, host) if wheel else ())], near


def _flag_value(compute: str) -> str:
    """Return what ``--cuda`` would have to be: ``13.0``, ``13``, ``cpu``."""
    return cuda_release(compute) or compute.removeprefix("cu")


def _same_rocm(one: str, other: str) -> bool:
    """Say whether two ROCms have the same minor release: 6.4 and 6.4.1."""
    return one.startswith("rocm") and minor(one) == minor(other)


def _without_torch(compute: str, host: Host) -> Reason:
    """Judge a build for something else than CUDA where no torch says what the project computes on."""
    built = f"it is built for {_shown(compute)}"
    if host.driver or host.gpus:
        return Reason("cuda", "no", f"{built}; this machine has an NVIDIA driver", "", "--cuda", compute)
    if compute == "cpu" and host.driver == "":
        return Reason("cuda", "fits", f"{built}, and this machine has no NVIDIA driver")
    return Reason(
        "cuda", "undecided", f"{built}; what the project computes on is not known", "compute", "--cuda"
    )


def _by_driver(wheel: tuple[int, int | None], compute: str, host: Host) -> tuple[list[Reason], int]:
    """Judge a build for CUDA where neither a torch nor a person says for which."""
    built = f"it is built for {_shown(compute)}"
    if host.driver == "" and not host.driver_cuda:
        text = f"{built}; this machine has no NVIDIA driver and the project no torch for CUDA"
        return [Reason("cuda", "no", text, "", "--cuda", _flag_value(compute))], FARTHEST
    newest = _newest_major(host)
    if newest is None:
        text = f"{built}; neither the driver nor the CUDA of the project's torch is known"
        return [Reason("cuda", "undecided", text, "compute", "--cuda")], FARTHEST
    refused = _driver(wheel, compute, host)
    if any(reason.outcome == "no" for reason in refused):
        return refused, FARTHEST
    if wheel[0] != newest:
        text = f"{built}; the driver is of CUDA {newest}, and there is no torch that asks for another"
        return [Reason("cuda", "no", text, "", "--cuda", _flag_value(compute))], FARTHEST
    near = 0 if cuda_release(compute) == host.driver_cuda else 1 if wheel[1] is None else 2
    return [Reason("cuda", "fits", f"{built}, as the driver is"), *refused], near


def _newest_major(host: Host) -> int | None:
    """Return the major release of the newest CUDA that the driver knows."""
    if host.driver_cuda:
        return int(host.driver_cuda.split(".")[0])
    if host.driver:
        number = int(host.driver.split(".")[0])
        return max((major for major, oldest in _OLDEST_DRIVER.items() if oldest <= number), default=None)
    return None


def _driver(wheel: tuple[int, int | None], compute: str, host: Host) -> list[Reason]:
    """Return what the driver says to a CUDA; nothing where there is none, or nothing is known of it."""
    newest = _newest_major(host)
    if newest is None:
        return []
    named = f"driver {host.driver}" if host.driver else f"the driver, of CUDA {host.driver_cuda},"
    if wheel[0] > newest:
        oldest = _OLDEST_DRIVER.get(wheel[0])
        needs = f"it needs a driver for {_shown(compute)}, {oldest or 'a newer one'}{' or newer' if oldest else ''}"
        return [
            Reason(
                "cuda",
                "no",
                f"{needs}; this machine has {named.rstrip(',')}",
                "",
                "--driver",
                str(oldest or ""),
            )
        ]
    known = tuple(map(int, host.driver_cuda.split("."))) if host.driver_cuda else None
    if known and wheel[1] is not None and wheel > known:
        text = f"{named} is older than {_shown(compute)}: it runs its machine code but not its PTX"
        return [Reason("cuda", "fits", text)]
    return [Reason("cuda", "fits", f"{named} runs {_shown(compute)}")]


def judge_without_cuda(said: LocalVersion, facts: Learnt, *, pure: bool) -> tuple[list[Reason], int]:
    """Judge a wheel of which nothing says for which CUDA it is."""
    if facts.libraries and not facts.libraries.gpu_code:
        return [Reason("cuda", "fits", "it has no GPU code")], 1
    if pure and not said.torch:
        return [Reason("cuda", "fits", "it takes any platform: nothing in it is compiled")], 1
    if facts.requires_dist is None:
        text = "its name does not say for which CUDA it is"
        return [Reason("cuda", "undecided", text, "metadata", "--deep")], FARTHEST
    if required("torch", facts.requires_dist) is None:
        return [Reason("cuda", "fits", "neither its name nor its METADATA binds it to a CUDA or a torch")], 1
    text = "neither its name nor its METADATA says for which CUDA it is"
    return [Reason("cuda", "undecided", text, "gpu code", "--deep")], FARTHEST


def compute_required(requires_dist: Iterable[str]) -> str:
    """Return the CUDA whose runtime METADATA requires (``nvidia-cuda-runtime-cu12``), "" for none or several."""
    found = {match[1] for each in requires_dist if (match := _RUNTIME.match(each))}
    return f"cu{found.pop()}" if len(found) == 1 else ""
