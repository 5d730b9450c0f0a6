"""The GPU code of a wheel, as its name or its files have it, held against the GPUs of a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.consume.torch import release_numbers
from workbench.consume.verdict import Reason

if TYPE_CHECKING:
    from workbench.consume.host import Host
    from workbench.wheel.library_facts import FileCode


def judge_named_gpus(named: tuple[str, ...], host: Host) -> list[Reason]:
    """Judge a build whose local version names GPUs (``sm_89``): there is code for these alone."""
    if not named:
        return []
    from workbench.plan.gpu import Architecture
    from workbench.wheel.coverage import serves

    built = f"it is built for {', '.join(named)}"
    if not host.gpus:
        known = "this machine has no GPU" if host.gpus == () else "this machine's GPU is not known"
        return [Reason("gpu", "undecided", f"{built}; {known}", "gpus", "--gpu")]
    code = [Architecture.parse(name) for name in named]
    served = [gpu for gpu in host.gpus if any(serves(each, gpu.number) for each in code)]
    ours = ", ".join(f"{gpu.name} ({gpu.capability})" for gpu in served or host.gpus)
    if not served:
        needs = f"{code[0].major}.{code[0].minor}"
        return [Reason("gpu", "no", f"{built}, which does not run on {ours}", "", "--gpu", needs)]
    return [Reason("gpu", "fits", f"{built}, which runs on {ours}")]


def judge_gpu_code(files: tuple[FileCode, ...], toolkit: str, host: Host) -> list[Reason]:
    """Judge the GPU code that was found in a wheel, for each kind of GPU that the host has."""
    if not host.gpus:
        known = "this machine has no GPU" if host.gpus == () else "this machine's GPU is not known"
        return [Reason("gpu", "undecided", f"it has GPU code; {known}", "gpus", "--gpu")]
    by_gpu = {gpu.number: f"{gpu.name} ({gpu.capability})" for gpu in host.gpus}
    found = [_for_gpu(files, toolkit, number, name, host) for number, name in by_gpu.items()]
    fitting = [reason for reason in found if reason.outcome == "fits"]
    return fitting or found


def _for_gpu(files: tuple[FileCode, ...], toolkit: str, gpu: int, name: str, host: Host) -> Reason:
    from workbench.plan.gpu import PTX, SASS, Architecture
    from workbench.wheel.coverage import serves

    machine, compiled, lacking = [], [], []
    for file in files:
        running = [code for text in file.architectures if serves(code := Architecture.parse(text), gpu)]
        if best := max((code for code in running if code.kind == SASS), default=None):
            machine.append(best)
        elif best := max((code for code in running if code.kind == PTX), default=None):
            compiled.append(best)
        else:
            lacking.append(file)
    if lacking:
        has = ", ".join(dict.fromkeys(each for file in lacking for each in file.architectures))
        if len(lacking) == len(files):
            return Reason("gpu", "no", f"nothing in it runs on {name}: it has {has}", "", "--gpu", "")
        which = ", ".join(file.path for file in lacking[:3])
        text = (
            f"{len(lacking)} of its {len(files)} files with GPU code have none that runs on {name}: {which}"
        )
        return Reason("gpu", "undecided", text, "which of its files the project uses")
    codes = ", ".join(dict.fromkeys(map(str, (*machine, *compiled))))
    if not compiled:
        return Reason("gpu", "fits", f"its {codes} runs on {name}")
    ptx = f"for {name} it has only PTX ({', '.join(dict.fromkeys(map(str, compiled)))})"
    return _ptx(ptx, toolkit, host.driver_cuda)


def _ptx(has: str, toolkit: str, driver_cuda: str | None) -> Reason:
    """Judge PTX: the driver compiles it where it knows the CUDA that wrote it."""
    if not toolkit:
        return Reason("gpu", "undecided", f"{has}, and which CUDA wrote it is not known", "toolkit", "--deep")
    if not driver_cuda:
        text = f"{has} of CUDA {toolkit}; the driver's CUDA is not known"
        return Reason("gpu", "undecided", text, "driver_cuda", "--driver")
    if release_numbers(toolkit) > release_numbers(driver_cuda):
        text = f"{has} of CUDA {toolkit}, which a driver of CUDA {driver_cuda} does not compile"
        return Reason("gpu", "no", text, "", "--driver")
    return Reason("gpu", "fits", f"{has}, which the driver compiles when it is first loaded")
