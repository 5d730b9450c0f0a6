"""What a wheel's own METADATA and libraries say: read from where it lies, and kept by its sha256."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workbench.consume.build import FileCode, Learnt
from workbench.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.consume.cache import Cache
    from workbench.consume.logins import Logins
    from workbench.consume.offer import OfferedWheel
    from workbench.wheel.wheel import Library

_CUDART = re.compile(r"lib(?:cudart|cublas|cublasLt|nvrtc)\.so\.(\d\d)")
"""Libraries whose number is CUDA's major version."""


def metadata_of(offer: OfferedWheel, cache: Cache, logins: Logins, *, offline: bool = False) -> bytes:
    """Return the METADATA of a wheel as it stands there: kept, from beside it (PEP 658), or from within it by ranges.

    Raises SourceError, also for what has another hash than the source's listing says.
    """
    known = _recalled(offer, cache)
    if isinstance(text := known.get("metadata"), str):
        return text.encode()
    _check_online(offer, offline=offline)
    found = _beside(offer, logins) or _within(offer, logins)
    _keep(offer, cache, {"metadata": found.decode("utf-8", "replace")})
    return found


def facts_of(
    offer: OfferedWheel, cache: Cache, logins: Logins, *, deep: bool = False, offline: bool = False
) -> Learnt:
    """Return what a wheel says of itself; with `deep` its GPU code too, for which most of it is fetched.

    Raises SourceError.
    """
    facts = _of_metadata(metadata_of(offer, cache, logins, offline=offline), offer)
    if not deep:
        return facts
    known = _recalled(offer, cache)
    if not isinstance(known.get("gpu_code"), list):
        _check_online(offer, offline=offline)
        known = _of_libraries(_libraries(offer, logins))
        _keep(offer, cache, known)
    code = tuple(FileCode(path=path, architectures=tuple(names)) for path, names in known["gpu_code"])
    return replace(facts, gpu_code=code, compute=known.get("compute") or None)


def known_facts(offers: Sequence[OfferedWheel], cache: Cache) -> dict[str, Learnt]:
    """Return what is kept already of some wheels, by sha256. Nothing is asked for."""
    found = {}
    for offer in offers:
        known = _recalled(offer, cache)
        if offer.sha256 and isinstance(text := known.get("metadata"), str):
            facts = _of_metadata(text.encode(), offer)
            if isinstance(code := known.get("gpu_code"), list):
                files = tuple(FileCode(path=path, architectures=tuple(names)) for path, names in code)
                facts = replace(facts, gpu_code=files, compute=known.get("compute") or None)
            found[offer.sha256] = facts
    return found


def with_sha256(offer: OfferedWheel, logins: Logins) -> OfferedWheel:
    """Return an offer with its sha256: the whole file is read where its source does not tell. Raises SourceError."""
    if offer.sha256:
        return offer
    from workbench.events import step
    from workbench.simple.fetch import Fetcher, why

    digest, size = hashlib.sha256(), 0
    try:
        with (
            Fetcher().opened(offer.url, headers=logins.headers(offer.url)) as (chunks, length),
            step(f"read {offer.filename}, whose sha256 is not listed", total=length or 0) as advance,
        ):
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                advance(len(chunk))
    except OSError as error:
        raise SourceError(f"{offer.url}: {why(error)}") from error
    if offer.size not in (None, size):
        raise SourceError(f"{offer.url}: {size} bytes came, and {offer.source} says {offer.size}")
    return replace(offer, sha256=digest.hexdigest(), size=size)


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


def _within(offer: OfferedWheel, logins: Logins) -> bytes:
    from workbench.wheel.inspect import open_anywhere
    from workbench.wheel.stream import BadBinary
    from workbench.wheel.wheel import Wheel

    try:
        with open_anywhere(offer.url, logins.headers(offer.url)) as file:
            return Wheel(file).text("METADATA")
    except BadBinary as error:
        raise SourceError(f"{offer.url}: not a whole wheel: {error}") from error


def _libraries(offer: OfferedWheel, logins: Logins) -> tuple[Library, ...]:
    from workbench.wheel.inspect import open_anywhere
    from workbench.wheel.stream import BadBinary
    from workbench.wheel.wheel import Wheel

    try:
        with open_anywhere(offer.url, logins.headers(offer.url)) as file:
            return tuple(Wheel(file).libraries())
    except BadBinary as error:
        raise SourceError(f"{offer.url}: not a whole wheel: {error}") from error


def _of_libraries(libraries: Sequence[Library]) -> dict[str, Any]:
    code = [
        [library.path, [str(each) for each in library.gpu_code.loadable]]
        for library in libraries
        if library.gpu_code and library.gpu_code.loadable
    ]
    needed = {name for library in libraries if library.elf for name in library.elf.needed}
    majors = {match[1] for name in needed if (match := _CUDART.fullmatch(name))}
    return {"gpu_code": code, "compute": f"cu{majors.pop()}" if len(majors) == 1 else ""}


def _of_metadata(text: bytes, offer: OfferedWheel) -> Learnt:
    from workbench.wheel.metadata import BadMetadata, read_metadata

    try:
        raw, _ = read_metadata(text)
    except BadMetadata as error:
        raise SourceError(f"{offer.filename}: METADATA: {error}") from error
    return Learnt(
        requires_dist=tuple(raw.get("requires_dist", ())), requires_python=raw.get("requires_python", "")
    )
