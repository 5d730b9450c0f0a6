"""The files that a registered wheel must have in the store, and whether they are there, whole."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from os.path import commonprefix
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from workbench.store.layout import FILES, metadata_key, provenance_key
from workbench.store.protocol import MISSING, fault_of

if TYPE_CHECKING:
    from workbench.registry.model import PublishedWheel, Registry
    from workbench.store.protocol import Listed, Store


TEXTS = ("log", "sbom", "statement", "verdict")
"""The facts of a build that are links to texts of one wheel."""


def is_ours(wheel: PublishedWheel) -> bool:
    """Say whether a wheel lies in the store, and not at a URL elsewhere."""
    return wheel.url.startswith(FILES)


def own_provenance(project: str, wheel: PublishedWheel) -> str | None:
    """Return the key of a wheel's provenance object (PEP 740); None where it has none in the store."""
    key = provenance_key(project, wheel.filename)
    return key if unquote(wheel.provenance or "").endswith(key) else None


def linked(wheel: PublishedWheel) -> tuple[str, ...]:
    """Return the keys of the texts that a wheel's entry links to: log, statement, verdict, patches and the like."""
    if wheel.build is None:
        return ()
    links = (*(getattr(wheel.build, each) for each in TEXTS), *(patch.url for patch in wheel.build.patches))
    return tuple(link for link in links if link is not None and link.startswith(FILES))


def proofs(project: str, wheel: PublishedWheel) -> tuple[str, ...]:
    """Return the keys of all that proves a wheel: the texts that its entry links to, and its provenance object."""
    provenance = own_provenance(project, wheel)
    return (*linked(wheel), *([provenance] if provenance else ()))


def unlinked(wheel: PublishedWheel, gone: Container[str]) -> PublishedWheel:
    """Return a wheel's entry without its links to texts that are gone."""
    build = wheel.build
    if build is None or not any(key in gone for key in linked(wheel)):
        return wheel
    patches = tuple(replace(patch, url=None) if patch.url in gone else patch for patch in build.patches)
    dead: dict[str, Any] = {each: None for each in TEXTS if getattr(build, each) in gone}
    return replace(wheel, build=replace(build, patches=patches, **dead))


def texts_linked(registry: Registry) -> set[str]:
    """Return the keys of all texts that a registry links to: logs of builds, also of those that failed; patches."""
    keys = {key for _, wheel in registry.wheels() for key in linked(wheel)}
    return keys | {
        each.log for package in registry.packages.values() for each in package.unavailable if each.log
    }


def without_links(registry: Registry, gone: Collection[str]) -> Registry:
    """Return a registry that does not link to these texts. Pure."""
    if not gone:
        return registry
    for name, package in registry.packages.items():
        wheels = tuple(unlinked(wheel, gone) for wheel in package.wheels)
        reasons = tuple(replace(why, log=None) if why.log in gone else why for why in package.unavailable)
        if (wheels, reasons) != (package.wheels, package.unavailable):
            registry = registry.with_package(name, replace(package, wheels=wheels, unavailable=reasons))
    return registry


def look(store: Store, keys: Iterable[str]) -> dict[str, Listed]:
    """Return what lies at keys below ``files/`` and beside them: a listing a project, of what begins as they do."""
    wanted: dict[str, list[str]] = {}
    for key in keys:
        wanted.setdefault(key.rpartition("/")[0], []).append(key)
    with ThreadPoolExecutor(store.streams) as pool:
        listings = pool.map(lambda prefix: list(store.entries(prefix)), map(commonprefix, wanted.values()))
        return {entry.key: entry for listing in listings for entry in listing}


class Fault(NamedTuple):
    """A file that a registered wheel must have: its key, and what is wrong with it."""

    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.key} {self.what}"


def faults(project: str, wheel: PublishedWheel, files: Mapping[str, Listed]) -> Iterator[Fault]:
    """Yield what is wrong with a wheel's files by a listing: those that are missing, or not whole.

    The file and the METADATA of a wheel that lies elsewhere are not here. Texts are not asked for: see `texts_linked`.
    """
    if is_ours(wheel):
        entry = files.get(wheel.url)
        listed = entry.size if entry else None
        if fault := fault_of(listed, lambda: wheel.sha256, size=wheel.size, sha256=wheel.sha256):
            yield Fault(wheel.url, fault)
        metadata = metadata_key(project, wheel.filename)
        if wheel.metadata_sha256 and metadata not in files:
            yield Fault(metadata, MISSING)
    provenance = own_provenance(project, wheel)
    if provenance and provenance not in files:
        yield Fault(provenance, MISSING)


def damage(store: Store, project: str, wheel: PublishedWheel, files: Mapping[str, Listed]) -> Iterator[Fault]:
    """Yield what is wrong with the bytes of a wheel whose files are there: all of them are read."""
    metadata = metadata_key(project, wheel.filename)
    for key, sha256 in ((wheel.url, wheel.sha256), (metadata, wheel.metadata_sha256)):
        if sha256 and (problem := store.check(key, sha256=sha256, size=files[key].size)):
            yield Fault(key, problem)
