"""A wheel's attestation (PEP 740): a CI whose identity Sigstore knows says that it published these very bytes.

It lies beside the wheel as ``<filename>.publish.attestation``, as pypi-attestations and twine have it, and is served as
the provenance object of PEP 740. It is checked against the keys of Sigstore that are on this machine: nobody is asked.
The library takes a second to import, and is imported only where there is an attestation.
"""

from __future__ import annotations

import json
import logging
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.errors import ProofFailed
from workbench.evidence.notes import attestation_path
from workbench.files import content_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pypi_attestations import Attestation

_CLAIM = "1.3.6.1.4.1.57264.1."
"""Before the number of a claim in Sigstore's certificates (Fulcio's oid-info.md)."""

_ISSUER, _SIGNER, _CONFIG = f"{_CLAIM}8", f"{_CLAIM}9", f"{_CLAIM}18"

_PUBLISHERS = {
    "https://token.actions.githubusercontent.com": (
        "GitHub",
        _CONFIG,
        r"https://github\.com/(?P<repository>[^/]+/[^/]+)/\.github/workflows/(?P<workflow>[^/@]+)@.+",
    ),
    "https://gitlab.com": (
        "GitLab",
        _CONFIG,
        r"https://gitlab\.com/(?P<repository>.+?)//(?P<workflow_filepath>[^@]+)@.+",
    ),
    "https://oidc.circleci.com": (
        "CircleCI",
        _SIGNER,
        r"https://circleci\.com/api/v2/projects/(?P<project_id>[^/]+)/pipeline-definitions/(?P<pipeline_definition_id>.+)",
    ),
}
"""By who vouches for an identity: the kind of publisher (PEP 740), the claim that names it, and how that is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """A wheel's attestation: the object as it was made, who made it, and the provenance object that is served."""

    attestation: dict[str, Any]
    publisher: str
    provenance: bytes


def attested(wheel: Path, sha256: str) -> Attested | None:
    """Return the attestation that lies beside a wheel, whose sha256 is known; None where none does.

    Raises ProofFailed for one that is damaged, of another file, or not Sigstore's.
    """
    path = attestation_path(wheel)
    if (content := content_of(path)) is None:
        return None
    _expect_keys()
    try:
        with _refusing(str(path), wheel.name):
            from pypi_attestations import Attestation

            made = json.loads(content)
            publisher = _publisher(Attestation.model_validate(made))
        # what the model does not know of stays in it
        served = {"version": 1, "attestation_bundles": [{"publisher": publisher, "attestations": [made]}]}
        provenance = json.dumps(served, separators=(",", ":")).encode()
        said = publisher_of(provenance, filename=wheel.name, sha256=sha256, where=str(path))
    except ProofFailed as error:
        raise ProofFailed(
            f"{error}. Make it again where the CI's identity is ('python -m pypi_attestations sign'), or move it away "
            "to go on without it"
        ) from error
    return Attested(attestation=made, publisher=said, provenance=provenance)


def attestation_in(provenance: bytes, *, where: str) -> bytes:
    """Return the one attestation of a provenance object that was made here, unchecked, as it lies beside a wheel.

    Raises ProofFailed where there is not one.
    """
    try:
        (bundle,) = json.loads(provenance)["attestation_bundles"]
        (made,) = bundle["attestations"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ProofFailed(
            f"{where}: it is not the provenance of one attestation, as this was published"
        ) from error
    return json.dumps(made).encode()


def publisher_of(provenance: bytes, *, filename: str, sha256: str, where: str) -> str:
    """Return who attested to a wheel, in words, by its provenance object. Raises ProofFailed where nobody did."""
    _expect_keys()
    with _refusing(where, filename):
        from pypi_attestations import Distribution, Provenance

        wheel = Distribution(name=filename, digest=sha256)
        said = []
        for bundle in Provenance.model_validate_json(provenance).attestation_bundles:
            for each in bundle.attestations:
                each.verify(bundle.publisher, wheel, offline=True)
                kind, *rest = filter(None, bundle.publisher.model_dump().values())
                said.append(f"{kind}: {', '.join(rest)}")
        if not said:
            raise ValueError("it holds no attestation")
        return "; ".join(dict.fromkeys(said))


def _publisher(attestation: Attestation) -> dict[str, str]:
    """Return the publisher (PEP 740) that a certificate names, which is not proved yet. Raises ValueError."""
    claims = attestation.certificate_claims
    issuer = claims.get(_ISSUER, "")
    if issuer not in _PUBLISHERS:
        raise ValueError(
            f"its identity is of {issuer or 'nobody'}, which is none of {', '.join(_PUBLISHERS)}"
        )
    kind, claim, form = _PUBLISHERS[issuer]
    named = re.fullmatch(form, claims.get(claim, ""))
    if named is None:
        raise ValueError(f"its certificate does not name what {kind} ran: {claims.get(claim, '')!r}")
    return {"kind": kind, **named.groupdict()}


def _expect_keys() -> None:
    """Raise ProofFailed where Sigstore's keys on this machine cannot be read: that is no attestation's fault.

    The library lays them out in the user's cache, which may be read-only; and a kill, or another process, may leave
    half a file.
    """
    from sigstore.verify import Verifier

    logging.getLogger("sigstore").setLevel(logging.ERROR)  # it warns that it asks nobody
    try:
        Verifier.production(offline=True)
    except OSError as error:
        raise ProofFailed(
            f"Sigstore's keys cannot be laid out in your cache: {error.filename}: {error.strerror}. Set XDG_CACHE_HOME "
            "to a folder that you can write to, and run this again"
        ) from error
    except Exception as error:
        raise ProofFailed(
            f"Sigstore's keys on this machine cannot be read: {_why(error)}. Remove the folder 'sigstore-python' from "
            "your cache (~/.cache), and run this again: they are laid out anew"
        ) from error


@contextmanager
def _refusing(where: str, filename: str) -> Iterator[None]:
    """Raise ProofFailed for whatever is wrong with an attestation: five libraries read it, each with its own errors."""
    try:
        yield
    except OSError:  # this machine's, not the attestation's
        raise
    except Exception as error:
        raise ProofFailed(f"{where}: not Sigstore's word on {filename}: {_why(error)}") from error


def _why(error: Exception) -> str:
    """Return on one line what is wrong."""
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
    return " ".join(str(error).split())[:300] or type(error).__name__
