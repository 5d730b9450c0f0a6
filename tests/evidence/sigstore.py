"""A Sigstore of the tests' own: its authority, its two logs, and the attestations that a CI would get of it.

What it makes is of the form that the live one makes (Fulcio's certificates with their timestamps, RFC 6962; entries of
Rekor, kind dsse 0.0.1), so the library checks all of it: only the keys that it trusts are these.
"""

from __future__ import annotations

import base64
import hashlib
import inspect
import json
import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sigstore.models import TrustedRoot

from workbench.evidence.notes import attestation_path
from workbench.files import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

GITHUB = {
    8: "https://token.actions.githubusercontent.com",
    12: "https://github.com/someone/wheels",
    13: "0123456789abcdef0123456789abcdef01234567",
    14: "refs/heads/main",
    18: "https://github.com/someone/wheels/.github/workflows/wheels.yml@refs/heads/main",
}
"""What a certificate claims for a run on GitHub, by the numbers of Fulcio's oid-info.md."""

GITLAB = {
    8: "https://gitlab.com",
    12: "https://gitlab.com/some/group/wheels",
    13: "0123456789abcdef0123456789abcdef01234567",
    14: "refs/heads/main",
    18: "https://gitlab.com/some/group/wheels//.gitlab-ci.yml@refs/heads/main",
}

CIRCLECI = {
    8: "https://oidc.circleci.com",
    9: "https://circleci.com/api/v2/projects/c9035eb6/pipeline-definitions/fefb451c",
}

_NOW = datetime.now(UTC).replace(microsecond=0)
_SCT = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_SHA256 = ec.ECDSA(hashes.SHA256())
_JSON = "application/vnd.in-toto+json"

_PLACE = "sigstore-python/tuf/https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"
"""Where the library keeps the keys that it trusts, in a user's cache."""


def _b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _der(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.DER, form)


def _text(value: str) -> bytes:
    """Return a UTF8String of DER."""
    content = value.encode()
    return bytes([0x0C, *([len(content)] if len(content) < 0x80 else [0x81, len(content)])]) + content


def _usage(*what: str) -> x509.KeyUsage:
    """Return what a key may be used for."""
    names = list(inspect.signature(x509.KeyUsage).parameters)
    return x509.KeyUsage(**{name: name in what for name in names})


