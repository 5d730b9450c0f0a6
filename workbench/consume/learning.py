"""What a wheel's own METADATA and libraries say: read from where it lies, and kept by its sha256."""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from workbench.consume.build import FileCode, Learnt
from workbench.consume.gpu_code import cuda_of_isa
from workbench.consume.reading import read_through
from workbench.errors import SourceError, UsageError
from workbench.wheel.filename import parse_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from packaging.version import Version

    from workbench.consume.cache import Cache
    from workbench.consume.logins import Logins
    from workbench.consume.offer import OfferedWheel
    from workbench.wheel.filename import WheelName
    from workbench.wheel.wheel import Library, Wheel

_CUDART = re.compile(r"lib(?:cudart|cublas|cublasLt|nvrtc)\.so\.(\d\d)")
"""Libraries whose number is CUDA's major version."""


MOST_LIBRARIES = 8
"""Libraries whose processor is looked at, until one is for the one that the name says."""


class LyingWheel(SourceError):
    """A wheel that is not what its name says, or not a whole one: no installer should get it, and no lock name it."""


def metadata_of(offer: OfferedWheel, cache: Cache, logins: Logins, *, offline: bool = False) -> bytes:
    """Return the METADATA of a wheel as it stands there: kept, from beside it (PEP 658), or from within it by ranges.

    Raises SourceError, also for what has another hash than the source's listing says, and LyingWheel.
    """
    known = _recalled(offer, cache)
    if isinstance(text := known.get("metadata"), str):
        return text.encode()
    _check_online(offer, offline=offline)
    facts: dict[str, object] = {}
    if (found := _beside(offer, logins)) is None:
        found, facts["processors"] = _within(offer, logins)
    _keep(offer, cache, {"metadata": found.decode("utf-8", "replace"), **facts})
    return found


def check_wheel(offer: OfferedWheel, metadata: bytes, cache: Cache, logins: Logins, *, offline: bool) -> None:
    """Raise LyingWheel for a wheel whose METADATA or libraries are not of what its name says.

    For its libraries a little of the wheel itself is read, unless that was done before, or `offline`.
    Raises SourceError.
    """
    from workbench.wheel.elf import MACHINES

    _of_metadata(metadata, offer)
    name = parse_wheel(offer.filename)
    known = _recalled(offer, cache).get("processors")
    if not isinstance(known, list):
        if offline or name.pure:
            return
        _, known = _within(offer, logins)
        _keep(offer, cache, {"processors": known})
    wanted = _processors_of(name)
    others = sorted({each for each in known if each in MACHINES.values()} - wanted)
    if wanted and others and not wanted.intersection(known):
        raise LyingWheel(
            f"{offer.filename}: its libraries are for {', '.join(others)}, whatever its name says; tell "
            f"{offer.source}"
        )


def facts_of(
    offer: OfferedWheel, cache: Cache, logins: Logins, *, deep: bool = False, offline: bool = False
) -> Learnt:
    """Return what a wheel says of itself; with `deep` its GPU code too, for which most of it is fetched.

    Raises SourceError.
    """
    facts = _of_metadata(metadata_of(offer, cache, logins, offline=offline), offer)
    # as it was read, so that a warm answer need not parse METADATA, whose libraries are slow to start
    _keep(offer, cache, {"requires": facts.requires_dist, "requires_python": facts.requires_python})
    if not deep:
        return facts
    known = _recalled(offer, cache)
    if not isinstance(known.get("gpu_code"), list):
        _check_online(offer, offline=offline)
        with _opened(offer, logins) as wheel:
            known = _of_libraries(tuple(wheel.libraries()))
        _keep(offer, cache, known)
    return _with_code(facts, known)


def known_facts(offers: Sequence[OfferedWheel], cache: Cache) -> dict[str, Learnt]:
    """Return what is kept already of some wheels, by sha256. Nothing is asked for."""
    found = {}
    for offer in offers:
        known = _recalled(offer, cache)
        if offer.sha256 and isinstance(requires := known.get("requires"), list):
            facts = Learnt(requires_dist=tuple(requires), requires_python=known.get("requires_python"))
            found[offer.sha256] = (
                _with_code(facts, known) if isinstance(known.get("gpu_code"), list) else facts
            )
    return found


def _with_code(facts: Learnt, known: Mapping[str, Any]) -> Learnt:
    code = tuple(FileCode(path=path, architectures=tuple(names)) for path, names in known["gpu_code"])
    toolkit, compute = known.get("toolkit") or None, known.get("compute") or None
    return replace(facts, gpu_code=code, toolkit=toolkit, compute=compute)


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
        with open_anywhere(offer.url, logins.headers(offer.url)) as file:
            yield Wheel(file)
    except BadBinary as error:
        raise LyingWheel(f"{offer.url}: not a whole wheel: {error}") from error


def _within(offer: OfferedWheel, logins: Logins) -> tuple[bytes, list[str]]:
    """Return the METADATA in a wheel, and the processors of its libraries up to the first that its name says."""
    with _opened(offer, logins) as wheel:
        return wheel.text("METADATA"), _processors(wheel, offer)


def _processors(wheel: Wheel, offer: OfferedWheel) -> list[str]:
    name, found = parse_wheel(offer.filename), []
    if not name.pure:
        for _, machine in islice(wheel.machines(named=".so"), MOST_LIBRARIES):
            found.append(machine)
            if machine in _processors_of(name):
                break
    return found


def _processors_of(name: WheelName) -> set[str]:
    from workbench.wheel.elf import PROCESSORS

    return {PROCESSORS[arch].name for arch in name.architectures if arch in PROCESSORS}


def _of_libraries(libraries: Sequence[Library]) -> dict[str, Any]:
    newest = max((library.gpu_code.isa for library in libraries if library.gpu_code), default=(0, 0))
    code = [
        [library.path, [str(each) for each in library.gpu_code.loadable]]
        for library in libraries
        if library.gpu_code and library.gpu_code.loadable
    ]
    needed = {name for library in libraries if library.elf for name in library.elf.needed}
    majors = {match[1] for name in needed if (match := _CUDART.fullmatch(name))}
    compute = f"cu{majors.pop()}" if len(majors) == 1 else ""
    return {"gpu_code": code, "toolkit": cuda_of_isa(newest), "compute": compute}


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
