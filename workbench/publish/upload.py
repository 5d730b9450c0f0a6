"""Wheels to publish: verified, with what is known of how they were built."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.events import note
from workbench.evidence import notes as built
from workbench.evidence.attestations import attested
from workbench.evidence.reproduction import verdict_beside, with_verdict
from workbench.evidence.sbom import sbom_of
from workbench.evidence.statements import check_statement, statement_to_publish
from workbench.make.verification import expect_recipe
from workbench.publish.projects import package_facts
from workbench.publish.publication import Candidate
from workbench.registry.model import PublishedWheel
from workbench.store.layout import file_key, log_key, patch_key, sbom_key, statement_key, verdict_key
from workbench.text import timestamp
from workbench.wheel.library_facts import library_facts

if TYPE_CHECKING:
    from workbench.evidence.facts import BuildFacts
    from workbench.evidence.keys import Keyring
    from workbench.evidence.signer import Signer
    from workbench.paths import Paths
    from workbench.verify.report import Report
    from workbench.wheel.library_facts import LibraryFacts


def candidate(
    report: Report, paths: Paths, *, signer: Signer | None = None, keys: Keyring | None = None
) -> Candidate:
    """Return the candidate that a passed report speaks of. The wheel is not read or hashed again.

    `signer` signs its statement, unless somebody has where it was built; `keys` are those that readers trust, where the
    site signs. Raises UsageError for a wheel without a recipe, and ProofFailed for an attestation or a statement beside
    it that is of other bytes or is not sound, and for a statement that none of the keys signed.
    """
    name, filename = report.name, report.path.name
    recipe = expect_recipe(report.path, paths)
    known = built.recall(report.path)
    facts, texts = None, dict[str, bytes]()
    said = attested(report.path, report.sha256)
    if known:
        series = paths.patches / recipe.patches
        made = known.provenance
        statement = statement_to_publish(report.path, report.sha256, made, signer, keys)
        facts = replace(known.facts, isolation=made.isolation.kind if made else None)
        facts, texts = _evidence(report, facts, series, statement=statement, keys=keys)
    wheel = replace(
        entry_of(report, file_key(name, filename), datetime.now(UTC)),
        libraries=_libraries(report, facts),
        metadata_sha256=hashlib.sha256(report.metadata).hexdigest(),
        build_key=known.build_key if known else None,
        build=facts,
    )
    return Candidate(
        project=name,
        package=package_facts(recipe),
        wheel=wheel,
        path=report.path,
        identity=report.identity,
        metadata=report.metadata,
        provenance=said.provenance if said else None,
        texts=texts,
    )


def _libraries(report: Report, facts: BuildFacts | None) -> LibraryFacts | None:
    """Return what consumers want to know of its libraries before they download them; None where it has none."""
    if not report.libraries:
        return None
    found = library_facts(report.libraries, report.gpu_code)
    return replace(found, compute=facts.compute) if facts and facts.compute != "cpu" else found


def entry_of(report: Report, url: str, uploaded: datetime) -> PublishedWheel:
    """Return the registry's entry of a wheel that lies at a URL, as far as its report tells."""
    python, platform = _cell(report.tags[0])
    when = timestamp(uploaded)
    return PublishedWheel(
        filename=report.path.name,
        url=url,
        python_version=python,
        platform=platform,
        upload_date=when[:10],
        sha256=report.sha256,
        size=report.size,
        upload_time=when,
        requires_python=report.requires_python,
        gpu_architectures=report.gpu_architectures,
    )


def _cell(tag: str) -> tuple[str, str]:
    """Return the Python (``3.11``, ``3``) and the platform that a whole tag names."""
    interpreter, _, platform = tag.split("-")
    digits = re.fullmatch(r"[a-z]+(\d)(\d*)", interpreter)
    return (".".join(filter(None, digits.groups())) if digits else interpreter), platform


def _evidence(
    report: Report, facts: BuildFacts, series: Path, *, statement: bytes | None, keys: Keyring | None
) -> tuple[BuildFacts, dict[str, bytes]]:
    """Return a build's facts with links to the texts of it and to its patches, and by key what they lead to.

    One of the `keys`, where a site has any, must have signed a verdict that lies beside the wheel.
    """
    texts: dict[str, bytes] = {}

    def kept(text: bytes | None, key: Callable[[str, str, str], str]) -> str | None:
        if text is None:
            return None
        link = key(report.name, report.path.name, hashlib.sha256(text).hexdigest())
        texts[link] = text
        return link

    log = kept(built.log_of(report.path) or None, log_key)
    bill, stated = kept(sbom_of(report.path), sbom_key), kept(statement, statement_key)
    patches = []
    for patch in facts.patches:
        path = series / patch.name
        text = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(text).hexdigest() == patch.sha256:
            link = patch_key(report.name, patch.name, patch.sha256)
            texts[link] = text
            patches.append(replace(patch, url=link))
        else:
            note(f"· {path} is not what {report.path.name} was built with: its page names it, without a link")
            patches.append(patch)
    facts = replace(facts, log=log, sbom=bill, statement=stated, patches=tuple(patches))
    told = {"filename": report.path.name, "sha256": report.sha256, "where": str(report.path)}
    digest = check_statement(statement, keys=None, **told).digest if statement else None
    if verdict := verdict_beside(report.path, report.sha256, statement=digest, keys=keys):
        content, found = verdict
        facts = with_verdict(facts, found, kept(content, verdict_key))
    return facts, texts