class Sigstore:
    """An authority and its logs, each with a key of its own."""

    def __init__(self) -> None:
        self._authority, self._certificates, self._log = (
            ec.generate_private_key(ec.SECP256R1()) for _ in range(3)
        )
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sigstore of the tests")])
        usage = _usage("key_cert_sign", "crl_sign")
        self._root = (
            self._certificate(self._name, self._authority.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._authority, hashes.SHA256())
        )

    def trusted_here(self, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Sigstore:
        """Have the library trust this one alone, here and in the programs that a test starts."""
        valid = {"start": "2020-01-01T00:00:00Z"}

        def log(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
            details = {"keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": valid}
            return {
                "baseUrl": "https://log.example.com",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {"rawBytes": _b64(_der(key)), **details},
                "logId": {"keyId": _b64(hashlib.sha256(_der(key)).digest())},
            }

        root = self._root.public_bytes(serialization.Encoding.DER)
        subject = {"organization": "tests", "commonName": "sigstore"}
        authority = {"certChain": {"certificates": [{"rawBytes": _b64(root)}]}, "validFor": valid}
        keys = {
            "mediaType": TrustedRoot.TrustedRootType.TRUSTED_ROOT_0_1,
            "tlogs": [log(self._log)],
            "ctlogs": [log(self._certificates)],
            "certificateAuthorities": [{"uri": "https://ca.example.com", "subject": subject, **authority}],
        }
        place = cache / _PLACE
        place.mkdir(parents=True)
        (place / "trusted_root.json").write_text(json.dumps(keys))
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
        return self

    def attest(self, wheel: Path, claims: dict[int, str] = GITHUB) -> Path:
        """Write the attestation of a wheel beside it, as of a run that has this identity; return where."""
        path = attestation_path(wheel)
        path.write_text(json.dumps(self.attestation(wheel.name, sha256_of(wheel), claims)))
        return path

    def attestation(self, filename: str, sha256: str, claims: dict[int, str] = GITHUB) -> dict[str, Any]:
        """Return the attestation of a file."""
        statement = json.dumps(
            {
                "_type": "https://in-toto.io/Statement/v1",
                "subject": [{"name": filename, "digest": {"sha256": sha256}}],
                "predicateType": "https://docs.pypi.org/attestations/publish/v1",
                "predicate": None,
            }
        ).encode()
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = self._leaf(key, claims)
        signature = key.sign(
            b"DSSEv1 %d %s %d %s" % (len(_JSON), _JSON.encode(), len(statement), statement), _SHA256
        )
        return {
            "version": 1,
            "verification_material": {
                "certificate": _b64(leaf.public_bytes(serialization.Encoding.DER)),
                "transparency_entries": [self._entry(leaf, statement, signature)],
            },
            "envelope": {"statement": _b64(statement), "signature": _b64(signature)},
        }

    def _certificate(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        own = x509.SubjectKeyIdentifier.from_public_key(key)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._authority.public_key())
        return (
            x509.CertificateBuilder(
                issuer_name=self._name,
                subject_name=subject,
                public_key=key,
                serial_number=x509.random_serial_number(),
                not_valid_before=_NOW - timedelta(minutes=1),
                not_valid_after=_NOW + timedelta(minutes=10),
            )
            .add_extension(own, critical=False)
            .add_extension(issuer, critical=False)
        )

    def _leaf(self, key: ec.EllipticCurvePrivateKey, claims: dict[int, str]) -> x509.Certificate:
        """Return a certificate for a key, with the timestamp of the log of certificates in it (RFC 6962, 3.2)."""
        usage = _usage("digital_signature")
        identity = x509.UniformResourceIdentifier(claims.get(18) or claims.get(9) or "https://example.com/")
        made = (
            self._certificate(x509.Name([]), key.public_key())
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectAlternativeName([identity]), critical=True)
        )
        for number, value in claims.items():
            claim = x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{number}")
            made = made.add_extension(x509.UnrecognizedExtension(claim, _text(value)), critical=False)
        told = made.sign(self._authority, hashes.SHA256()).tbs_certificate_bytes
        when = int(_NOW.timestamp() * 1000)
        issuer = hashlib.sha256(_der(self._authority)).digest()
        signed = struct.pack("!BBQH", 0, 0, when, 1) + issuer + len(told).to_bytes(3, "big") + told + b"\0\0"
        signature = self._certificates.sign(signed, _SHA256)
        log = hashlib.sha256(_der(self._certificates)).digest()
        stamp = struct.pack("!B32sQHBBH", 0, log, when, 0, 4, 3, len(signature)) + signature
        stamps = struct.pack("!HH", len(stamp) + 2, len(stamp)) + stamp
        octets = bytes([0x04, len(stamps)]) + stamps
        return made.add_extension(x509.UnrecognizedExtension(_SCT, octets), critical=False).sign(
            self._authority, hashes.SHA256()
        )

    def _entry(self, leaf: x509.Certificate, statement: bytes, signature: bytes) -> dict[str, Any]:
        """Return the entry of the log, the first and only one of it, with its proof and its promise."""
        pem = leaf.public_bytes(serialization.Encoding.PEM)
        payload = {"algorithm": "sha256", "value": hashlib.sha256(statement).hexdigest()}
        spec: dict[str, Any] = {
            "envelopeHash": {"algorithm": "sha256", "value": "0" * 64},
            "payloadHash": payload,
            "signatures": [{"signature": _b64(signature), "verifier": _b64(pem)}],
        }
        body = rfc8785.dumps({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})
        root, log = hashlib.sha256(b"\0" + body).digest(), hashlib.sha256(_der(self._log)).digest()
        note = f"log.example.com - 1\n1\n{_b64(root)}\n"
        checkpoint = f"{note}\n— log.example.com {_b64(log[:4] + self._log.sign(note.encode(), _SHA256))}\n"
        when = int(_NOW.timestamp())
        promised: dict[str, Any] = {
            "body": _b64(body),
            "integratedTime": when,
            "logID": log.hex(),
            "logIndex": 0,
        }
        promise = self._log.sign(rfc8785.dumps(promised), _SHA256)
        return {
            "logIndex": "0",
            "logId": {"keyId": _b64(log)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(when),
            "inclusionPromise": {"signedEntryTimestamp": _b64(promise)},
            "inclusionProof": {
                "logIndex": "0",
                "treeSize": "1",
                "rootHash": _b64(root),
                "hashes": [],
                "checkpoint": {"envelope": checkpoint},
            },
            "canonicalizedBody": _b64(body),
        }
