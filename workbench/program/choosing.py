"""The commands that ask the sources: which wheel fits, why, what there is."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING, Any

from workbench import console
from workbench.consume.rank import cost
from workbench.consume.resolving import near_misses, requirement_of, version_of
from workbench.consume.resolving import resolve as resolved
from workbench.errors import NothingFits, SourceError, nearest
from workbench.events import note
from workbench.program.hosts import host_of
from workbench.program.places import places_of
from workbench.text import duration, file_size

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from workbench.consume.host import Host
    from workbench.consume.listings import SourceTrouble
    from workbench.consume.rank import Near
    from workbench.consume.resolving import Places, Resolution
    from workbench.consume.verdict import Judged, Reason

_MOST_SHOWN = 3
"""Changes that are named where nothing fits."""
MOST_LISTED, MOST_REFUSED = 20, 10
"""Wheels that fit or may fit, and wheels that do not, that ``why`` lists for a person."""


def resolve(asked: Namespace) -> int:
    """Print the wheel that fits, for each package."""
    host, places = host_of(asked), places_of(asked)
    found = find_all(asked.packages, asked, host, places)
    if asked.output:
        from workbench.program.pinning import pins_of, write_project

        check_all_fit(found, host, places, json=asked.json)
        write_project(pins_of(found, places), host, places, asked)
    if asked.json:
        console.answer_json(_plain_of(found, host))
    else:
        for each in found:
            show_choice(each, host, places)
    return _status_of(found)


def why(asked: Namespace) -> int:
    """Print every candidate with its verdict and the reasons."""
    host, places = host_of(asked), places_of(asked)
    found = find_all(asked.packages, asked, host, places, every=True)
    if asked.json:
        console.answer_json({"host": host, "packages": [_plain(each, host, every=True) for each in found]})
        return _status_of(found)
    for each in found:
        show_choice(each, host, places)
        _show_candidates(each, all_of_them=asked.all)
    return _status_of(found)


def available(asked: Namespace) -> int:
    """Print what the sources have of packages, for every CUDA, torch, Python and architecture."""
    from workbench.consume.available import available as cells_of
    from workbench.consume.judge import matching
    from workbench.consume.listings import offers
    from workbench.consume.names import group

    host, places = host_of(asked), places_of(asked)
    plain: dict[str, Any] = {}
    status = 0
    for requirement in [requirement_of(text) for text in asked.packages]:
        name = requirement.name
        offered = offers(
            name,
            places.sources,
            host,
            cache=places.cache,
            offline=places.offline,
            refresh=places.refresh,
            everywhere=True,
        )
        cells = cells_of(offered.wheels)
        if not cells:
            failed = any(trouble.kind == "failed" for trouble in offered.troubles)
            status = SourceError.exit_code if failed else status or NothingFits.exit_code
        fits = matching(group(offered.wheels), host, requirement)
        near = () if fits else near_misses(offered, requirement, host, {})[0]
        plain[name] = {
            "cells": [each._asdict() for each in cells],
            "nearest": _plain_near(near),
            "troubles": offered.troubles,
        }
        if not asked.json:
            console.answer(f"{name}: {'nothing' if not cells else ''}".rstrip())
            rows = [
                (each.compute or "-", each.torch or "-", each.python, each.arch, ", ".join(each.versions[:4]))
                for each in cells
            ]
            if rows:
                console.answer_table(("CUDA", "torch", "Python", "architecture", "versions"), rows)
            if cells and not fits:
                console.answer(f"{name}: none of them fits here")
            _show_near(near)
            show_troubles(offered.troubles)
    if asked.json:
        console.answer_json(plain)
    return status


def find_all(
    packages: Sequence[str], asked: Namespace, host: Host, places: Places, *, every: bool = False
) -> tuple[Resolution, ...]:
    """Resolve all packages of a line. Raises UsageError before any source is asked."""
    requirements = [requirement_of(text, pre=asked.pre) for text in packages]
    return tuple(resolved(each, host, places, every=every, deep=asked.deep) for each in requirements)


def _status_of(found: Sequence[Resolution]) -> int:
    """Return the exit status, which tells apart that nothing fits and that a source could not be asked."""
    without = [each for each in found if each.chosen is None]
    if not without:
        return 0
    return SourceError.exit_code if any(map(_could_not_ask, without)) else NothingFits.exit_code


def _could_not_ask(each: Resolution) -> bool:
    """Say whether it was not a fact or a wheel that was lacking, but a server: for all wheels, or for the best."""
    best = next(iter(each.ranked), None)
    failed = {trouble.url for trouble in each.troubles if trouble.kind == "failed"}
    return bool(failed) and (best is None or best.offer.url in failed)


def check_all_fit(found: Sequence[Resolution], host: Host, places: Places, *, json: bool) -> None:
    """Raise NothingFits, or SourceError where sources could not be asked, unless each package has a wheel.

    What was found of the others is printed before.
    """
    without = [each for each in found if each.chosen is None]
    if not without:
        return
    if json:
        console.answer_json(_plain_of(without, host))
    for each in () if json else without:
        show_choice(each, host, places)
    names = ", ".join(each.name for each in without)
    if _status_of(without) == SourceError.exit_code:
        raise SourceError(f"{names}: not every source could be asked; nothing was written or installed")
    raise NothingFits(f"{names}: no wheel fits for sure; nothing was written or installed")


def show_choice(each: Resolution, host: Host, places: Places) -> None:
    """Print what was found for one requirement."""
    if each.chosen:
        _show_fit(each, each.chosen)
    elif each.ranked:
        first = each.ranked[0]
        console.answer(f"? {each.name}: {len(each.ranked)} wheels may fit")
        for reason in first.of("undecided"):
            more = f"give it with {reason.flag}" if reason.flag else "'gw why' lists the reasons"
            console.answer(f"  {first.offer.filename}: {reason.text}; {more}")
    else:
        _show_none(each, host, places)
    if places.offline and each.offered.answered:
        console.answer(f"  nobody was asked: the oldest answer that was used is {_ages(each)} old")
    show_troubles(each.troubles)


def _show_fit(each: Resolution, one: Judged) -> None:
    offer = one.offer
    size = f", {file_size(offer.size)}" if offer.size else ""
    console.answer(f"✓ {each.name} {version_of(one)}\n  {offer.filename}\n  from {offer.source}{size}")
    if same := {
        other.source for other in each.offered.wheels if other.filename == offer.filename and other != offer
    }:
        others = ", ".join(sorted(same - {offer.source})) or "the same source"
        last = "; this is the one that was updated last" if offer.updated else ""
        console.answer(f"  a file of this name is also in {others}{last}")
    for reason in one.reasons:
        if reason.kind in ("cuda", "torch", "gpu", "abi"):
            console.answer(f"  {reason.text}")


def _show_none(each: Resolution, host: Host, places: Places) -> None:
    near, refused = near_misses(each.offered, each.requirement, host, each.facts)
    found = near or refused
    console.answer(f"✗ {each.name}: {'no wheel fits' if found else _none_could(each, places)}")
    _show_near(near)
    for one in () if near else refused[:_MOST_SHOWN]:
        console.answer(f"  {one.offer.filename}: {one.of('no')[0].text}")
    console.answer(f"  compile it for this GPU: gw add --build-missing {each.name}")
    console.answer(f"  ask its maintainer for it: gw request {each.name}")


def _show_near(near: Sequence[Near]) -> None:
    for change in near[:_MOST_SHOWN]:
        console.answer(f"  nearest: {change.change} ({change.judged.offer.filename})")


def _none_could(each: Resolution, places: Places) -> str:
    """Say why nothing comes near: no source has the package or the version, or its wheels are for other systems."""
    from packaging.version import Version

    from workbench.program.gpuwheels import COMMANDS
    from workbench.wheel.filename import wheel_name_or_none

    versions = {
        name.version for one in each.offered.wheels if (name := wheel_name_or_none(one.filename)) is not None
    }
    if not versions:
        if any(trouble.kind != "left out" for trouble in each.troubles):
            return "no source that answered has it"
        known = (package for source in places.sources for package in source.packages)
        return f"no source has it{nearest(each.name, [*COMMANDS, *known])}"
    if not any(each.requirement.specifier.contains(version, prereleases=True) for version in versions):
        public = sorted({Version(version.public) for version in versions}, reverse=True)
        return f"no source has {each.requirement.specifier}; there is {', '.join(map(str, public[:_MOST_SHOWN]))}"
    return "no source has a wheel that could fit"


def _ages(each: Resolution) -> str:
    """Say how old the answers are that nobody was asked for again."""
    return duration(max((one.age for one in each.offered.answered), default=0.0))


def show_troubles(troubles: Sequence[SourceTrouble]) -> None:
    """Tell of sources that did not answer, beside the answer."""
    for line in dict.fromkeys(f"{each.source}: {each.what}" for each in troubles):  # many folders, one reason
        note(line)


def _show_candidates(each: Resolution, *, all_of_them: bool) -> None:
    """Print the wheels with their verdicts: of those that fit the best, of the others those that nearly do."""
    refused = _refused(each.judged)
    most = len(refused) if all_of_them else MOST_REFUSED
    listed = each.ranked if all_of_them else each.ranked[:MOST_LISTED]
    shown = [*listed, *(one for one, _ in heapq.nsmallest(most, refused, key=lambda pair: cost(pair[1])))]
    if shown:
        rows = [(one.outcome, one.offer.filename, one.offer.source, _why(one)) for one in shown]
        console.answer("")
        console.answer_table(("verdict", "wheel", "source", "because"), rows)
    if len(shown) < len(each.ranked) + len(refused):
        kinds = Counter(reasons[0].kind for _, reasons in refused)
        told = ", ".join(f"{count} by {kind}" for kind, count in kinds.most_common())
        console.answer(f"{len(each.judged)} wheels in all; refused were {told} (--all lists them)")


def _refused(judged: Sequence[Judged]) -> list[tuple[Judged, tuple[Reason, ...]]]:
    return [(one, one.of("no")) for one in judged if one.outcome == "no"]


def _why(one: Judged) -> str:
    decisive = one.of(one.outcome)
    return "; ".join(dict.fromkeys(reason.text for reason in decisive))


def _plain_of(found: Sequence[Resolution], host: Host) -> dict[str, Any]:
    return {"host": host, "packages": [_plain(each, host) for each in found]}


def _plain(each: Resolution, host: Host, *, every: bool = False) -> dict[str, Any]:
    """Return the form in JSON (docs/consumer.md, "JSON")."""
    chosen = each.chosen
    outcome = "fits" if chosen else "undecided" if each.ranked else "no"
    near = () if each.ranked else near_misses(each.offered, each.requirement, host, each.facts)[0]
    candidates = [*each.ranked, *(one for one, _ in _refused(each.judged))]
    return {
        "name": each.name,
        "asked": str(each.requirement),
        "outcome": outcome,
        "chosen": _plain_wheel(chosen) if chosen else None,
        "undecided": [] if chosen else [_plain_wheel(one) for one in each.ranked],
        "candidates": [_plain_wheel(one) for one in candidates] if every else None,
        "nearest": _plain_near(near),
        "troubles": each.troubles,
    }


def _plain_near(near: Sequence[Near]) -> list[dict[str, str]]:
    return [{"change": one.change, "wheel": one.judged.offer.filename} for one in near]


def _plain_wheel(one: Judged) -> dict[str, Any]:
    offer = one.offer
    return {
        "outcome": one.outcome,
        "filename": offer.filename,
        "version": version_of(one) or None,
        "url": offer.url,
        "sha256": offer.sha256,
        "size": offer.size,
        "source": offer.source,
        "reasons": [reason._asdict() for reason in one.reasons],
    }
