"""What is proved of one published wheel: its statement, its bytes, its bill of materials, its patches, its verdict."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.care.proven import linked_text, place_of, stored
from workbench.errors import ProofFailed
from workbench.evidence.attestations import publisher_of
from workbench.evidence.keys import short
from workbench.evidence.reproduction import FirstBuild, check_verdict
from workbench.evidence.sbom import sbom_of
from workbench.evidence.statements import check_statement
from workbench.files import temporary
from workbench.publish.wheel_files import own_provenance
from workbench.simple.fetch import Fetcher, why
from workbench.wheel.stream import BadBinary

if TYPE_CHECKING:
    from workbench.care.proven import ProvenIndex
    from workbench.evidence.statements import WheelStatement
    from workbench.registry.model import PublishedWheel


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenWheel:
    """A wheel of which all was found as its statement says: `steps` are what was looked at, in words."""

    filename: str
    url: str
    sha256: str
    stated: WheelStatement
    steps: tuple[str, ...]


def prove_wheel(
    index: ProvenIndex, project: str, wheel: PublishedWheel, fetcher: Fetcher, *, whole: bool = True
) -> ProvenWheel:
    """Prove a published wheel: its statement, and with `whole` its bytes and all that is published with it.

    Raises ProofFailed for what is missing or is not as the statement says.
    """
    stated = _stated(index, wheel, fetcher)
    signer = stated.signer
    steps = [
        f"the index's root is signed: generation {index.root.generation} of {project}'s index",
        f"the statement is signed by the key {short(signer.id) if signer else ''}",
    ]
    if whole:
        with temporary() as folder:
            steps += _prove_bytes(index, wheel, fetcher, folder / wheel.filename)
        _patches(index, wheel, stated, fetcher)
        if names := ", ".join(each.name for each in stated.build.made.of_role("patch")):
            steps.append(f"its patches are those of the statement: {names}")
        steps += _prove_verdict(index, wheel, stated, fetcher)
        steps += _prove_attestation(index, project, wheel, fetcher)
    place = place_of(index, wheel.url)
    return ProvenWheel(
        filename=wheel.filename, url=place, sha256=wheel.sha256, stated=stated, steps=tuple(steps)
    )


def proven_first_build(index: ProvenIndex, wheel: PublishedWheel, fetcher: Fetcher, into: Path) -> FirstBuild:
    """Return a published wheel, all of it proved, as something to build again; its file is downloaded to `into`.

    Raises ProofFailed as `prove_wheel` does.
    """
    stated = _stated(index, wheel, fetcher)
    _prove_bytes(index, wheel, fetcher, into)
    return FirstBuild(
        path=into,
        build=stated.build,
        statement=stated.digest,
        where=f"the statement of {wheel.filename}",
        patches=_patches(index, wheel, stated, fetcher),
    )


def _stated(index: ProvenIndex, wheel: PublishedWheel, fetcher: Fetcher) -> WheelStatement:
    """Return what the signed statement of a published wheel says."""
    key = wheel.build.statement if wheel.build else None
    if key is None:
        raise ProofFailed(f"{wheel.filename}: no statement of how it was made is published with it")
    content, where = linked_text(fetcher, index, key), place_of(index, key)
    return check_statement(
        content, filename=wheel.filename, sha256=wheel.sha256, keys=index.keys, where=where
    )


def _patches(
    index: ProvenIndex, wheel: PublishedWheel, stated: WheelStatement, fetcher: Fetcher
) -> dict[str, bytes]:
    """Return the texts of a wheel's patches by their sha256, those that are published.

    There is none of a patch that was changed since, nor where an older version registered a wheel that lies elsewhere.
    Raises ProofFailed where the registry names other patches than the statement, or links to another text.
    """
    stated_ones = {each.digest.get("sha256", ""): each.name for each in stated.build.made.of_role("patch")}
    listed = {each.sha256: each for each in wheel.build.patches} if wheel.build else {}
    others = [name for digest, name in stated_ones.items() if digest not in listed]
    others += [each.name for digest, each in listed.items() if digest not in stated_ones]
    texts = {sha256: linked_text(fetcher, index, each.url) for sha256, each in listed.items() if each.url}
    others += [listed[each].name for each, text in texts.items() if hashlib.sha256(text).hexdigest() != each]
    if others:
        names = ", ".join(dict.fromkeys(others))
        raise ProofFailed(f"{wheel.filename}: the published patches are not those of its statement: {names}")
    return texts


def _prove_verdict(
    index: ProvenIndex, wheel: PublishedWheel, stated: WheelStatement, fetcher: Fetcher
) -> list[str]:
    """See that the published verdict on a wheel, if there is one, is signed, about it, and as the registry says."""
    build = wheel.build
    if build is None or build.verdict is None:
        return []
    content, where = linked_text(fetcher, index, build.verdict), place_of(index, build.verdict)
    verdict = check_verdict(
        content,
        filename=wheel.filename,
        sha256=wheel.sha256,
        statement=stated.digest,
        keys=index.keys,
        where=where,
    )
    if verdict.found.identical is not build.reproduced:
        raise ProofFailed(f"{where}: the registry and this verdict disagree on what the second build gave")
    signer = short(verdict.signer.id) if verdict.signer else ""
    return [f"built again on {build.reproduced_on}: {verdict.found.outcome}, says the key {signer}"]


def _prove_attestation(
    index: ProvenIndex, project: str, wheel: PublishedWheel, fetcher: Fetcher
) -> list[str]:
    """See that the published attestation of a wheel, if there is one, is Sigstore's and about it."""
    if (key := own_provenance(project, wheel)) is None:
        return []
    content, where = stored(fetcher, index, key), place_of(index, key)
    publisher = publisher_of(content, filename=wheel.filename, sha256=wheel.sha256, where=where)
    return [f"Sigstore knows who published it: {publisher}"]


def _prove_bytes(index: ProvenIndex, wheel: PublishedWheel, fetcher: Fetcher, path: Path) -> list[str]:
    """Download a wheel; compare its sha256 with the registry's, and the published bill of materials with its own."""
    place = place_of(index, wheel.url)
    try:
        with path.open("xb") as file:
            sha256, _ = fetcher.read_through(place, f"fetch {wheel.filename}", into=file)
    except OSError as problem:
        raise ProofFailed(f"{place}: {why(problem)}") from problem
    if sha256 != wheel.sha256:
        raise ProofFailed(
            f"{place}: its sha256 is {sha256}, and the signed one {wheel.sha256}: the wheel was changed"
        )
    done = [f"the wheel has the signed sha256 ({wheel.sha256})"]
    if wheel.build and wheel.build.sbom:
        try:
            own = sbom_of(path)
        except BadBinary as error:
            raise ProofFailed(f"{place}: {error}") from error
        if linked_text(fetcher, index, wheel.build.sbom) != own:
            raise ProofFailed(f"{wheel.build.sbom}: it is not the bill of materials that is in the wheel")
        done.append("the published bill of materials is the wheel's own")
    return done
