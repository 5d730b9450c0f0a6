"""``yank``, ``unyank``, ``remove`` and ``import-registry``: changes to what is published."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import console
from workbench.errors import UsageError
from workbench.publish import changes
from workbench.publish.commit import commit_registry
from workbench.publish.projects import adopt
from workbench.registry.importing import Remark, import_older
from workbench.store.opening import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.publish.changes import Change
    from workbench.registry.model import Registry
    from workbench.site import Site


def yank(filenames: Sequence[str], site: Site, *, reason: str, dry_run: bool = False) -> Change:
    """Yank published wheels. Raises UsageError for one that is not published."""
    return changes.yank(site, open_store(site), _named(filenames), reason=reason, dry_run=dry_run)


def unyank(filenames: Sequence[str], site: Site, *, dry_run: bool = False) -> Change:
    """Take yanks back. Raises UsageError for a wheel that is not published."""
    return changes.unyank(site, open_store(site), _named(filenames), dry_run=dry_run)


def remove(filenames: Sequence[str], site: Site, *, after_days: int, dry_run: bool = False) -> Change:
    """Take wheels off the index now and out of the store later. Raises UsageError for one not published."""
    return changes.remove(site, open_store(site), _named(filenames), after_days=after_days, dry_run=dry_run)


def import_registry(file: Path, site: Site, *, dry_run: bool = False) -> tuple[Registry, tuple[Remark, ...]]:
    """Take what a registry of the older form holds into ours; return it and what was mended or refused.

    Raises RegistryError.
    """
    with console.step(f"read {file}"):
        registry, remarks = import_older(file)
    if not dry_run:
        remarks += tuple(
            Remark(entry=filename, outcome="refused", why="it is published here with other bytes")
            for filename in adopt(site, registry)
        )
    return registry, remarks


def commit_if(site: Site, *, wanted: bool) -> None:
    """Commit the registry where that was asked for, and say so. Raises UsageError, CommandFailed."""
    if wanted and commit_registry(site):
        console.note("committed packages.json")


def _named(words: Sequence[str]) -> tuple[str, ...]:
    """Return the filenames that words mean: a path's last part, as ``wheels/*.whl`` gives them."""
    if not words:
        raise UsageError("name the wheels, by their filenames as they are published")
    return tuple(Path(word).name for word in words)


def report(change: Change, *, json: bool) -> None:
    """Print what was changed, or would be."""
    if json:
        console.answer_json(change.as_dict())
        return
    for line in change.lines():
        console.answer(f"would {line}" if change.dry_run and change.done else line)


def report_import(registry: Registry, remarks: Sequence[Remark], *, json: bool) -> None:
    """Print what was taken in, and a line for each entry that was mended or refused."""
    wheels = [wheel.filename for _, wheel in registry.wheels()]
    if json:
        remarked = [asdict(remark) for remark in remarks]
        console.answer_json({"packages": list(registry.packages), "wheels": wheels, "remarks": remarked})
        return
    for remark in remarks:
        console.answer(f"{remark.outcome}: {remark.entry}: {remark.why}")
    console.answer(f"{len(registry.packages)} packages with {len(wheels)} wheels")
