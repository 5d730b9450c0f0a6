"""For which torch a wheel is built, and with which C++ ABI, held against the project's torch.

Extensions are bound to the minor release of the torch that they were compiled against, unless they use its stable ABI
alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workbench.consume.host import NOT_INSTALLED
from workbench.consume.verdict import FARTHEST, Reason
from workbench.wheel.local_version import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.consume.build import Learnt
    from workbench.consume.host import Host
    from workbench.wheel.local_version import LocalVersion

_NUMBERS = re.compile(r"\d+(?:\.\d+)*")
_WHOLE = 3
"""Numbers of a whole release: 2.11.0."""


def required(name: str, requires_dist: Iterable[str], python: str = "") -> str | None:
    """Return the specifiers that METADATA has for a project, "" for any version, None where it does not require it.

    What only an extra requires, or another Python than `python` (``3.12``), counts as not required.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    found = None
    for line in requires_dist:
        if not re.match(rf"{name}\b(?![-.])", line, re.IGNORECASE):
            continue
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        environment = {"extra": ""} | ({"python_version": python} if python else {})
        if requirement.marker is None or requirement.marker.evaluate(environment):
            found = ",".join(filter(None, (found, str(requirement.specifier))))
    return found


def judge_torch(said: LocalVersion, facts: Learnt, host: Host) -> tuple[list[Reason], int]:
    """Judge the torch of a wheel: METADATA's, or its name's. The number is as for CUDA."""
    pin = (
        required("torch", facts.requires_dist, host.python_minor) if facts.requires_dist is not None else None
    )
    if pin:
        asks = f"its METADATA requires torch {pin}"
    elif not said.torch:
        return [], 1
    elif said.torch == UNKNOWN:
        text = "its local version says something of torch that cannot be read for sure"
        return [Reason("torch", "undecided", text, "metadata", "--deep")], FARTHEST
    else:
        asks = f"it is built for torch {said.torch}{' and newer' if said.or_newer else ''}"
    if not host.torch:
        known = (
            "the project has no torch yet"
            if host.torch == NOT_INSTALLED
            else "the project's torch is not known"
        )
        return [Reason("torch", "undecided", f"{asks}; {known}", "torch", "--torch")], FARTHEST
    has = f"{asks}; the project has {host.torch}"
    return _by_metadata(pin, host.torch, has) if pin else _by_name(said, host.torch, has)


def _by_name(said: LocalVersion, torch: str, has: str) -> tuple[list[Reason], int]:
    wheel, ours = release_numbers(said.torch), release_numbers(torch)
    if said.or_newer:
        fits, near = ours >= wheel[: len(ours)], 0 if ours == wheel else 3
    else:
        fits, near = (
            wheel[:2] == ours[:2],
            0 if wheel == ours else 1 if min(len(wheel), len(ours)) < _WHOLE else 2,
        )
    if fits:
        return [Reason("torch", "fits", has)], near
    return [Reason("torch", "no", has, "", "--torch", said.torch)], FARTHEST


def _by_metadata(pin: str, torch: str, has: str) -> tuple[list[Reason], int]:
    from packaging.specifiers import SpecifierSet

    specifiers = SpecifierSet(pin)
    # of a torch that is named by X.Y alone, what holds of every patch release holds
    releases = (
        [torch] if len(release_numbers(torch)) >= _WHOLE else [f"{torch}.{patch}" for patch in range(10)]
    )
    admitted = [each for each in releases if specifiers.contains(each, prereleases=True)]
    if len(admitted) == len(releases):
        return [Reason("torch", "fits", has)], 0
    if admitted:
        return [Reason("torch", "undecided", has, "torch", "--torch", admitted[0])], FARTHEST
    pinned = re.search(r"===?\s*(\d[\d.]*\d)", pin)
    return [Reason("torch", "no", has, "", "--torch", pinned[1] if pinned else "")], FARTHEST


def release_numbers(release: str) -> tuple[int, ...]:
    """Return the numbers that a release begins with: (2, 9, 0) of ``2.9.0a0``."""
    match = _NUMBERS.match(release)
    return tuple(map(int, match[0].split("."))) if match else ()


def judge_abi(abi: bool, host: Host) -> Reason:
    """Judge the ABI of libstdc++ that a wheel is compiled for: the newer one, or the older."""
    words = {True: "the newer C++ ABI (cxx11abiTRUE)", False: "the older C++ ABI (cxx11abiFALSE)"}
    if host.cxx11_abi is None:
        text = f"it is compiled for {words[abi]}; which one the project's torch has is not known"
        flag = "--machine" if host.torch else "--torch"
        return Reason("abi", "undecided", text, "cxx11_abi", flag)
    if abi == host.cxx11_abi:
        return Reason("abi", "fits", f"it is compiled for {words[abi]}, as the project's torch is")
    return Reason("abi", "no", f"it is compiled for {words[abi]}; the project's torch has {words[not abi]}")
