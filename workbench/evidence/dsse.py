"""Signed envelopes: DSSE v1 (Dead Simple Signing Envelope), the payload being JSON. Nothing here signs or verifies.

What is signed is not the JSON around it but `pae`, a plain concatenation: nobody has to agree on how JSON is written.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from workbench.errors import ProofFailed

_MAX_BYTES = 16 << 20
"""The longest document that is read: a statement has some kilobytes."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature and the id of the key that is said to have made it."""

    keyid: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload of a media type, and signatures of both."""

    type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    @property
    def signed(self) -> bytes:
        """What the signatures are of."""
        return pae(self.type, self.payload)

    def write(self) -> bytes:
        """Return the envelope as JSON, with a line feed at its end."""
        signatures = [{"keyid": each.keyid, "sig": _encoded(each.value)} for each in self.signatures]
        document = {
            "payload": _encoded(self.payload),
            "payloadType": self.type,
            "signatures": signatures,
        }
        return json.dumps(document, indent=2).encode() + b"\n"


def pae(kind: str, payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding of a payload of a media type."""
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)


def read_json(content: bytes, *, where: str) -> Any:  # noqa: ANN401 - any value of JSON
    """Return what a document of JSON holds. Raises ProofFailed for another, and for one that is too long."""
    if len(content) > _MAX_BYTES:
        raise ProofFailed(f"{where}: more than {_MAX_BYTES:,} bytes, too many to be true")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ProofFailed(f"{where}: it is not JSON, so it was changed or damaged: {error}") from error


def read_envelope(content: bytes, *, where: str) -> Envelope | None:
    """Return the envelope that a document is; None for a document of JSON that is not one. Raises ProofFailed."""
    document = read_json(content, where=where)
    if not isinstance(document, dict) or "payloadType" not in document:
        return None
    try:
        return Envelope(
            type=text_of(document["payloadType"]),
            payload=_decoded(document["payload"]),
            signatures=tuple(
                Signature(text_of(each["keyid"]), _decoded(each["sig"])) for each in document["signatures"]
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ProofFailed(
            f"{where}: it is not an envelope of DSSE: {type(error).__name__}: {error}"
        ) from error


def _encoded(data: bytes) -> str:
    return base64.standard_b64encode(data).decode()


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(text_of(text), validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error


def text_of(value: object) -> str:
    """Return a value of JSON that is a string. Raises TypeError for another."""
    if not isinstance(value, str):
        raise TypeError(f"expected a string, got {value!r:.60}")
    return value
