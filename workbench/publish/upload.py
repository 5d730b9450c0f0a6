"""``upload``: verified wheels into the store, the registry and the index."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename

from workbench.errors import UsageError
from workbench.events import note
from workbench.evidence import notes as built
from workbench.files import expect_file
from workbench.make.verification import require_passed, verify_wheels
from workbench.publish.projects import package_facts
from workbench.publish.publication import Candidate
from workbench.publish.transaction import Published, publish
from workbench.recipe.load import load, names
from workbench.store.layout import log_key, patch_key
from workbench.verify.report import findings_text
from workbench.wheel.filename import parse_wheel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.evidence.facts import BuildFacts
    from workbench.paths import Paths
    from workbench.settings import Settings
    from workbench.store.protocol import Store
    from workbench.verify.report import Report


def upload_wheels(
    paths: Paths,
    settings: Settings,
    store: Store,
    wheels: Sequence[Path],
    *,
    dry_run: bool = False,
    may_shrink: bool = False,
    deep: bool = False,
) -> Published:
    """Verify wheels (those verified before are not read again) and publish them, all or none.

    Raises VerificationFailed where one does not pass, its findings having been shown, and what `upload` raises: for a
    wheel without a recipe before any is verified.
    """
    for wheel in wheels:
        with suppress(InvalidWheelFilename):  # which is a finding
            _expect_recipe(expect_file(wheel), parse_wheel(wheel.name).name, paths)
    reports = verify_wheels(wheels, paths, reuse=True)
    for each in reports:
        if not each.passed:
            note(findings_text(each))
    require_passed(reports)
    return upload(paths, settings, store, reports, dry_run=dry_run, may_shrink=may_shrink, deep=deep)


def upload(
    paths: Paths,
    settings: Settings,
    store: Store,
    reports: Sequence[Report],
    *,
    dry_run: bool = False,
    may_shrink: bool = False,
    deep: bool = False,
) -> Published:
    """Publish the wheels of passed reports.

    Raises UsageError for a wheel of a package without a recipe, or with a damaged file of attestations beside it, and
    what publishing raises.
    """
    candidates = [_candidate(report, paths) for report in reports]
    return publish(paths, settings, store, candidates, dry_run=dry_run, may_shrink=may_shrink, deep=deep)


def _expect_recipe(wheel: Path, name: str, paths: Paths) -> None:
    if name not in names(paths.recipes):
        raise UsageError(
            f"{wheel.name}: {name} has no recipe, which says where a package comes from: "
            f"'invoke add-package {name} --source ...' makes one"
        )


def _candidate(report: Report, paths: Paths) -> Candidate:
    _expect_recipe(report.path, report.name, paths)
    recipe = load(paths.recipes, report.name)
    known = built.recall(report.path)
    facts, texts = _evidence(report, known.facts, paths.patches / recipe.patches) if known else (None, {})
    return Candidate.of(
        report,
        package_facts(recipe),
        now=datetime.now(UTC),
        build_key=known.build_key if known else None,
        build=facts,
        provenance=_attestations(report.path),
        texts=texts,
    )


def _attestations(wheel: Path) -> bytes | None:
    """Return the provenance object (PEP 740) that lies beside a wheel, if there is one. Raises UsageError."""
    path = wheel.with_name(f"{wheel.name}.provenance")
    try:
        content = path.read_bytes()
        bundles = json.loads(content)["attestation_bundles"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        bundles = None
    if not isinstance(bundles, list):
        raise UsageError(
            f"{path} is not a provenance object (PEP 740), which has a list of attestation_bundles: make it again, or "
            "move it away to publish the wheel without one"
        )
    return content


def _evidence(report: Report, facts: BuildFacts, series: Path) -> tuple[BuildFacts, dict[str, bytes]]:
    """Return a build's facts with links to its log and its patches, and by key what they lead to."""
    texts: dict[str, bytes] = {}
    log_link = None
    if log := built.log_of(report.path):
        log_link = log_key(report.name, report.path.name, hashlib.sha256(log).hexdigest())
        texts[log_link] = log
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
    return replace(facts, log=log_link, patches=tuple(patches)), texts
