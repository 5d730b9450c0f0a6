"""Whether GPU code serves an architecture. Nothing here reads a file.

The rules are CUDA's (its C++ programming guide, "Binary Compatibility" and "PTX Compatibility", and nvcc's
manual on architecture-specific and family-specific features):

- machine code runs on its own architecture and on those of the same major number with a higher minor one:
  ``sm_120`` on an sm_121 GPU;
- ``a`` code, machine code and PTX alike, runs on its own architecture and on no other;
- ``f`` code runs like plain machine code, within its family; no family crosses a major number;
- plain PTX is compiled by the driver for its own and any later architecture, of whatever major number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.plan.gpu import LTO, PTX, SASS, Architecture

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workbench.wheel.fatbin import GpuCode

Verdict = Literal["present", "runs", "jit", "missing"]
"""The code that was asked for is there; other machine code runs; the driver compiles PTX; nothing runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What one file has for one architecture that was asked for.

    `by` is the architecture whose code would run, None where `verdict` is ``missing``. `path` is the file's,
    and empty where there is no file with GPU code at all.
    """

    asked: Architecture
    path: str
    verdict: Verdict
    by: Architecture | None
    explanation: str


def coverage(asked: Iterable[Architecture], files: Sequence[GpuCode]) -> tuple[Coverage, ...]:
    """Judge every file with GPU code by every architecture that was asked for.

    Where no file has any, each architecture is missing from the whole.
    """
    wanted = sorted(set(asked))
    if not files:
        why = "there is no GPU code at all"
        return tuple(
            Coverage(asked=each, path="", verdict="missing", by=None, explanation=f"no {each}: {why}")
            for each in wanted
        )
    return tuple(_judge(each, file) for file in files for each in wanted)


def serves(code: Architecture, gpu: int) -> bool:
    """Say whether a GPU of compute capability `gpu` (121) can come to run this code."""
    if code.kind == LTO:
        return False
    if code.feature == "a":
        return code.number == gpu
    if code.feature == "f" or code.kind == SASS:
        return code.major == gpu // 10 and code.minor <= gpu % 10
    return code.number <= gpu


def _judge(asked: Architecture, file: GpuCode) -> Coverage:
    loadable = file.loadable
    running = [code for code in loadable if serves(code, asked.number)]
    machine = [code for code in running if code.kind == SASS]
    verdict: Verdict = "missing"
    by = None
    if asked in loadable:
        verdict, by, why = "present", asked, f"{asked} is there"
    elif machine:
        verdict, by = "runs", max(machine, key=lambda code: (code.number, code.feature))
        why = f"no {asked}; {by} runs there, {_difference(by, asked)}"
    elif running:  # what runs and is not machine code is PTX
        verdict, by = "jit", max(running)
        why = (
            f"no {asked}; the driver would compile {by} when it is first loaded, which takes seconds to "
            "minutes, and a driver at least as new as the CUDA that wrote it"
        )
    elif any(code.architecture == asked for code in file.at("relocatable")):
        why = f"{asked} is there only as code that was still to be linked, which nothing loads"
    else:
        found = f"it has {', '.join(map(str, loadable))}" if loadable else "it has no code that can be loaded"
        why = f"no {asked}, and nothing that runs there: {found}"
    return Coverage(asked=asked, path=file.path, verdict=verdict, by=by, explanation=why)


def _difference(by: Architecture, asked: Architecture) -> str:
    if asked.kind == PTX:
        return "but is machine code: unlike PTX it does not run on GPUs of a later major number"
    if by.number < asked.number:
        return f"but was made for compute capability {by.major}.{by.minor}"
    if asked.feature:
        return f"without the features of {asked}"
    return "and on no other architecture" if by.feature == "a" else "and on its family"
