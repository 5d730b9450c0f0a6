"""The public keys of ed25519 that somebody trusts, some of them revoked, and what they signed.

They stand in a PEM file, or in a site's own list of its keys (`KEYS`), which says which are revoked and is signed
itself. A key's id is the sha256 of its SubjectPublicKeyInfo. ``cryptography`` is imported where something is verified.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import ProofFailed, UsageError
from workbench.evidence.dsse import read_envelope, read_json
from workbench.files import content_of
from workbench.paths import PROGRAM
from workbench.strict import Mismatch, parse

if TYPE_CHECKING:
    from workbench.evidence.dsse import Signature

KEYS = "trust/keys.json"
"""Where a site, and its store, have the list of the site's keys."""
KEYS_TYPE = "application/vnd.wheel-workbench.keys+json"

_PEM_BEGIN = b"-----BEGIN "
_SPKI = bytes.fromhex("302a300506032b6570032100")
"""What comes before the 32 bytes of an ed25519 key in its SubjectPublicKeyInfo (RFC 8410)."""
_RAW = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key's public half: 32 bytes in base64. `revoked` is why it is not to be trusted any more."""

    public: str
    revoked: str | None = None

    @property
    def raw(self) -> bytes:
        """The key itself. Raises ValueError for what is not a key of ed25519."""
        data = base64.b64decode(self.public, validate=True)
        if len(data) != _RAW:
            raise ValueError(f"a key of ed25519 has {_RAW} bytes, and this one {len(data)}")
        return data

    @property
    def id(self) -> str:
        """The key's id."""
        return hashlib.sha256(_SPKI + self.raw).hexdigest()

    def pem(self) -> str:
        """Return the key as a PEM file."""
        body = base64.standard_b64encode(_SPKI + self.raw).decode()
        return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """Keys that somebody trusts, or did once. `version` counts the changes of a site's list; 0 for a file of PEM."""

    keys: tuple[PublicKey, ...]
    version: int = 0

    def find(self, keyid: str) -> PublicKey | None:
        """Return the key of an id, revoked or not."""
        return next((key for key in self.keys if key.id == keyid), None)

    def named(self, beginning: str) -> PublicKey:
        """Return the one key whose id begins so. Raises UsageError for none, and for several."""
        found = [key for key in self.keys if key.id.startswith(beginning)]
        if len(found) != 1:
            raise UsageError(f"{beginning}: {len(found)} keys of the list have an id that begins so")
        return found[0]

    @property
    def trusted(self) -> tuple[PublicKey, ...]:
        """The keys that are not revoked."""
        return tuple(key for key in self.keys if key.revoked is None)

    def with_key(self, key: PublicKey) -> Keyring:
        """Return the list with a key on it, in place of what it says of that key."""
        others = tuple(each for each in self.keys if each.public != key.public)
        return replace(self, keys=(*others, key), version=self.version + 1)

    def added(self, key: PublicKey) -> Keyring:
        """Return the list with a key on it, itself where it has the key. Raises UsageError for one that it revokes."""
        there = self.find(key.id)
        if there is not None and there.revoked is not None and key.revoked is None:
            raise UsageError(
                f"the key {short(key.id)} is revoked ({there.revoked}), and stays so: what it signed would be trusted "
                f"again. '{PROGRAM} evidence.new-key' makes another"
            )
        return self if there == key else self.with_key(key)

    def follows(self, other: Keyring) -> bool:
        """Say whether the list is a later one than `other`, and has all of its keys, and all that it revokes."""
        return self.version > other.version and all(
            (ours := self.find(each.id)) is not None and (each.revoked is None or ours.revoked is not None)
            for each in other.keys
        )

    def as_json(self) -> bytes:
        """Return the list as it is signed."""
        keys = [{"id": key.id, "public": key.public, "revoked": key.revoked} for key in self.keys]
        return json.dumps({"version": self.version, "keys": keys}, indent=2).encode() + b"\n"


