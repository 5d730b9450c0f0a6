"""From a requirement to the wheel that fits: asked of all sources, judged by name, and by METADATA where it decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.consume.judge import judge, judge_all, matching
from workbench.consume.learning import LyingWheel, facts_of, known_facts
from workbench.consume.listings import SourceTrouble, offers
from workbench.consume.names import group
from workbench.consume.rank import best, nearest
from workbench.consume.verdict import Reason
from workbench.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.requirements import Requirement

    from workbench.consume.build import Learnt
    from workbench.consume.cache import Cache
    from workbench.consume.host import Host
    from workbench.consume.listings import Offers
    from workbench.consume.logins import Logins
    from workbench.consume.offer import OfferedWheel
    from workbench.consume.rank import Near
    from workbench.consume.sources import WheelSource
    from workbench.consume.verdict import Judged

_MOST_LEARNT = 5
"""Front-runners whose METADATA is read: it refuses one now and then, and seldom several in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where wheels are looked for: the sources, the logins for them, and what is kept of them.

    `offline` asks nobody, `refresh` everybody.
    """

    sources: tuple[WheelSource, ...]
    logins: Logins
    cache: Cache
    offline: bool = False
    refresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What was found for one requirement: `ranked` are the wheels that fit, the best first, then the undecided ones.

    `judged` are all wheels that were judged, those that do not fit among them only where they were asked for. `facts`
    is what is known of wheels beside their names, by `OfferedWheel.key`.
    """

    requirement: Requirement
    offered: Offers
    judged: tuple[Judged, ...]
    ranked: tuple[Judged, ...]
    troubles: tuple[SourceTrouble, ...]
    facts: dict[tuple[str, str], Learnt]

    @property
    def name(self) -> str:
        """The normalised name."""
        from packaging.utils import canonicalize_name

        return canonicalize_name(self.requirement.name)

    @property
    def chosen(self) -> Judged | None:
        """The wheel that fits best; None where none does for sure."""
        first = next(iter(self.ranked), None)
        return first if first and first.outcome == "fits" else None


def version_of(judged: Judged) -> str:
    """Return a wheel's version with its local part; "" of what is not a wheel's name."""
    from workbench.wheel.filename import wheel_name_or_none

    name = wheel_name_or_none(judged.offer.filename)
    return str(name.version) if name else ""


def requirement_of(text: str, *, pre: bool = False) -> Requirement:
    """Return what a person asks for: ``flash-attn``, ``flash-attn>=2.8``. Raises UsageError."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        found = Requirement(text)
    except InvalidRequirement as error:
        raise UsageError(
            f"{text!r} is not a package: write NAME, NAME==VERSION or NAME>=VERSION (PEP 508)"
        ) from error
    if found.url or found.marker:
        raise UsageError(f"{text!r}: write a name and a version, without URL or marker")
    if pre:
        found.specifier.prereleases = True
    return found


def name_of(text: str) -> str:
    """Return the normalised name in what a person asks for. Raises UsageError."""
    from packaging.utils import canonicalize_name

    return canonicalize_name(requirement_of(text).name)


def resolve(
    requirement: Requirement, host: Host, places: Places, *, every: bool = False, deep: bool = False
) -> Resolution:
    """Return which wheels fit a requirement on a host.

    With `every`, those that do not fit are judged too, with all their reasons. METADATA is read of the front-runners
    until one fits, and with `deep` their GPU code. Whatever cannot be read is among the troubles.
    """
    offered = offers(
        requirement.name,
        places.sources,
        host,
        cache=places.cache,
        offline=places.offline,
        refresh=places.refresh,
    )
    groups = group(offered.wheels)
    judged = (judge_all if every else matching)(groups, host, requirement)
    facts = known_facts([each.offer for each in judged if each.outcome != "no"], places.cache)
    judged = _judged_again(judged, host, requirement, facts)
    troubles = list(offered.troubles)
    for _ in range(_MOST_LEARNT):
        first = next(iter(best(judged)), None)
        if first is None or not _is_worth_asking(first, facts, deep=deep):
            break
        offer = first.offer
        try:
            learnt = facts_of(offer, places.cache, places.logins, deep=deep, offline=places.offline)
        except LyingWheel as error:  # the next one may be honest
            troubles.append(_trouble(offer, error, "left out"))
            judged = tuple(_refused(each, str(error)) if each.offer == offer else each for each in judged)
            continue
        except (SourceError, UsageError) as error:
            troubles.append(_trouble(offer, error, "failed"))
            break
        facts[offer.key] = learnt
        judged = _judged_again(judged, host, requirement, {offer.key: learnt})
    return Resolution(
        requirement=requirement,
        offered=offered,
        judged=judged,
        ranked=best(judged),
        troubles=tuple(troubles),
        facts=facts,
    )


def _trouble(offer: OfferedWheel, error: Exception, kind: Literal["failed", "left out"]) -> SourceTrouble:
    return SourceTrouble(source=offer.source, url=offer.url, what=str(error), kind=kind)


def _refused(judged: Judged, why: str) -> Judged:
    return judged._replace(outcome="no", reasons=(Reason("filename", "no", why), *judged.reasons))


def _judged_again(
    judged: tuple[Judged, ...], host: Host, requirement: Requirement, facts: dict[tuple[str, str], Learnt]
) -> tuple[Judged, ...]:
    """Return the verdicts with new ones on the wheels of which more is known now."""
    if not facts:
        return judged
    return tuple(
        judge(each.offer, host, requirement, known) if (known := facts.get(each.offer.key)) else each
        for each in judged
    )


def _is_worth_asking(first: Judged, facts: dict[tuple[str, str], Learnt], *, deep: bool) -> bool:
    """Say whether more can be learnt of a front-runner. Without its sha256, what is learnt could not be kept."""
    known = facts.get(first.offer.key)
    return bool(first.offer.sha256) and (
        known is None or known.requires_dist is None or (deep and known.libraries is None)
    )


def near_misses(
    offered: Offers, requirement: Requirement, host: Host, facts: Mapping[tuple[str, str], Learnt]
) -> tuple[tuple[Near, ...], tuple[Judged, ...]]:
    """Return what comes nearest where nothing fits, and the wheels that are refused for their build alone."""
    judged = judge_all(group(offered.wheels), host, requirement, facts)
    built = {"cuda", "torch", "abi", "gpu"}
    refused = [
        each for each in judged if each.outcome == "no" and {reason.kind for reason in each.of("no")} <= built
    ]
    return nearest(judged, host), tuple(refused)
