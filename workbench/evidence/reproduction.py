"""The verdict on a wheel that was built again: a statement of in-toto (v1) of its own, about the wheel's bytes.

Its predicate is in-toto's test result (v0.1): what was tested is whether a build of the same provenance gives the same
bytes. What the workbench says beyond that stands in `EXTENSION`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from workbench.errors import ProofFailed
from workbench.evidence import notes
from workbench.evidence.differences import Difference
from workbench.evidence.dsse import read_json, text_of
from workbench.evidence.provenance import STATEMENT
from workbench.evidence.statements import opened, signed
from workbench.paths import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.evidence.facts import BuildFacts
    from workbench.evidence.keys import Keyring, PublicKey
    from workbench.evidence.provenance import StatedBuild
    from workbench.evidence.signer import Signer

PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
EXTENSION = "wheel-workbench"
_TEST = "built again, it has the same bytes"
MOST = 50
"""Differences that a verdict names: more tell nobody more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstBuild:
    """A wheel to be built again: its file, what its statement says, and what is needed beside that.

    `statement` is the sha256 of the statement's JSON, `where` says where that is from. `patches` are the texts that are
    published with it, by sha256: those in ``patches/`` do as well.
    """

    path: Path
    build: StatedBuild
    statement: str
    where: str
    patches: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """What came of a wheel that was built again: `rebuilt` is the sha256 of that build, `differences` where it differs.

    `statement` is the sha256 of the statement that it was built from, `finished` when (UTC, RFC 3339), by which version
    of the `workbench`, how isolated (`isolation`). `other_tools` says what it was built with that the first build was
    not.
    """

    filename: str
    sha256: str
    rebuilt: str
    statement: str
    finished: str
    workbench: str
    isolation: str
    other_tools: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether the bytes are the same."""
        return self.rebuilt == self.sha256

    @property
    def outcome(self) -> str:
        """The verdict, in words."""
        return "the same bytes" if self.identical else "other bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedVerdict:
    """What a verdict says, and which trusted key signed it: None where that was not asked."""

    found: Reproduction
    signer: PublicKey | None


def write_verdict(found: Reproduction, signers: Sequence[Signer] = ()) -> bytes:
    """Return a verdict: in an envelope of DSSE where somebody signs it, else as it is."""
    extension = asdict(found)
    del extension["filename"], extension["sha256"], extension["statement"]
    document = {
        "_type": STATEMENT,
        "subject": [{"name": found.filename, "digest": {"sha256": found.sha256}}],
        "predicateType": PREDICATE,
        "predicate": {
            "result": "PASSED" if found.identical else "FAILED",
            "configuration": [{"name": "provenance", "digest": {"sha256": found.statement}}],
            "passedTests": [_TEST] if found.identical else [],
            "failedTests": [] if found.identical else [_TEST],
            EXTENSION: {**extension, "differences": extension["differences"][:MOST]},
        },
    }
    content = json.dumps(document, indent=2).encode() + b"\n"
    return signed(content, signers) if signers else content


def check_verdict(
    content: bytes, *, filename: str, sha256: str, statement: str | None, keys: Keyring | None, where: str
) -> SignedVerdict:
    """Return what a verdict says of a wheel, by its filename, its sha256, and the sha256 of its statement's JSON.

    With `keys` one of them must have signed it. Raises ProofFailed for one that is changed, is of another wheel, or of
    another statement than the wheel's, where it has one.
    """
    document, signer, _ = opened(content, keys=keys, where=where)
    found = _read(read_json(document, where=where), where=where)
    if (found.filename, found.sha256) != (filename, sha256):
        raise ProofFailed(
            f"{where}: this verdict is about {found.filename} of sha256 {found.sha256}, and not about {filename} of "
            f"{sha256}: it is another wheel's, or the wheel was changed"
        )
    if statement is not None and found.statement != statement:
        raise ProofFailed(
            f"{where}: it was built again from another statement (sha256 {found.statement[:12]}…) than the one of "
            f"{filename} ({statement[:12]}…): '{PROGRAM} evidence.reproduce' makes a verdict on this one"
        )
    return SignedVerdict(found=found, signer=signer)


def verdict_beside(
    wheel: Path, sha256: str, *, statement: str | None, keys: Keyring | None
) -> tuple[bytes, Reproduction] | None:
    """Return the verdict that lies beside a wheel, and what it says, checked as `check_verdict` does; or None."""
    content, where = notes.verdict_of(wheel), str(notes.verdict_path(wheel))
    if content is None:
        return None
    said = check_verdict(
        content, filename=wheel.name, sha256=sha256, statement=statement, keys=keys, where=where
    )
    return content, said.found


def with_verdict(facts: BuildFacts, found: Reproduction, link: str | None) -> BuildFacts:
    """Return what the registry keeps of a build, with the verdict on its wheel, which can be read at `link`."""
    return replace(facts, verdict=link, reproduced=found.identical, reproduced_on=found.finished[:10])


def _read(data: Any, *, where: str) -> Reproduction:  # noqa: ANN401 - any value of JSON
    try:
        if (data["_type"], data["predicateType"]) != (STATEMENT, PREDICATE):
            raise ProofFailed(f"{where}: it is not a verdict (in-toto's test result v0.1)")
        (subject,), predicate = data["subject"], data["predicate"]
        (followed,), more = predicate["configuration"], predicate[EXTENSION]
        found = Reproduction(
            filename=text_of(subject["name"]),
            sha256=text_of(subject["digest"]["sha256"]),
            statement=text_of(followed["digest"]["sha256"]),
            other_tools=tuple(map(text_of, more["other_tools"])),
            differences=tuple(
                Difference(**{name: text_of(value) for name, value in each.items()})
                for each in more["differences"]
            ),
            **{name: text_of(more[name]) for name in ("rebuilt", "finished", "workbench", "isolation")},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProofFailed(
            f"{where}: it is not a verdict as the workbench makes them: {type(error).__name__}: {error}"
        ) from error
    if predicate.get("result") != ("PASSED" if found.identical else "FAILED"):
        raise ProofFailed(f"{where}: its result is not what its hashes say: it was changed")
    return found
