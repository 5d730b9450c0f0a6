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

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from workbench.plan.gpu import LTO, PTX, SASS, Architecture

if TYPE_CHECKING:
    from workbench.wheel.gpu_code import GpuCode


def lacking(asked: Iterable[Architecture], files: Sequence[GpuCode]) -> Iterator[tuple[str, str]]:
    """Yield each file that has no code for an architecture that was asked for, and what would serve instead.

    Where no file has any GPU code, each architecture is missing from the whole: from the file "".
    """
    wanted = sorted(set(asked))
    for file in files:
        loadable = file.loadable
        for each in wanted:
            if each not in loadable:
                yield file.path, _instead(each, file, loadable)
    if not files:
        for each in wanted:
            yield "", f"no {each}: there is no GPU code at all"


def serves(code: Architecture, gpu: int) -> bool:
    """Say whether a GPU of compute capability `gpu` (121) can come to run this code."""
    if code.kind == LTO:
        return False
    if code.feature == "a":
        return code.number == gpu
    if code.feature == "f" or code.kind == SASS:
        return code.major == gpu // 10 and code.minor <= gpu % 10
    return code.number <= gpu


def _instead(asked: Architecture, file: GpuCode, loadable: Sequence[Architecture]) -> str:
    running = [code for code in loadable if serves(code, asked.number)]
    machine = [code for code in running if code.kind == SASS]
    if machine:
        by = max(machine, key=lambda code: (code.number, code.feature))
        return f"no {asked}; {by} runs there, {_difference(by, asked)}"
    if running:  # what runs and is not machine code is PTX
        return (
            f"no {asked}; the driver would compile {max(running)} when it is first loaded, which takes seconds to "
            "minutes, and a driver at least as new as the CUDA that wrote it"
        )
    if any(code.architecture == asked for code in file.at("relocatable")):
        return f"{asked} is there only as code that was still to be linked, which nothing loads"
    found = f"it has {', '.join(map(str, loadable))}" if loadable else "it has no code that can be loaded"
    return f"no {asked}, and nothing that runs there: {found}"


def _difference(by: Architecture, asked: Architecture) -> str:
    if asked.kind == PTX:
        return "but is machine code: unlike PTX it does not run on GPUs of a later major number"
    if by.number < asked.number:
        return f"but was made for compute capability {by.major}.{by.minor}"
    if asked.feature:
        return f"without the features of {asked}"
    return "and on no other architecture" if by.feature == "a" else "and on its family"
