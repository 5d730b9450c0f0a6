"""The statement of a wheel as it is kept and published: signed, in an envelope; or as it is, where nobody signs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING

from workbench.errors import ProofFailed
from workbench.evidence import notes
from workbench.evidence.dsse import read_envelope, read_json
from workbench.evidence.keys import verify
from workbench.evidence.provenance import read_statement, statement
from workbench.files import sha256_of
from workbench.paths import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.evidence.keys import Keyring, PublicKey
    from workbench.evidence.provenance import Provenance, StatedBuild
    from workbench.evidence.signer import Signer

TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelStatement:
    """What a statement says, which trusted key signed it (None where that was not asked), the keys it names.

    `digest` is the sha256 of its own JSON: the same, whoever signs it.
    """

    build: StatedBuild
    digest: str
    signer: PublicKey | None
    keyids: tuple[str, ...]


def write_statement(filename: str, sha256: str, made: Provenance, signers: Sequence[Signer] = ()) -> bytes:
    """Return a wheel's statement: in an envelope of DSSE where somebody signs it, else as it is.

    Raises ProofFailed where a wheel is to be signed into which the objects of other builds went.
    """
    if signers:
        _expect_whole(filename, made)
    document = json.dumps(statement(filename, sha256, made), indent=2).encode() + b"\n"
    return signed(document, signers) if signers else document


def _expect_whole(filename: str, made: Provenance) -> None:
    if made.took:
        raise ProofFailed(
            f"{filename}: it was made with {made.took}, and what is signed is built whole: build it again, with "
            "signing.key in workbench.yaml"
        )


def signed(document: bytes, signers: Sequence[Signer]) -> bytes:
    """Return a statement in an envelope."""
    from workbench.evidence.signer import sealed

    return sealed(document, TYPE, signers).write()


def signed_anew(content: bytes, signer: Signer, *, filename: str, sha256: str, where: str) -> bytes:
    """Return a statement of a wheel with the signature of one key alone.

    Raises ProofFailed as `check_statement`, and as `write_statement` for a wheel that is not signed.
    """
    stated = check_statement(content, filename=filename, sha256=sha256, keys=None, where=where)
    _expect_whole(filename, stated.build.made)
    envelope = read_envelope(content, where=where)
    return signed(content if envelope is None else envelope.payload, [signer])


def opened(
    content: bytes, *, keys: Keyring | None, where: str
) -> tuple[bytes, PublicKey | None, tuple[str, ...]]:
    """Return the JSON of a statement of in-toto, in an envelope or not, its trusted signer, the keys that it names.

    With `keys` one of them must have signed it. Raises ProofFailed.
    """
    envelope = read_envelope(content, where=where)
    if envelope is None:
        if keys is not None:
            raise ProofFailed(f"{where}: it is not signed")
        return content, None, ()
    if envelope.type != TYPE:
        raise ProofFailed(f"{where}: it holds {envelope.type!r:.80}, not a statement of in-toto")
    signer = None if keys is None else verify(envelope.signed, envelope.signatures, keys, where=where)
    return envelope.payload, signer, tuple(each.keyid for each in envelope.signatures)


def check_statement(
    content: bytes, *, filename: str, sha256: str, keys: Keyring | None, where: str
) -> WheelStatement:
    """Return what a statement says of a wheel, by its filename and its sha256.

    With `keys` one of them must have signed it. Raises ProofFailed for one that is changed or is of another wheel.
    """
    document, signer, keyids = opened(content, keys=keys, where=where)
    told = read_statement(read_json(document, where=where), where=where)
    if told.filename != filename:
        raise ProofFailed(f"{where}: it speaks of {told.filename}, not of {filename}")
    if told.sha256 != sha256:
        raise ProofFailed(
            f"{filename}: its sha256 is {sha256}, and its statement ({where}) speaks of {told.sha256}: the wheel "
            "was changed after it was made, or the statement is of another build"
        )
    digest = hashlib.sha256(document).hexdigest()
    return WheelStatement(build=told, digest=digest, signer=signer, keyids=keyids)


def expect_signed(content: bytes, keys: Keyring, *, where: str, wheel: str | Path) -> None:
    """Raise ProofFailed for a wheel's statement that none of these keys signed, which says what to do.

    `wheel` is what the wheel is called by a command.
    """
    try:
        opened(content, keys=keys, where=where)
    except ProofFailed as error:
        word = quote(str(wheel))
        raise ProofFailed(
            f"{error}. '{PROGRAM} evidence.show {word}' prints what it says; where you stand by that, '{PROGRAM} "
            f"evidence.sign {word}' signs it"
        ) from error


def prove(wheel: Path, sha256: str, keys: Keyring) -> WheelStatement:
    """Return what the signed statement beside a wheel says; `sha256` is the wheel's. Raises ProofFailed."""
    content = notes.statement_beside(wheel)
    if content is None:
        raise ProofFailed(
            f"{wheel}: no signed statement lies beside it ({notes.statement_path(wheel).name}): "
            f"'{PROGRAM} evidence.sign' makes one where the wheel was built"
        )
    where = str(notes.statement_path(wheel))
    return check_statement(content, filename=wheel.name, sha256=sha256, keys=keys, where=where)


def statement_of_file(wheel: Path) -> tuple[bytes, str]:
    """Return the statement of a wheel's file, the one beside it or one made of its notes, and the file's sha256.

    Raises ProofFailed where neither is there and where it is of other bytes, and WorkbenchError for damaged notes.
    """
    sha256, known = sha256_of(wheel), notes.recall(wheel)
    content = statement_to_publish(wheel, sha256, known.provenance if known else None, None)
    if content is None:
        raise ProofFailed(f"{wheel}: no file beside it says how it was made: it was built elsewhere")
    return content, sha256


def statement_to_publish(
    wheel: Path, sha256: str, made: Provenance | None, signer: Signer | None, keys: Keyring | None = None
) -> bytes | None:
    """Return the statement to publish with a wheel: the one beside it, or one made now; None where neither can be.

    With `keys`, which its readers trust, one of them must have signed the one beside it, and one that is made now could
    be signed. Raises ProofFailed where that is not so, and where it is of other bytes.
    """
    beside = notes.statement_beside(wheel)
    if beside is not None:
        where = str(notes.statement_path(wheel))
        if keys is not None:
            expect_signed(beside, keys, where=where, wheel=wheel)
        check_statement(beside, filename=wheel.name, sha256=sha256, keys=None, where=where)
        return beside
    if keys is not None and made is not None:
        _expect_whole(wheel.name, made)
    return write_statement(wheel.name, sha256, made, [signer] if signer else []) if made else None