def read_keyring(path: Path) -> Keyring:
    """Return the keys in a file: public keys in PEM, or a site's list of keys. Raises UsageError, ProofFailed.

    That a site's list is signed by one of its own keys is checked; who trusts a file has looked at where it is from.
    """
    if (content := content_of(path)) is None:
        raise UsageError(f"{path}: no such file of public keys")
    if _PEM_BEGIN in content:
        return Keyring(keys=tuple(_from_pem(content, path)))
    if not content.lstrip().startswith(b"{"):
        raise UsageError(f"{path}: it is neither public keys in PEM nor a site's list of keys")
    return read_list(content, where=str(path))


def _from_pem(content: bytes, path: Path) -> Sequence[PublicKey]:
    if b"PRIVATE KEY" in content:
        raise UsageError(f"{path} is a private key: name the public one beside it, {path.name}.pub")
    keys = []
    for block in content.decode(errors="replace").split("-----BEGIN PUBLIC KEY-----")[1:]:
        try:
            data = base64.b64decode("".join(block.partition("-----END")[0].split()), validate=True)
        except ValueError as error:
            raise UsageError(f"{path}: a public key in it is not base64: {error}") from error
        if not data.startswith(_SPKI) or len(data) != len(_SPKI) + _RAW:
            raise UsageError(f"{path}: a key in it is not one of ed25519")
        keys.append(PublicKey(public=base64.standard_b64encode(data[len(_SPKI) :]).decode()))
    if not keys:
        raise UsageError(f"{path}: there is no public key in it (-----BEGIN PUBLIC KEY-----)")
    return keys


@dataclass(frozen=True, slots=True, kw_only=True)
class _ListedKey:
    id: str
    public: str
    revoked: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _List:
    version: int
    keys: tuple[_ListedKey, ...]


def read_list(content: bytes, *, where: str, signed_by: Keyring | None = None) -> Keyring:
    """Return a site's list of keys, signed by one of `signed_by`, or where that is None by one of its own.

    A list may be signed by a key that it revokes: so a site that still has that key tells those who trust it. One that
    `signed_by` revokes signs none: who stole it could put a key of their own on the next list. The very list that is
    trusted counts whoever signed it. Raises ProofFailed.
    """
    envelope = read_envelope(content, where=where)
    if envelope is None or envelope.type != KEYS_TYPE:
        raise ProofFailed(f"{where}: it is neither public keys in PEM nor a site's list of keys")
    # nothing is read of what nobody signed
    if signed_by is not None and envelope.payload != signed_by.as_json():
        verify(envelope.signed, envelope.signatures, signed_by, where=where)
    try:
        listed = parse(_List, read_json(envelope.payload, where=where))
        keys = tuple(PublicKey(public=each.public, revoked=each.revoked) for each in listed.keys)
        if [key.id for key in keys] != [each.id for each in listed.keys]:
            raise ProofFailed(f"{where}: a key in it does not have the id that it says")
    except (Mismatch, ValueError) as error:
        raise ProofFailed(f"{where}: it is not a list of keys: {error}") from error
    made = Keyring(keys=keys, version=listed.version)
    if signed_by is None:
        own = Keyring(keys=tuple(replace(key, revoked=None) for key in keys))
        verify(envelope.signed, envelope.signatures, own, where=where)
    return made


def verify(data: bytes, signatures: Sequence[Signature], keys: Keyring, *, where: str) -> PublicKey:
    """Return the trusted key that signed bytes. Raises ProofFailed, which says why none did."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    reasons = []
    for signature in signatures:
        key = keys.find(signature.keyid)
        if key is None:
            reasons.append(
                f"it is signed by the key {short(signature.keyid)}, which is not among those that you trust"
            )
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.raw).verify(signature.value, data)
        except InvalidSignature:
            reasons.append(
                f"the signature of the key {short(key.id)} does not fit: what was signed, or the signature, was changed"
            )
            continue
        if key.revoked is None:
            return key
        reasons.append(
            f"the key {short(key.id)} that signed it is revoked: {key.revoked or 'no reason is given'}"
        )
    raise ProofFailed(f"{where}: {'; '.join(reasons) or 'nobody signed it'}")


def short(keyid: str) -> str:
    """Return the first digits of a key's id, as people are shown it."""
    return keyid[:16]
