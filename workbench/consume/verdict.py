"""A verdict on one wheel, with its reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.version import Version

    from workbench.consume.offer import OfferedWheel

Outcome = Literal["fits", "no", "undecided"]
Kind = Literal["filename", "version", "yanked", "python", "platform", "glibc", "cuda", "torch", "abi", "gpu"]

FARTHEST = 9
"""How near a CUDA or a torch is that is not the host's at all."""


class Reason(NamedTuple):
    """One thing that speaks for or against a wheel, or leaves it open.

    `text` is a sentence for people, without its full stop. Where the outcome is ``undecided``, `missing` names the
    fact: a field of `Host`, ``metadata`` or ``gpu code``. `flag` is what gives it (``--torch``); where the outcome is
    ``no`` it is what would have to be different, and `needs` the value with which this would be no reason any more.
    """

    kind: Kind
    outcome: Outcome
    text: str
    missing: str = ""
    flag: str = ""
    needs: str = ""


class Preference(NamedTuple):
    """What orders wheels of the same version that all fit, the best first."""

    cuda: int = 0
    torch: int = 0
    tags: tuple[int, int] = (0, 0)


class Judged(NamedTuple):
    """A wheel, whether it fits, and why. `version` is None where its filename says none that is valid."""

    offer: OfferedWheel
    outcome: Outcome
    reasons: tuple[Reason, ...]
    version: Version | None = None
    preference: Preference = Preference()

    def of(self, outcome: Outcome) -> tuple[Reason, ...]:
        """Return the reasons with an outcome."""
        return tuple(reason for reason in self.reasons if reason.outcome == outcome)


def worst(reasons: Iterable[Reason]) -> Outcome:
    """Return the outcome of some reasons together: one that says no is enough, then one that is open."""
    found: Outcome = "fits"
    for reason in reasons:
        if reason.outcome == "no":
            return "no"
        if reason.outcome == "undecided":
            found = "undecided"
    return found
