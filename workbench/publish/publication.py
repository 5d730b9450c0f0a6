"""What a publish would do, as a value. Deciding is pure; ``--dry-run`` prints what a real run carries out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import StoreError, two_of_one_filename
from workbench.paths import PROGRAM
from workbench.publish.amend import refuse_while_deleting
from workbench.publish.wheel_files import TEXTS, is_ours, linked, own_provenance, unlinked
from workbench.registry.file import dumps
from workbench.registry.model import Registry
from workbench.store.folder import taken
from workbench.store.layout import file_key, metadata_key, provenance_key, record_key, url
from workbench.text import file_size

if TYPE_CHECKING:
    from workbench.files import Identity
    from workbench.registry.model import Package, PublishedWheel
    from workbench.store.protocol import Content, Listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A verified wheel to publish.

    `project` is the normalised name, `package` the project's facts without wheels, `wheel` the registry's
    entry, made from what verification computed, `path` the file, `identity` what it was when it was verified,
    `metadata` its ``METADATA`` and `provenance` its attestations (PEP 740), where there are any. `texts` are what the
    entry links to beside these, by key: the build's log, the patches.
    """

    project: str
    package: Package
    wheel: PublishedWheel
    path: Path
    identity: Identity
    metadata: bytes
    provenance: bytes | None = None
    texts: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A file to create in the store: its key, what it holds and that content's sha256.

    `identity` is what a file was when it was hashed. `listed`: something is there; the store says whether it is this.
    """

    key: str
    content: Content
    sha256: str
    size: int
    identity: Identity | None = None
    listed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWheel:
    """One wheel's part of a plan: the files still to be written, in order, and its entry, which may be registered."""

    candidate: Candidate
    wheel: PublishedWheel
    writes: tuple[Write, ...]
    registered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What a publish into a store at some generation would do."""

    place: str
    generation: int
    wheels: tuple[PlannedWheel, ...]

    @property
    def is_done(self) -> bool:
        """Whether all of it is published already."""
        return all(planned.registered and not planned.writes for planned in self.wheels)

    @property
    def size(self) -> int:
        """The bytes to write."""
        return sum(write.size for planned in self.wheels for write in planned.writes)

    def lines(self) -> tuple[str, ...]:
        """Return the plan as a person reads it."""
        if self.is_done:
            return (f"all of it is published already in {self.place} (generation {self.generation})",)
        lines = []
        for planned in self.wheels:
            lines += [f"create {write.key} ({file_size(write.size)})" for write in planned.writes]
            if not planned.registered:
                lines.append(f"register {planned.wheel.filename}")
            elif not planned.writes:
                lines.append(f"leave {planned.wheel.filename}: published already")
        if not all(planned.registered for planned in self.wheels):
            lines.append(f"generation {self.generation} becomes {self.generation + 1}")
        return (*lines, f"draw the pages in {self.place}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What a store holds of some candidates: files, and records of those that are not registered, each by key."""

    registry: Registry
    entries: Mapping[str, Listed]
    records: Mapping[str, Registry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Where a wheel lies that is not in the store: its URL.

    `metadata_sha256` is that of the METADATA beside it (PEP 658), None where none lies there.
    """

    url: str
    metadata_sha256: str | None = None


def linked_to(candidates: Sequence[Candidate], places: Mapping[str, Elsewhere]) -> Sequence[Candidate]:
    """Return candidates for wheels that stay elsewhere, by filename; as they are where no places are given.

    The store has no file of them, and all that proves them: no place elsewhere takes every kind of it.
    """
    return [_linked_to(each, places[each.path.name]) for each in candidates] if places else candidates


def _linked_to(candidate: Candidate, there: Elsewhere) -> Candidate:
    known = candidate.wheel.metadata_sha256
    wheel = replace(
        candidate.wheel, url=there.url, metadata_sha256=known if there.metadata_sha256 == known else None
    )
    # the build's log proves nothing, and may be long
    log = {wheel.build.log} if wheel.build and wheel.build.log else set[str]()
    return replace(candidate, wheel=unlinked(wheel, log))


def decide(
    candidates: Sequence[Candidate], found: Holdings, *, place: str, public_url: str | None
) -> Publication:
    """Return the plan for these candidates; one that is named twice is in it once.

    Raises FilenameTaken for a filename that is published, or was, with other bytes, StoreError for one that is
    being deleted, and UsageError for two candidates of one filename and different bytes.
    """
    by_filename: dict[str, Candidate] = {}
    for candidate in candidates:
        twin = by_filename.setdefault(candidate.wheel.filename, candidate)
        if twin.wheel.sha256 != candidate.wheel.sha256:
            raise two_of_one_filename(twin.path, candidate.path)
    wheels = tuple(_planned(candidate, found, place, public_url) for candidate in by_filename.values())
    return Publication(place=place, generation=found.registry.generation, wheels=wheels)


def merge(registry: Registry, plan: Publication) -> Registry:
    """Return a registry that has the wheels of a plan. Raises as `decide` does: it may be newer."""
    for planned in plan.wheels:
        name, wheel = planned.candidate.project, planned.wheel
        _refuse_other_bytes(registry, wheel, plan.place)
        known = registry.packages.get(name)
        facts = planned.candidate.package
        registry = registry.with_package(name, known.described_by(facts) if known else facts)
        if registry.find(wheel.filename) is None:
            registry = registry.with_wheel(name, wheel)
            registry = registry.with_package(name, registry.packages[name].filled())
    back = {planned.wheel.filename for planned in plan.wheels}
    return replace(registry, removed=tuple(gone for gone in registry.removed if gone.filename not in back))


def record_of(project: str, package: Package, wheel: PublishedWheel) -> bytes:
    """Return a wheel's record: a registry of this wheel alone, and as immutable as the wheel."""
    return dumps(Registry(packages={project: replace(package, wheels=(wheel,), unavailable=())})).encode()


def _planned(candidate: Candidate, found: Holdings, place: str, public_url: str | None) -> PlannedWheel:
    project, wheel = candidate.project, candidate.wheel
    filename = wheel.filename
    _refuse_other_bytes(found.registry, wheel, place)
    entry = found.entries.get(file_key(project, filename))
    if candidate.provenance is not None and public_url is not None and public_url.startswith("https://"):
        wheel = replace(wheel, provenance=url(public_url, provenance_key(project, filename)))
    record = found.records.get(record_key(project, filename))
    published = found.registry.find(filename)
    if published is not None:
        wheel = published[1]
    elif record is not None:
        _refuse_other_bytes(record, wheel, place)
        wheel = _recorded(record, candidate, found)
    if entry is not None and entry.size != wheel.size:
        if published is None and record is None:
            raise taken(filename, f"{place}/{entry.key}")
        raise StoreError(
            f"{place}/{entry.key} is {entry.size} bytes long, not {wheel.size}: somebody wrote over it. Put this "
            f"wheel into wheels/, and '{PROGRAM} store.reconcile' puts it back"
        )
    writes = _writes(candidate, wheel)
    if published is not None or record is not None:
        # recorded, so it is known whose bytes lie there; else the store compares them as it is asked to create them
        there = {*found.entries, record_key(project, filename)}
        if own_provenance(project, wheel) is None:  # an entry stays as it is: nothing would link to the file
            there.add(provenance_key(project, filename))
        writes = tuple(write for write in writes if write.key not in there)
    writes = tuple(replace(write, listed=write.key in found.entries) for write in writes)
    return PlannedWheel(candidate=candidate, wheel=wheel, writes=writes, registered=published is not None)


def _recorded(record: Registry, candidate: Candidate, found: Holdings) -> PublishedWheel:
    """Return the entry that a record has. The texts that it links to may have been deleted with the wheel since."""
    ((_, wheel),) = record.wheels()
    gone = {key for key in linked(wheel) if key not in found.entries and key not in candidate.texts}
    if wheel.build is None or candidate.wheel.build is None:
        return unlinked(wheel, gone)
    dead = [each for each in TEXTS if getattr(wheel.build, each) in gone]
    instead = {each: getattr(candidate.wheel.build, each) for each in dead}
    return unlinked(replace(wheel, build=replace(wheel.build, **instead)), gone)


def _writes(candidate: Candidate, wheel: PublishedWheel) -> tuple[Write, ...]:
    project, filename = candidate.project, wheel.filename
    ours = is_ours(wheel)  # else its file and its METADATA lie elsewhere, and it has no record
    contents = [(metadata_key(project, filename), candidate.metadata)] if ours else []
    if candidate.provenance is not None:
        contents.append((provenance_key(project, filename), candidate.provenance))
    # what was recorded before may have come from another build, with another log
    contents += [(key, text) for key, text in candidate.texts.items() if key in linked(wheel)]
    if ours:
        contents.append((record_key(project, filename), record_of(project, candidate.package, wheel)))
    file = Write(
        key=file_key(project, filename),
        content=candidate.path,
        sha256=wheel.sha256,
        size=wheel.size,
        identity=candidate.identity,
    )
    beside = (
        Write(key=key, content=content, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        for key, content in contents
    )
    return (*([file] if ours else ()), *beside)


def _refuse_other_bytes(registry: Registry, wheel: PublishedWheel, place: str) -> None:
    published = registry.find(wheel.filename)
    if published is not None and published[1].sha256 != wheel.sha256:
        raise taken(wheel.filename, f"sha256 {published[1].sha256} in {place}")
    refuse_while_deleting(registry, [wheel.filename], place)
    for gone in registry.removed:
        if gone.filename == wheel.filename and gone.sha256 != wheel.sha256:
            raise taken(wheel.filename, f"removed on {gone.removed[:10]} from {place}")
