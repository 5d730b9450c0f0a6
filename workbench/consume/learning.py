"""What a wheel's own METADATA and libraries say: read from where it lies, and kept by its sha256."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from workbench.consume.build import Learnt
from workbench.consume.reading import read_through
from workbench.errors import SourceError, UsageError
from workbench.wheel.filename import parse_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from packaging.tags import Tag
    from packaging.version import Version

    from workbench.consume.cache import Cache
    from workbench.consume.logins import Logins
    from workbench.consume.offer import OfferedWheel
    from workbench.wheel.filename import WheelName
    from workbench.wheel.library_facts import LibraryFacts
    from workbench.wheel.wheel import Wheel

_MOST_LIBRARIES = 8
"""Libraries whose processor is looked at, until one is for the one that the name says."""


class LyingWheel(SourceError):
    """A wheel that is not what its name says, or not a whole one: no installer should get it, and no lock name it."""


def metadata_of(offer: OfferedWheel, cache: Cache, logins: Logins, *, offline: bool) -> bytes:
    """Return the METADATA of a wheel as it stands there: kept, from beside it (PEP 658), or from within it by ranges.

    Raises SourceError, also for what has another hash than the source's listing says, and LyingWheel.
    """
    known = _recalled(offer, cache)
    if isinstance(text := known.get("metadata"), str):
        return text.encode()
    _check_online(offer, offline=offline)
    facts: dict[str, object] = {}
    if (found := _beside(offer, logins)) is None:
        found, facts = _within(offer, logins)
    _keep(offer, cache, {"metadata": found.decode("utf-8", "replace"), **facts})
    return found


def check_wheel(offer: OfferedWheel, metadata: bytes, cache: Cache, logins: Logins, *, offline: bool) -> None:
    """Raise LyingWheel for a wheel that is not what its name says, by METADATA, its tags and its libraries.

    For the latter two a little of the wheel itself is read, unless that was done before, or `offline`; what its source
    tells of them does not count. Raises SourceError.
    """
    _of_metadata(metadata, offer)
    known = _recalled(offer, cache)
    if not isinstance(known.get("processors"), list) and not (offline or parse_wheel(offer.filename).pure):
        _, known = _within(offer, logins)
        _keep(offer, cache, known)
    _check_name(offer, known, None)


def facts_of(
    offer: OfferedWheel, cache: Cache, logins: Logins, *, deep: bool = False, offline: bool = False
) -> Learnt:
    """Return what a wheel says of itself; with `deep` its GPU code too, for which most of it is fetched.

    Raises SourceError.
    """
    facts = _of_metadata(metadata_of(offer, cache, logins, offline=offline), offer)
    # as it was read, so that a warm answer need not parse METADATA, whose libraries are slow to start
    _keep(offer, cache, {"requires": facts.requires_dist, "requires_python": facts.requires_python})
    known = _recalled(offer, cache)
    libraries = _libraries(offer, known)
    if deep and libraries is None:
        _check_online(offer, offline=offline)
        from workbench.wheel.library_facts import library_facts

        with _opened(offer, logins) as wheel:
            read = tuple(wheel.libraries())
        libraries = library_facts(
            (each.elf for each in read if each.elf), (each.gpu_code for each in read if each.gpu_code)
        )
        _keep(offer, cache, {"libraries": asdict(libraries)})
    _check_name(offer, known, libraries)
    return replace(facts, libraries=libraries)


def known_facts(offers: Sequence[OfferedWheel], cache: Cache) -> dict[tuple[str, str], Learnt]:
    """Return what is known already of some wheels, by their keys: kept, or told by their sources. Nobody is asked.

    What is not what its name says is not among them: `facts_of` refuses it.
    """
    found = {}
    for offer in offers:
        known = _recalled(offer, cache)
        requires, libraries = known.get("requires"), _libraries(offer, known)
        if offer.sha256 and (isinstance(requires, list) or libraries):
            try:
                _check_name(offer, known, libraries)
            except LyingWheel:
                continue
            found[offer.key] = Learnt(
                requires_dist=tuple(requires) if isinstance(requires, list) else None,
                requires_python=known.get("requires_python"),
                libraries=libraries,
            )
    return found


def _libraries(offer: OfferedWheel, known: Mapping[str, Any]) -> LibraryFacts | None:
    """Return what is known of a wheel's libraries: what was read of them, or else what its source tells."""
    plain = known.get("libraries")
    if plain is None and offer.libraries is None:
        return None
    import orjson

    from workbench.strict import Mismatch, parse
    from workbench.wheel.library_facts import LibraryFacts

    try:
        return parse(LibraryFacts, orjson.loads(offer.libraries or "") if plain is None else plain)
    except (Mismatch, ValueError):  # kept by another version of this program
        return None


def with_sha256(offer: OfferedWheel, logins: Logins) -> OfferedWheel:
    """Return an offer with its sha256: the whole file is read where its source does not tell. Raises SourceError."""
    if offer.sha256:
        return offer
    doing = "read {}, whose sha256 is not listed"
    sha256, size = read_through(offer.url, offer.filename, logins, doing=doing)
    if offer.size not in (None, size):
        raise SourceError(f"{offer.url}: {size} bytes came, and {offer.source} says {offer.size}")
    return replace(offer, sha256=sha256, size=size)


def _recalled(offer: OfferedWheel, cache: Cache) -> dict[str, Any]:
    return (cache.recall(offer.sha256) if offer.sha256 else None) or {}


