"""What a wheel was built for, held against a host: CUDA, torch, C++ ABI, GPU code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from workbench.consume.cuda import compute_required, cuda_release, judge_cuda, judge_without_cuda
from workbench.consume.gpu_code import judge_gpu_code, judge_named_gpus
from workbench.consume.torch import judge_abi, judge_torch
from workbench.consume.verdict import FARTHEST

if TYPE_CHECKING:
    from workbench.consume.host import Host
    from workbench.consume.offer import Hints
    from workbench.consume.verdict import Reason
    from workbench.wheel.library_facts import LibraryFacts
    from workbench.wheel.local_version import LocalVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What is known of a wheel beside its name. None is not known.

    `requires_dist` and `requires_python` are METADATA's; the latter is "" where METADATA has none.
    """

    requires_dist: tuple[str, ...] | None = None
    requires_python: str | None = None
    libraries: LibraryFacts | None = None


class BuildVerdict(NamedTuple):
    """The reasons, and how near the CUDA and the torch are to the host's: 0 is the very same."""

    reasons: tuple[Reason, ...]
    cuda: int
    torch: int


NO_FACTS = Learnt()


def with_hints(said: LocalVersion, hints: Hints) -> LocalVersion:
    """Return what a local version says, with what its source says where it says nothing itself."""
    return said._replace(compute=said.compute or hints.compute, torch=said.torch or hints.torch)


def judge_build(said: LocalVersion, host: Host, facts: Learnt, *, pure: bool, every: bool) -> BuildVerdict:
    """Judge what a wheel was built for. `pure` is for one that takes any platform.

    Where not `every` reason is asked for, a torch that does not fit is enough.
    """
    torch, near_torch = judge_torch(said, facts, host)
    if not every and any(reason.outcome == "no" for reason in torch):
        return BuildVerdict(tuple(torch), FARTHEST, near_torch)
    libraries = facts.libraries
    compute = said.compute or (libraries and libraries.compute) or compute_required(facts.requires_dist or ())
    cuda, near_cuda = judge_cuda(compute, host) if compute else judge_without_cuda(said, facts, pure=pure)
    reasons = [*cuda, *torch]
    if said.cxx11_abi is not None:
        reasons.append(judge_abi(said.cxx11_abi, host))
    reasons += judge_named_gpus(said.gpus, host)
    if libraries and libraries.gpu_code:
        reasons += judge_gpu_code(libraries.gpu_code, libraries.toolkit or cuda_release(compute), host)
    return BuildVerdict(tuple(reasons), near_cuda, near_torch)
