"""What a machine of a fleet offers, and which cells fit there. What a machine offers it says itself."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import __version__
from workbench.errors import ContainerError
from workbench.fleet.stored_wheels import WheelPlace
from workbench.make.assign import builder_named, can_cross, complete
from workbench.plan.target import this_arch
from workbench.strict import parse
from workbench.text import file_size

if TYPE_CHECKING:
    from workbench.make.request import Assigns
    from workbench.plan.draft import Draft
    from workbench.plan.plan import Builder, Plan
    from workbench.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineOffer:
    """What a machine offers: its architecture, processors, memory in bytes, GPUs, container engine and Pythons.

    `memory` is all that it has: a build waits there until enough of it is free. `version` is that of its workbench.
    `crosses`: it compiles for aarch64 on x86_64. `sees`: the cache is there.
    """

    host: str
    version: str
    arch: str
    cpus: int
    memory: int
    gpus: tuple[str, ...] = ()
    engine: str = ""
    pythons: tuple[str, ...] = ()
    crosses: bool = False
    sees: bool = True


def offer(place: str) -> str:
    """Return what this machine offers to whose wheels go to a place, both as JSON."""
    from workbench.builders.interpreter import pythons_here
    from workbench.container.engine import find_engine
    from workbench.memory.free import total

    engine = ""
    with suppress(ContainerError):
        engine = str(find_engine("auto").name)
    mine = MachineOffer(
        host=platform.node(),
        version=__version__,
        arch=this_arch(),
        cpus=len(os.sched_getaffinity(0)),
        memory=min(total(), _granted()),
        gpus=tuple(_gpus()),
        engine=engine,
        pythons=pythons_here(),
        crosses=can_cross("aarch64"),
        sees=parse(WheelPlace, json.loads(place)).is_here,
    )
    return json.dumps(asdict(mine))


def _granted() -> int:
    """Return the bytes that Slurm has granted to this job; only where it sets a limit does `total` see them."""
    return int(os.environ.get("SLURM_MEM_PER_NODE", "0")) << 20 or sys.maxsize


def _gpus() -> Iterable[str]:
    for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name == "Model":
                yield value.strip()


def why_not(plan: Plan, takes: int, there: MachineOffer, place: WheelPlace) -> str:
    """Return why a plan, whose build takes some bytes of memory, cannot be built on a machine; nothing if it can."""
    return _no_place(takes, there, place) or _no_means(plan, there)


def _no_place(takes: int, there: MachineOffer, place: WheelPlace) -> str:
    if there.version != __version__:
        return f"{there.host} has version {there.version} of the workbench, not {__version__}"
    if not there.sees:
        return f"{there.host} does not see {place}"
    if takes > there.memory:
        return f"{there.host} has {file_size(there.memory)} of memory, and the build takes {file_size(takes)}"
    return ""


def _no_means(plan: Plan, there: MachineOffer) -> str:
    target = plan.target
    match plan.builder:
        case "container" if not (there.engine and there.arch == target.arch):
            return f"{there.host} has no container engine for {target.arch}"
        case "cross" if not (there.crosses and there.arch != target.arch):
            return f"{there.host} has no cross compiler for {target.arch}"
        case "host" if there.arch != target.arch:
            return f"{there.host} is {there.arch}"
    if plan.builder != "container" and target.python not in there.pythons:
        return f"{there.host} has no Python {target.python}: it has {', '.join(there.pythons) or 'none'}"
    return ""


def fits_nowhere(plan: Plan, takes: int, offers: Sequence[MachineOffer], place: WheelPlace) -> str:
    """Return why no machine can build a plan, each machine's reason; nothing if one can."""
    reasons = [why_not(plan, takes, each, place) for each in offers]
    if not all(reasons):
        return ""
    return f"it fits nowhere: {'; '.join(dict.fromkeys(reasons))}"


def assigned_to(offers: Sequence[MachineOffer]) -> Assigns:
    """Return what says who of some machines builds a draft, as `assign` says it for this one."""

    def assign(draft: Draft, wanted: str, settings: Settings) -> Plan:
        builder, why = _choose(draft, wanted, offers)
        return complete(draft, builder, why, settings)

    return assign


def _choose(draft: Draft, wanted: str, offers: Sequence[MachineOffer]) -> tuple[Builder, str]:
    arch = draft.target.arch
    if named := builder_named(wanted):
        return named, "as asked"
    own = [each.host for each in offers if each.arch == arch]
    if draft.target.compute.startswith("rocm"):
        return "container", f"{draft.target.compute} is built in an image that has it"
    if own or not any(each.crosses and each.arch != arch for each in offers):
        return (
            "host",
            f"{arch} is the architecture of {', '.join(dict.fromkeys(own)) or 'no machine of the fleet'}",
        )
    return "cross", f"no machine of the fleet is {arch}, and some compile for it"
