"""Which of the wheels that fit is best, and what comes nearest where none does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from workbench.consume.torch import release_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.version import Version

    from workbench.consume.host import Host
    from workbench.consume.verdict import Judged, Reason

_LOWEST = "0.dev0"

_COST = {"torch": 1, "cuda": 2, "abi": 2, "python": 4, "glibc": 8, "gpu": 16, "platform": 32}
"""How hard it is to change what speaks against a wheel: another torch is soon installed, another machine is not."""
_NEVER = 64


def best(judged: Iterable[Judged]) -> tuple[Judged, ...]:
    """Return the wheels that fit, the best first, then those that are undecided, in the same order.

    The newest version comes first, whatever its local part: PEP 440 orders those as text. Of one version it is the
    wheel for the host's exact CUDA, then for its exact torch, then with the tags that pip takes first, then the one
    that was last updated.
    """
    ordered = [each for each in judged if each.outcome != "no"]
    ordered.sort(key=lambda each: each.offer.updated or "", reverse=True)
    ordered.sort(key=lambda each: each.preference)
    ordered.sort(key=_version, reverse=True)
    ordered.sort(key=lambda each: each.outcome != "fits")
    return tuple(ordered)


def cost(reasons: Iterable[Reason]) -> int:
    """Return how hard it is to change all that speaks against a wheel; a name or a version cannot be changed."""
    return sum(_COST.get(reason.kind, _NEVER) for reason in reasons)


def _version(judged: Judged) -> Version:
    from workbench.consume.judge import version_or_none

    version = judged.version or version_or_none(_LOWEST)
    assert version is not None  # noqa: S101 - this one is valid
    return version


class Near(NamedTuple):
    """A wheel that does not fit, and what would have to be different: every reason has what it `needs`.

    `change` is that in words: ``torch 2.10 instead of 2.11.0``.
    """

    judged: Judged
    reasons: tuple[Reason, ...]
    change: str

    @property
    def single(self) -> bool:
        """Whether one change is enough."""
        return len(self.reasons) == 1


def nearest(judged: Iterable[Judged], host: Host) -> tuple[Near, ...]:
    """Return what comes nearest where nothing fits: the newest wheel for each change, the smallest change first.

    A wheel that nothing would make fit, such as one for Windows, is not among them.
    """
    found: dict[str, tuple[tuple[int, int, int], Near]] = {}
    for each in sorted((each for each in judged if each.outcome == "no"), key=_version, reverse=True):
        reasons = each.of("no")
        if not all(reason.needs and reason.kind in _COST for reason in reasons):
            continue
        near = Near(each, reasons, ", ".join(_change(reason, host) for reason in reasons))
        effort = len(reasons), cost(reasons), _distance(reasons, host)
        known = found.get(near.change)
        if known is None or (
            known[1].judged.version == each.version and each.preference < known[1].judged.preference
        ):
            found[near.change] = effort, near
    return tuple(near for _, near in sorted(found.values(), key=lambda pair: pair[0]))


def _change(reason: Reason, host: Host) -> str:
    has = {
        "--torch": ("torch", host.torch),
        "--cuda": ("CUDA", (host.compute or "").removeprefix("cu")),
        "--python": ("Python", host.python),
        "--glibc": ("glibc", host.glibc),
        "--gpu": ("a GPU of compute capability", ", ".join(gpu.capability for gpu in host.gpus or ())),
        "--arch": ("a machine of", host.arch),
        "--driver": ("driver", host.driver),
    }
    what, now = has[reason.flag]
    if reason.flag == "--cuda":
        if not now and host.driver == "":
            now = "none"
        elif now and now.isdecimal():
            now = f"{now[:2]}.{now[2:]}".rstrip(".")
    return f"{what} {reason.needs}{f' instead of {now}' if now else ''}"


def _distance(reasons: Iterable[Reason], host: Host) -> int:
    """Return how many minor releases the torch is away that would be needed; a newer one counts as nearer."""
    for reason in reasons:
        if reason.kind == "torch" and host.torch:
            ours, theirs = release_numbers(host.torch), release_numbers(reason.needs)
            apart = (theirs[0] - ours[0]) * 100 + theirs[1] - ours[1]
            return 2 * abs(apart) - (apart > 0)
    return 0
