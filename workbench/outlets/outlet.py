"""What every outlet promises: a place that takes a wheel and is not ours."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from workbench.errors import FilenameTaken, StoreError
from workbench.evidence import notes
from workbench.evidence.attestations import attested
from workbench.files import Identity
from workbench.paths import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.evidence.keys import Keyring
    from workbench.evidence.provenance import Provenance
    from workbench.evidence.signer import Signer
    from workbench.store.protocol import Progress
    from workbench.verify.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What wheels are asked for: the project (normalised), the version, and the variant, "" for the usual build."""

    project: str
    version: str
    variant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A verified wheel on its way to outlets: nothing of it is read or hashed again to know what it is.

    `sha256` is hex, `size` in bytes, `identity` what the file was when it was verified, `metadata` its ``METADATA``.
    `statement` says how it was made, signed where the site signs; None where that is not known. `attestation` is
    Sigstore's (PEP 740), where one lies beside it.
    """

    subject: Subject
    path: Path
    sha256: str
    size: int
    identity: Identity
    metadata: bytes
    statement: bytes | None = None
    attestation: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, report: Report, *, signer: Signer | None = None, keys: Keyring | None = None) -> Parcel:
        """Return the parcel that a passed report speaks of.

        Raises ProofFailed as `statement_to_publish` and `attested` do.
        """
        known = notes.recall(report.path)
        variant = (known.facts.variant if known else None) or ""
        made = known.provenance if known else None
        said = attested(report.path, report.sha256)
        return cls(
            subject=Subject(project=report.name, version=report.version, variant=variant),
            path=report.path,
            sha256=report.sha256,
            size=report.size,
            identity=report.identity,
            metadata=report.metadata,
            statement=_statement(report, made, signer, keys),
            attestation=said.attestation if said else None,
        )

    @property
    def filename(self) -> str:
        """The wheel's filename."""
        return self.path.name

    @property
    def beside(self) -> Mapping[str, bytes]:
        """What an outlet that takes any file has beside the wheel, by name: its METADATA (PEP 658), its statement."""
        found = {metadata_name(self.filename): self.metadata}
        return found if self.statement is None else {**found, statement_name(self.filename): self.statement}

    def expect_unchanged(self) -> None:
        """Raise StoreError where the file is no longer the one that was verified."""
        if Identity.of(self.path) != self.identity:
            raise StoreError(f"{self.path} changed after it was verified: verify it again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A file that an outlet has: its URL, and the hashes that are told of it (algorithm to hex), which may be none.

    `api_url` is where programs get it, where that is elsewhere. `metadata_sha256` is that of the METADATA that lies at
    the URL and ``.metadata`` (PEP 658), None where none is told of.
    """

    filename: str
    url: str
    hashes: Mapping[str, str] = field(default_factory=dict)
    api_url: str = ""
    metadata_sha256: str | None = None


def _statement(
    report: Report, made: Provenance | None, signer: Signer | None, keys: Keyring | None
) -> bytes | None:
    if made is None and notes.statement_beside(report.path) is None:
        return None  # others made it: what writes, reads and signs statements is not imported for it
    from workbench.evidence.statements import statement_to_publish

    return statement_to_publish(report.path, report.sha256, made, signer, keys)


def metadata_name(filename: str) -> str:
    """Return the name of the file beside a wheel that has its METADATA."""
    return f"{filename}.metadata"


def statement_name(filename: str) -> str:
    """Return the name of the file beside a wheel that has its statement."""
    return notes.statement_path(Path(filename)).name


class Outlet(Protocol):
    """A place for wheels. Adding a kind of outlet is a module with such a class, and its line in ``places.py``."""

    name: str
    """What ``--to`` calls it."""

    place: str
    """Where it is, in a person's words."""

    how: str
    """What sending to it is, in a person's words."""

    @property
    def access(self) -> str:
        """Where its credentials come from, in a few words. Raises OutletError where there are none."""

    def refuse(self, subject: Subject, filename: str = "", size: int = 0) -> None:
        """Raise UsageError for a wheel that it never takes; before it is built, its name and size are not known."""

    def held(self, subject: Subject) -> Mapping[str, Held]:
        """Return its files of a subject, by their names; it is asked once until one is sent. Raises OutletError."""

    def sha256_of(self, held: Held) -> str:
        """Read a file that it has through, and return its sha256. Raises OutletError."""

    def send(self, parcels: Sequence[Parcel], moved: Progress) -> Mapping[str, Held]:
        """Send wheels that it does not have; return each by its filename, as it has it.

        They are there for everyone by then. One that an index has taken and does not list yet is left out.

        Whatever ended an earlier call, this one goes on from there; nothing that is there is replaced. Raises
        OutletError, FilenameTaken.
        """


def same(outlet: Outlet, held: Held, parcel: Parcel) -> bool:
    """Say whether the file that an outlet has is this very wheel, by the best hash there is. Raises OutletError."""
    told = {name.lower(): digest.lower() for name, digest in held.hashes.items()}
    if "sha256" in told:
        return told["sha256"] == parcel.sha256
    for name in sorted(told.keys() & hashlib.algorithms_guaranteed, key=_strength, reverse=True):
        with parcel.path.open("rb") as file:
            return hashlib.file_digest(file, name).hexdigest() == told[name]
    return outlet.sha256_of(held) == parcel.sha256


def taken(url: str, parcel: Parcel) -> FilenameTaken:
    """Return the error for a wheel whose name has other bytes at an outlet, with what to do about it."""
    return FilenameTaken(
        f"{url} has other bytes than {parcel.path}, and nothing there is replaced. If they are the same build, keep "
        f"the file that is there; else build this one as another version: '{PROGRAM} build {parcel.subject.project} "
        "--version-suffix .post1'"
    )


def _strength(algorithm: str) -> tuple[bool, int]:
    return algorithm not in ("md5", "sha1"), hashlib.new(algorithm, usedforsecurity=False).digest_size
