"""A wheel of the site's own store, back in ``wheels/`` with what is known of it, to be sent to outlets too."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from workbench.errors import FilenameTaken, StoreError, UsageError
from workbench.events import note, step
from workbench.evidence import notes
from workbench.evidence.attestations import attestation_in
from workbench.files import scratch, sha256_of, write_whole
from workbench.paths import PROGRAM
from workbench.publish.wheel_files import is_ours, own_provenance
from workbench.store.layout import FILES
from workbench.store.protocol import copy_out
from workbench.wheel.filename import parse_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.registry.model import PublishedWheel
    from workbench.store.protocol import Store


def published_copy(wheel: PublishedWheel, paths: Paths, store: Store) -> Path:
    """Return the file of a published wheel: the one in ``wheels/``, or a copy from the store, whose hash is checked.

    Its statement and its attestation are beside it, where it was published with them; one that the store lost is told.
    Raises FilenameTaken where other bytes lie there, StoreError, UsageError for a wheel that lies elsewhere, and
    ProofFailed where the store has something else in the attestation's place.
    """
    path = paths.wheels / wheel.filename
    if not path.exists():
        _fetch(wheel, path, store)
    elif sha256_of(path) != wheel.sha256:
        raise FilenameTaken(f"{path} is not the wheel that is published under this name: move it away")
    # what is missing is written, also where a kill has left the wheel without it
    if wheel.build is not None:
        known = notes.read(path)
        if known is None or not notes.speaks_of(known, path):
            known = notes.keep(path, build_key=wheel.build_key, gpu=(), facts=wheel.build)
        beside, key = notes.statement_path(path), wheel.build.statement or ""
        is_missing = known.provenance is None and not beside.exists()
        if is_missing and key.startswith(FILES) and (stated := _proof(key, "statement", wheel, store)):
            write_whole(beside, stated)
    beside, project = notes.attestation_path(path), parse_wheel(wheel.filename, labelled=True).name
    served = own_provenance(project, wheel) if not beside.exists() else None
    if served and (provenance := _proof(served, "attestation", wheel, store)):
        write_whole(beside, attestation_in(provenance, where=f"{store.place}/{served}"))
    return path


class StatementOfCopy(NamedTuple):
    """The statement that a published wheel's copy has, where that is from, and what commands call the wheel."""

    content: bytes
    where: str
    wheel: str


def statement_of_copy(wheel: PublishedWheel, paths: Paths, store: Store) -> StatementOfCopy | None:
    """Return the statement that a published wheel would be sent with; None where it has none, or one is made then."""
    path = paths.wheels / wheel.filename
    if path.exists() and (beside := notes.statement_beside(path)) is not None:
        return StatementOfCopy(beside, str(notes.statement_path(path)), str(path))
    known = notes.read(path) if path.exists() else None
    key = (wheel.build.statement if wheel.build else None) or ""
    if (known and known.provenance) or not key.startswith(FILES) or (stored := store.read(key)) is None:
        return None
    return StatementOfCopy(stored.content, f"{store.place}/{key}", wheel.filename)


def _proof(key: str, what: str, wheel: PublishedWheel, store: Store) -> bytes | None:
    """Return what proves a wheel, from the store; None, which is told, where it is lost."""
    if (stored := store.read(key)) is None:
        note(
            f"· {store.place}/{key} is gone, so {wheel.filename} goes without its {what}: see '{PROGRAM} doctor'"
        )
        return None
    return stored.content


def _fetch(wheel: PublishedWheel, path: Path, store: Store) -> None:
    if not is_ours(wheel):
        raise UsageError(
            f"{wheel.filename} lies at {wheel.url}, not in {store.place}: download it into {path.parent}"
        )
    with (
        step(f"get {wheel.filename} from {store.place}", total=wheel.size) as moved,
        scratch(path.parent, ".copy.") as folder,
    ):
        part = folder / wheel.filename
        if copy_out(store, wheel.url, part, moved) != wheel.sha256:
            raise StoreError(f"{store.place}/{wheel.url} is damaged: its sha256 is not {wheel.sha256}")
        part.rename(path)
