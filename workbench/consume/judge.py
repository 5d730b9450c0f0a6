"""Which wheels fit a host, and why: judged by groups, so that ten thousand names cost what some hundred do."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from workbench.consume.build import NO_FACTS, BuildVerdict, judge_build, with_hints
from workbench.consume.names import group, name_and_version
from workbench.consume.tags import TagVerdict, judge_tags, may_serve
from workbench.consume.verdict import Judged, Preference, Reason, worst
from workbench.wheel.local_version import parse_local

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.version import Version

    from workbench.consume.build import Learnt
    from workbench.consume.host import Host
    from workbench.consume.names import Groups, SameTags
    from workbench.consume.offer import OfferedWheel

Facts = Mapping[tuple[str, str], "Learnt"]
"""What is known of wheels beside their names, by `OfferedWheel.key`."""

_NOTHING: Facts = {}


def judge(offer: OfferedWheel, host: Host, requirement: Requirement, facts: Learnt | None = None) -> Judged:
    """Return the verdict on one wheel. `facts` is what is known of it beside its name."""
    known = {offer.key: facts} if facts else _NOTHING
    (judged,) = judge_all(group([offer]), host, requirement, known)
    return judged


def judge_all(
    groups: Groups, host: Host, requirement: Requirement, facts: Facts = _NOTHING
) -> tuple[Judged, ...]:
    """Return the verdict on every wheel, with all its reasons."""
    asked, builds = _Asked(requirement), _Builds(host, every=True)
    found: list[Judged] = []
    for same in groups:
        tags = judge_tags(same, same.requires_python, host)
        for local, offers in same.builds:
            verdicts = tags, builds.judge(local, same)
            for offer in offers:
                known = facts.get(offer.key) if facts else None
                found.append(
                    _one(offer, asked, builds.with_facts(local, same, known, tags) if known else verdicts)
                )
    return tuple(found)


def matching(
    groups: Groups, host: Host, requirement: Requirement, facts: Facts = _NOTHING
) -> tuple[Judged, ...]:
    """Return the verdicts on the wheels that fit or may fit. For the others no reasons are made."""
    asked, builds = _Asked(requirement), _Builds(host, every=False)
    found: list[Judged] = []
    for same in groups:
        if not may_serve(same.tags, host):
            continue
        tags = judge_tags(same, same.requires_python, host)
        refused = worst(tags.reasons) == "no"
        for local, offers in same.builds:
            if not (chosen := _chosen(offers, asked, facts if refused else None)):
                continue
            build = builds.judge(local, same)
            if worst(build.reasons) == "no" and not (chosen := _chosen(chosen, asked, facts)):
                continue
            for offer in chosen:
                known = facts.get(offer.key) if facts else None
                found.append(
                    _one(
                        offer, asked, builds.with_facts(local, same, known, tags) if known else (tags, build)
                    )
                )
    return tuple(each for each in found if each.outcome != "no")


def _chosen(offers: list[OfferedWheel], asked: _Asked, facts: Facts | None) -> list[OfferedWheel]:
    """Return the wheels of the project; where `facts` are given, those of which more is known than their names.

    Those may fit though their names say that they do not.
    """
    if facts is not None:
        return [offer for offer in offers if offer.key in facts] if facts else []
    if asked.has_file(offers[0].filename):  # and so have the others, nearly always: `_one` looks at each
        return offers
    return [offer for offer in offers if asked.has_file(offer.filename)]


class _Builds:
    """What wheels were built for, judged for one host, and each local version once."""

    def __init__(self, host: Host, *, every: bool) -> None:
        self._host = host
        self._every = every
        self._known: dict[tuple[str, bool, int], BuildVerdict] = {}

    def judge(self, local: str, same: SameTags) -> BuildVerdict:
        """Return the verdict on a local version."""
        key = local, same.pure, id(same.hints)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._judge(local, same, NO_FACTS, every=self._every)
        return found

    def with_facts(
        self, local: str, same: SameTags, facts: Learnt, tags: TagVerdict
    ) -> tuple[TagVerdict, BuildVerdict]:
        """Return the verdicts on a wheel of which more is known than its name."""
        if facts.requires_python is not None:
            tags = judge_tags(same, facts.requires_python, self._host)
        return tags, self._judge(local, same, facts, every=True)

    def _judge(self, local: str, same: SameTags, facts: Learnt, *, every: bool) -> BuildVerdict:
        said = with_hints(parse_local(local, same.hints.packing), same.hints)
        return judge_build(said, self._host, facts, pure=same.pure, every=every)


def _one(offer: OfferedWheel, asked: _Asked, verdicts: tuple[TagVerdict, BuildVerdict]) -> Judged:
    """Return the verdict on one wheel of a group, of which the tags and the build are judged."""
    tags, build = verdicts
    if not tags.audience:
        return Judged(offer, "no", tags.reasons)
    name, written = name_and_version(offer.filename)
    version = version_or_none(written)
    whole, text = version, written
    if asked.has_local:
        text = offer.filename.split("-", 2)[1]
        whole = version_or_none(text)
    reasons = (*asked.about(name, whole, text, offer.yanked), *tags.reasons, *build.reasons)
    preference = Preference(cuda=build.cuda, torch=build.torch, tags=tags.rank)
    return Judged(offer, worst(reasons), reasons, version, preference)


class _Asked:
    """A requirement: what it says of names and versions."""

    def __init__(self, requirement: Requirement) -> None:
        from packaging.utils import canonicalize_name

        self._canonical = canonicalize_name
        self._named: dict[str, bool] = {}
        self.name = canonicalize_name(requirement.name)
        self.specifier = requirement.specifier
        self.has_local = "+" in str(self.specifier)
        self.pinned = any(each.operator in ("==", "===") for each in self.specifier)
        self._known: dict[str, tuple[Reason, ...]] = {}

    def has_name(self, name: str) -> bool:
        """Say whether a name in a filename is the project's."""
        known = self._named.get(name)
        if known is None:
            known = self._named[name] = self._canonical(name) == self.name
        return known

    def has_file(self, filename: str) -> bool:
        """Say whether a file is named after the project."""
        return self.has_name(filename.partition("-")[0])

    def about(
        self, name: str, version: Version | None, written: str, yanked: str | None
    ) -> tuple[Reason, ...]:
        """Return what speaks against a name and a version; nothing where they are what was asked for."""
        if not self.has_name(name):
            return (Reason("filename", "no", f"it is a wheel of {name:.60}, not of {self.name}"),)
        found = self._known.get(written)
        if found is None:
            found = self._known[written] = self._version(version, written)
        if yanked is not None and not self.pinned:
            found += (Reason("yanked", "no", f"it was yanked{f': {yanked:.200}' if yanked else ''}"),)
        return found

    def _version(self, version: Version | None, written: str) -> tuple[Reason, ...]:
        if version is None:
            return (Reason("filename", "no", f"{written:.60} in its name is not a version (PEP 440)"),)
        if not self.specifier or self.specifier.contains(version, prereleases=True):
            if version.is_prerelease and not self.specifier.prereleases:
                return (
                    Reason(
                        "version", "no", f"{version} is a pre-release, which is taken only where one is named"
                    ),
                )
            return ()
        return (Reason("version", "no", f"{version} is not {self.specifier}"),)


@lru_cache(maxsize=16384)
def version_or_none(text: str) -> Version | None:
    """Return a version (PEP 440) as a filename has it, None for what is not one."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(text)
    except InvalidVersion:
        return None