def _keep(offer: OfferedWheel, cache: Cache, facts: Mapping[str, object]) -> None:
    if offer.sha256:
        cache.learn(offer.sha256, facts)


def _check_online(offer: OfferedWheel, *, offline: bool) -> None:
    if offline:
        raise UsageError(f"--offline: nothing is kept of {offer.filename}; run it once without --offline")


def _beside(offer: OfferedWheel, logins: Logins) -> bytes | None:
    """Return the file beside a wheel that has its METADATA; None where there is none, whatever was promised."""
    if offer.metadata_sha256 is None:
        return None
    from workbench.http import NoAnswer
    from workbench.simple.fetch import Fetcher, why

    url = f"{offer.url}.metadata"
    try:
        found = Fetcher().get(url, headers=logins.headers(url)).body
    except (NoAnswer, FileNotFoundError) as error:
        if isinstance(error, FileNotFoundError) or error.status in (403, 404):
            return None
        raise SourceError(f"{url}: {why(error)}") from error
    if offer.metadata_sha256 and hashlib.sha256(found).hexdigest() != offer.metadata_sha256:
        raise SourceError(f"{url}: its sha256 is not the one that {offer.source} lists")
    return found


@contextmanager
def _opened(offer: OfferedWheel, logins: Logins) -> Iterator[Wheel]:
    """Open a wheel where it lies. Raises SourceError, and LyingWheel for what is not a whole wheel."""
    from workbench.wheel.inspect import open_anywhere
    from workbench.wheel.stream import BadBinary
    from workbench.wheel.wheel import Wheel

    try:
        with open_anywhere(offer.url, logins.headers(offer.url), filename=offer.filename) as file:
            yield Wheel(file)
    except BadBinary as error:
        raise LyingWheel(f"{offer.url}: not a whole wheel: {error}") from error


def _within(offer: OfferedWheel, logins: Logins) -> tuple[bytes, dict[str, object]]:
    """Return the METADATA in a wheel, and what is held against its name.

    That are the tags in WHEEL, ``cp312-cp312``, and the processors of its libraries up to the first that the name says.
    """
    from workbench.wheel.metadata import read_tags

    with _opened(offer, logins) as wheel:
        lines = (line for line in wheel.text("WHEEL").decode(errors="replace").splitlines())
        tags = read_tags(line.partition(":")[2] for line in lines if line.startswith("Tag:"))
        facts: dict[str, object] = {"tags": sorted(_pairs(tags)), "processors": _processors(wheel, offer)}
        return wheel.text("METADATA"), facts


def _pairs(tags: Iterable[Tag]) -> set[str]:
    """Return the Pythons and ABIs of tags. Platforms are often renamed by hand, and processors tell more."""
    return {f"{tag.interpreter}-{tag.abi}" for tag in tags}


def _check_name(offer: OfferedWheel, known: Mapping[str, Any], told: LibraryFacts | None) -> None:
    """Raise LyingWheel for a wheel that is not what its name says, by what is known of it, or `told`."""
    processors, tags = known.get("processors"), known.get("tags")
    if processors is None and told:
        processors = told.processors
    if not processors and not tags:
        return
    from workbench.wheel.elf import MACHINES

    name = parse_wheel(offer.filename)
    if tags and not _pairs(name.tags).intersection(tags):
        raise LyingWheel(
            f"{offer.filename}: its WHEEL is for {', '.join(tags)}, whatever its name says; tell {offer.source}"
        )
    found, wanted = {each for each in processors or () if each in MACHINES.values()}, _processors_of(name)
    if wanted and found and not wanted & found:
        others = ", ".join(sorted(found))
        raise LyingWheel(
            f"{offer.filename}: its libraries are for {others}, whatever its name says; tell {offer.source}"
        )


def _processors(wheel: Wheel, offer: OfferedWheel) -> list[str]:
    name, found = parse_wheel(offer.filename), []
    if not name.pure:
        for _, machine in islice(wheel.machines(named=".so"), _MOST_LIBRARIES):
            found.append(machine)
            if machine in _processors_of(name):
                break
    return found


def _processors_of(name: WheelName) -> set[str]:
    from workbench.wheel.elf import PROCESSORS

    return {PROCESSORS[arch].name for arch in name.architectures if arch in PROCESSORS}


def _version(text: str) -> Version | None:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(text)
    except InvalidVersion:
        return None


def _of_metadata(text: bytes, offer: OfferedWheel) -> Learnt:
    from packaging.utils import canonicalize_name

    from workbench.wheel.metadata import BadMetadata, read_metadata

    try:
        raw, _ = read_metadata(text)
    except BadMetadata as error:
        raise LyingWheel(f"{offer.filename}: METADATA: {error}") from error
    name = parse_wheel(offer.filename)
    project, version = canonicalize_name(raw.get("name", "")), _version(raw.get("version", ""))
    same = version == name.version or (
        not name.version.local and version is not None and version.public == str(name.version)
    )
    if project != name.name or not same:
        said = f"{raw.get('name', 'nothing'):.60} {raw.get('version', ''):.60}"
        raise LyingWheel(
            f"{offer.filename}: its METADATA is of {said}, and installers refuse it; tell {offer.source}"
        )
    return Learnt(
        requires_dist=tuple(raw.get("requires_dist", ())), requires_python=raw.get("requires_python", "")
    )
