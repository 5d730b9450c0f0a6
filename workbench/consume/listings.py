"""What all sources offer of a package: from the cache where that is fresh, else asked for, several at once.

A source that fails hides no other: what went wrong is returned beside what the others offer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.consume.offer import OfferedWheel
from workbench.consume.sources import name_of_files, places, sources_for
from workbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workbench.consume.cache import Cache, KeptFile
    from workbench.consume.host import Host
    from workbench.consume.sources import Place, WheelSource

FRESH = 600.0
"""Seconds for which what a source said is not asked for again."""

MOST_PAGES = 100
"""Pages of releases that are read of one repository: GitHub has 10,000 releases at most."""

STREAMS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTrouble:
    """Something that went wrong at a source, as a sentence; `url` is the address, without a login.

    `kind` is ``failed`` where something could not be asked or read, so that nobody knows what it has; ``fact`` where it
    was not asked for lack of a fact; ``left out`` where something that it lists was passed over.
    """

    source: str
    url: str
    what: str
    kind: Literal["failed", "fact", "left out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """That a source answered: at which address, with how many files, how many seconds ago (0: just now)."""

    source: str
    url: str
    files: int
    age: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """The wheels that sources offer of a package, who answered, and what went wrong.

    Each wheel is there once for its source and sha256: `repeated` are those that were left out because the same
    file, newer, is in another place of the same source.
    """

    wheels: tuple[OfferedWheel, ...] = ()
    answered: tuple[Answered, ...] = ()
    troubles: tuple[SourceTrouble, ...] = ()
    repeated: tuple[OfferedWheel, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one place said of a package, the oldest of it `age` seconds ago.

    `failed` says why it did not answer, or not to its end, and `left_out` what of its answer was not taken: sentences.
    """

    place: Place
    rows: tuple[KeptFile, ...] = ()
    age: float = 0.0
    failed: str = ""
    left_out: tuple[str, ...] = ()


def offers(
    project: str,
    sources: Iterable[WheelSource],
    host: Host,
    *,
    cache: Cache,
    offline: bool = False,
    refresh: bool = False,
    everywhere: bool = False,
) -> Offers:
    """Return what sources offer of a package for a host.

    What the cache has is used for `FRESH` seconds; with `offline` however old it is, and nobody is asked; with
    `refresh` everybody is. `everywhere` looks in the folders for every CUDA and torch, not the host's alone.
    """
    sources = tuple(sources)
    found: list[Place] = []
    troubles: list[SourceTrouble] = []
    for source in sources_for(project, sources):
        try:
            found += places(source, project, host, everywhere=everywhere)
        except UsageError as error:
            troubles.append(SourceTrouble(source=source.name, url=source.url, what=str(error), kind="fact"))
    told: list[Told | None] = [
        _without_asking(place, project, cache, offline=offline, refresh=refresh) for place in found
    ]
    if asked := [place for place, known in zip(found, told, strict=True) if known is None]:
        from workbench.consume.asking import ask_all  # requests costs several times what Python's start does

        answers = iter(ask_all(asked, project, sources, cache=cache, refresh=refresh))
        told = [next(answers) if known is None else known for known in told]
    return _together([each for each in told if each is not None], troubles)


def _without_asking(place: Place, project: str, cache: Cache, *, offline: bool, refresh: bool) -> Told | None:
    """Return what is known of a place without the network; None where it has to be asked."""
    if place.source.kind == "folder":
        from workbench.consume.folder import wheels_in

        return wheels_in(place, name_of_files(place.source, project))
    if refresh and not offline:
        return None
    rows: list[KeptFile] = []
    age, url, seen = 0.0, place.url, set[str]()
    failed = ""
    left_out: list[str] = []
    while url and url not in seen and (offline or not place.url.startswith("file:")):
        seen.add(url)
        page = cache.page(url, name_of_files(place.source, project))
        if page is None or not (offline or 0 <= page.age < FRESH):
            if not offline:
                return None
            failed = "nothing of it is in the cache, and --offline asks nobody"
            break
        rows += page.rows
        left_out += page.left_out
        age, url = max(age, page.age), page.next
    if not seen:
        return None
    return Told(place=place, rows=tuple(rows), age=age, failed=failed, left_out=tuple(left_out))


def _together(told: Sequence[Told], troubles: list[SourceTrouble]) -> Offers:
    wheels: dict[tuple[object, ...], OfferedWheel] = {}
    repeated: list[OfferedWheel] = []
    for each in told:
        source, url = each.place.source.name, each.place.url
        if each.failed:
            troubles.append(SourceTrouble(source=source, url=url, what=each.failed, kind="failed"))
        troubles += [
            SourceTrouble(source=source, url=url, what=what, kind="left out") for what in each.left_out
        ]
        for row in each.rows:
            wheel = OfferedWheel(
                source=source,
                hints=each.place.hints,
                filename=row.filename,
                url=row.url,
                sha256=row.sha256,
                size=row.size,
                updated=row.updated,
                requires_python=row.requires_python,
                metadata_sha256=row.metadata_sha256,
                yanked=row.yanked,
                libraries=row.libraries,
            )
            # without a hash, files of folders for different CUDAs are different files
            identity = (source, row.filename, row.sha256 or each.place.hints)
            other = wheels.setdefault(identity, wheel)
            if other is not wheel:
                newer, older = (
                    (wheel, other) if (wheel.updated or "") > (other.updated or "") else (other, wheel)
                )
                wheels[identity] = newer
                repeated.append(older)
    return Offers(
        wheels=tuple(wheels.values()),
        answered=tuple(
            Answered(source=each.place.source.name, url=each.place.url, files=len(each.rows), age=each.age)
            for each in told
            if not each.failed or each.rows
        ),
        troubles=tuple(troubles),
        repeated=tuple(repeated),
    )
