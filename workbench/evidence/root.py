"""An index's signed root: TUF's Timestamp, by which a reader notices a mirror that is stale or was rolled back.

Its version is the registry's generation, and what it calls its snapshot is the registry, by length and sha256: from the
registry all pages are drawn, and it has the sha256 of every file. It names the version of the site's list of keys as
well. ``tuf`` is imported where a root is signed or read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workbench.errors import ProofFailed
from workbench.evidence.dsse import Signature
from workbench.evidence.keys import verify
from workbench.paths import PROGRAM

if TYPE_CHECKING:
    from workbench.evidence.keys import Keyring
    from workbench.evidence.signer import Signer

ROOT = "trust/timestamp.json"
"""Where a store has it."""

NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""When a root expires that nobody signs again on a schedule."""

_KEYS = "keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRoot:
    """What a root says: the registry's generation, size in bytes and sha256; the version of the list of keys.

    A list of a later version may be there already: that is published first.
    """

    generation: int
    size: int
    sha256: str
    keys_version: int
    expires: datetime = NEVER


def write_root(root: SignedRoot, signer: Signer) -> bytes:
    """Return a root as TUF's Timestamp, signed."""
    from securesystemslib.signer import CryptoSigner, SSlibKey
    from tuf.api.metadata import Metadata, MetaFile, Timestamp

    registry = MetaFile(version=root.generation, length=root.size, hashes={"sha256": root.sha256})
    timestamp = Timestamp(
        version=root.generation,
        expires=root.expires,
        snapshot_meta=registry,
        unrecognized_fields={_KEYS: {"version": root.keys_version}},
    )
    metadata = Metadata(timestamp)
    key = SSlibKey(signer.key.id, "ed25519", "ed25519", {"public": signer.key.raw.hex()})
    metadata.sign(CryptoSigner(signer.private, key))
    return metadata.to_bytes()


def unverified_generation(content: bytes) -> int:
    """Return the generation that a root names, whoever signed it; 0 for what is not a root."""
    try:
        return int(json.loads(content)["signed"]["version"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return 0


def read_root(content: bytes, keys: Keyring, *, now: datetime, where: str) -> SignedRoot:
    """Return what a root says that one of the trusted keys signed. Raises ProofFailed, also for an expired one."""
    from tuf.api.metadata import Metadata, Timestamp
    from tuf.api.serialization import DeserializationError

    try:
        metadata = Metadata[Timestamp].from_bytes(content)
        signatures = [
            Signature(each.keyid, bytes.fromhex(each.signature)) for each in metadata.signatures.values()
        ]
        if not isinstance(metadata.signed, Timestamp):
            raise ProofFailed(f"{where}: it is metadata of TUF, but not a timestamp")
        signed, snapshot = metadata.signed, metadata.signed.snapshot_meta
        root = SignedRoot(
            generation=signed.version,
            size=int(snapshot.length or 0),
            sha256=(snapshot.hashes or {})["sha256"],
            keys_version=int(signed.unrecognized_fields[_KEYS]["version"]),
            expires=signed.expires,
        )
    except (DeserializationError, KeyError, TypeError, ValueError) as error:
        raise ProofFailed(
            f"{where}: it is not a signed root (TUF's timestamp), so it was changed or damaged: {error}"
        ) from error
    verify(metadata.signed_bytes, signatures, keys, where=where)
    if root.expires <= now:
        raise ProofFailed(
            f"{where}: it expired on {root.expires:%Y-%m-%d %H:%M} UTC, so this index may be an old copy: whoever "
            f"publishes it signs it anew with '{PROGRAM} evidence.sign-index'"
        )
    return root
