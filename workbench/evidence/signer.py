"""Private keys that sign: ed25519, each in a PEM file (PKCS #8) of its owner alone, with a passphrase or without.

``cryptography`` is imported where something is signed, and nowhere else.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from workbench.errors import UsageError
from workbench.evidence.dsse import Envelope, Signature
from workbench.evidence.keys import KEYS_TYPE, Keyring, PublicKey, read_keyring
from workbench.files import content_of, write_new
from workbench.paths import PROGRAM

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

VARIABLE = "WORKBENCH_KEY_PASSPHRASE"
_SERVICE = "wheel-workbench"
"""What a keyring files passphrases under, each with its key's id."""
_LONGEST = 1023
"""How many bytes a passphrase may have, by OpenSSL."""


def _nobody(path: Path) -> str:
    raise UsageError(f"{path} has a passphrase: set {VARIABLE}, or run this in a terminal, which asks for it")


ASK: ContextVar[Callable[[Path], str]] = ContextVar("ASK", default=_nobody)
"""Who asks a person for the passphrase of a key file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A private key that was read. It is never shown: neither here nor in a message."""

    key: PublicKey
    private: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"Signer({self.key.id})"

    def sign(self, data: bytes) -> Signature:
        """Return the signature of bytes."""
        return Signature(self.key.id, self.private.sign(data))


def make_key(path: Path, *, passphrase: str = "") -> PublicKey:
    """Write a new key pair: the private half into `path`, for its owner alone, and the public one beside it (``.pub``).

    Raises UsageError where either is there already: a key that is lost cannot sign again. Raises OSError.
    """
    from cryptography.hazmat.primitives import serialization as written
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public_path = path.with_name(f"{path.name}.pub")
    for each in (path, public_path):
        if each.exists():
            raise UsageError(f"{each} is there already: name another file; a key is never written over")
    private = Ed25519PrivateKey.generate()
    locked: written.KeySerializationEncryption = written.NoEncryption()
    if passphrase:
        locked = written.BestAvailableEncryption(_as_bytes(passphrase))
    content = private.private_bytes(written.Encoding.PEM, written.PrivateFormat.PKCS8, locked)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = _public(private)
    write_new(public_path, key.pem().encode(), mode=0o644)
    try:
        write_new(path, content, mode=0o600)  # never readable by others, not for a moment
    except BaseException:
        public_path.unlink()
        raise
    return key


def _as_bytes(passphrase: str) -> bytes:
    try:
        content = passphrase.encode()
    except UnicodeEncodeError as error:
        raise UsageError("the passphrase is not text in UTF-8: take another") from error
    if len(content) > _LONGEST:
        raise UsageError(f"the passphrase has {len(content):,} bytes, and may have {_LONGEST:,}")
    return content


def _public(private: Ed25519PrivateKey) -> PublicKey:
    return PublicKey(public=base64.standard_b64encode(private.public_key().public_bytes_raw()).decode())


@cache
def read_signer(path: Path) -> Signer:
    """Return the private key in a file. Its passphrase comes from the variable, a keyring or whoever asks for it.

    Raises UsageError for a file that is not there, that others can read, or that is not a key of ed25519; and for a
    wrong passphrase.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if (content := content_of(path)) is None:
        raise UsageError(
            f"{path}: no such key: '{PROGRAM} evidence.new-key --to {quote(str(path))}' makes one"
        )
    if path.stat().st_mode & 0o077:
        raise UsageError(
            f"{path}: others can read this key: 'chmod 600 {quote(str(path))}' if nobody has; else make another"
        )
    try:
        private = load_pem_private_key(content, password=None)
    except TypeError:
        private = _unlocked(path, content)
    except ValueError as error:
        raise UsageError(f"{path} is not a private key in PEM (PKCS #8)") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise UsageError(f"{path} is a key of another kind than ed25519, with which the workbench signs")
    return Signer(key=_public(private), private=private)


def _unlocked(path: Path, content: bytes) -> PrivateKeyTypes:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    for passphrase in _passphrases(path):
        with suppress(ValueError, TypeError):  # an empty one is taken for none
            return load_pem_private_key(content, password=passphrase.encode())
    raise UsageError(f"{path}: the passphrase is wrong")


def _passphrases(path: Path) -> Iterator[str]:
    if told := os.environ.get(VARIABLE):
        yield told
        return
    if kept := _kept(path):
        yield kept
    yield ASK.get()(path)


def _kept(path: Path) -> str | None:
    """Return the passphrase that a keyring has for a key, by the id of its public half, which lies beside it."""
    beside = path.with_name(f"{path.name}.pub")
    if not beside.is_file():
        return None
    import keyring
    from keyring.errors import KeyringError

    with suppress(KeyringError):
        return keyring.get_password(_SERVICE, read_keyring(beside).keys[0].id)
    return None


def keep_passphrase(key: PublicKey, passphrase: str) -> None:
    """Keep a key's passphrase in this user's keyring. Raises UsageError where there is none."""
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(_SERVICE, key.id, passphrase)
    except KeyringError as error:
        raise UsageError(
            "the key was made, but this machine has no keyring that keeps a passphrase "
            f"({error}): set {VARIABLE} when you sign"
        ) from error


def sign_list(keys: Keyring, signers: Sequence[Signer]) -> bytes:
    """Return a site's list of keys, signed."""
    return sealed(keys.as_json(), KEYS_TYPE, signers).write()


def sealed(payload: bytes, kind: str, signers: Sequence[Signer]) -> Envelope:
    """Return the envelope of a payload, signed."""
    unsigned = Envelope(type=kind, payload=payload, signatures=())
    return replace(unsigned, signatures=tuple(each.sign(unsigned.signed) for each in signers))
