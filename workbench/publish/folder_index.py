"""``index --from``: pages for the wheels in a folder, wherever that is going to be served, without a registry."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from workbench.errors import UsageError, VerificationFailed
from workbench.events import note
from workbench.files import scratch, write_whole
from workbench.index.tree import outdated, write
from workbench.make.verification import verify_wheels
from workbench.publish.upload import entry_of
from workbench.registry.file import dumps
from workbench.registry.model import Package, Registry
from workbench.settings import PASTABLE
from workbench.text import counted
from workbench.url import has_secret
from workbench.verify.report import findings_text
from workbench.wheel.metadata import read_metadata

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.index.tree import Drawn, Outdated
    from workbench.paths import Paths
    from workbench.registry.model import PublishedWheel
    from workbench.settings import Settings
    from workbench.verify.report import Report

PAGES = "index"
"""The folder of the pages, below that of the wheels."""

_READABLE = ("archive", "record", "metadata", "tags")
"""The checks without which installers cannot use a wheel; what others find is told."""


def draw_folder(
    folder: Path, base_url: str, paths: Paths, settings: Settings, *, dry_run: bool = False
) -> Drawn | Outdated:
    """Draw pages for a folder's wheels into its ``index/``; they link to files below `base_url`, where it is served.

    Raises UsageError for what is not a folder of wheels or not a URL, VerificationFailed for a wheel that installers
    cannot use, and what drawing raises.
    """
    base = _expect_base(base_url)
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise UsageError(
            f"--from {folder}: {'there are no wheels in it' if folder.is_dir() else 'no such folder'}"
        )
    registry = _registry(verify_wheels(wheels, paths, reuse=True, static=True), base)
    try:
        with scratch(folder, ".registry.") as beside:
            file = beside / "packages.json"
            write_whole(file, dumps(registry))
            if dry_run:
                return outdated(file, folder / PAGES, settings)
            return write(file, folder / PAGES, settings)
    finally:
        with suppress(OSError):  # what drawing works in is empty now, and the folder is for somebody to serve
            (folder / ".workbench").rmdir()


def _expect_base(url: str) -> str:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment)
    except ValueError:
        sound = False
    if not sound or has_secret(url):
        raise UsageError(
            f"--base-url {url}: give the http or https URL where the folder is going to be served"
        )
    if not PASTABLE.fullmatch(url):  # pages show lines with it
        raise UsageError(
            f"--base-url {url}: cannot be pasted into a command line: write such characters percent-encoded (%20 is a "
            "space)"
        )
    return url if url.endswith("/") else f"{url}/"


def _registry(reports: tuple[Report, ...], base: str) -> Registry:
    unusable = [each for each in reports if any(finding.check in _READABLE for finding in each.findings)]
    for each in reports:
        if not each.passed:
            note(findings_text(each))
    if unusable:
        names = ", ".join(each.path.name for each in unusable)
        raise VerificationFailed(
            f"installers cannot use {counted(len(unusable), 'wheel')} of {len(reports)}: {names}. Build or download "
            "them again, or move them away"
        )
    registry = Registry()
    for each in reports:
        if each.name not in registry.packages:
            registry = registry.with_package(each.name, _package(each, base))
        registry = registry.with_wheel(each.name, _entry(each, base))
    return registry


def _package(report: Report, base: str) -> Package:
    raw, _ = read_metadata(report.metadata)
    return Package(
        source_repo=raw.get("home_page") or base,
        description=raw.get("summary", ""),
        license=raw.get("license_expression"),
    )


def _entry(report: Report, base: str) -> PublishedWheel:
    changed = datetime.fromtimestamp(report.path.stat().st_mtime, UTC)
    return entry_of(report, f"{base}{quote(report.path.name, safe='~')}", changed)
