"""The store's own verbs: its history and the way back, its upkeep, its setup, its health."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench import console
from workbench.care import doctor, upkeep
from workbench.care import reconcile as healing
from workbench.errors import StoreError, UsageError
from workbench.publish import history
from workbench.store.opening import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.care.diagnosis import Diagnosis
    from workbench.care.reconcile import Healed
    from workbench.paths import Paths
    from workbench.publish.history import Generation
    from workbench.publish.withdraw import Change
    from workbench.settings import Settings
    from workbench.store.bucket import Setting


def generations(paths: Paths, settings: Settings, *, limit: int) -> tuple[Generation, ...]:
    """Return the last generations of the store, the current one first."""
    return history.history(open_store(paths, settings), limit=limit)


def rollback(paths: Paths, settings: Settings, generation: str, *, dry_run: bool) -> Change:
    """Publish again what a generation published. Raises UsageError for one that is not kept."""
    if not generation.isdecimal():
        raise UsageError(f"rollback {generation}: a generation is a number; 'invoke history' lists them")
    return history.rollback(paths, settings, open_store(paths, settings), int(generation), dry_run=dry_run)


def prune(paths: Paths, settings: Settings, *, keep: int, after_days: int, apply: bool) -> Change:
    """Remove what newer versions have superseded; without `apply`, only say so. Raises UsageError."""
    return upkeep.prune(
        paths, settings, open_store(paths, settings), keep=keep, after_days=after_days, apply=apply
    )


def reconcile(paths: Paths, settings: Settings, *, deep: bool, dry_run: bool) -> Healed:
    """Bring registry, pages and files into agreement."""
    with console.step("compare registry, pages and files"):
        return healing.reconcile(paths, settings, open_store(paths, settings), deep=deep, dry_run=dry_run)


def clean(paths: Paths, settings: Settings, *, older_days: int, apply: bool) -> Change:
    """Remove what killed publishers left behind; without `apply`, only say so."""
    return upkeep.clean(paths, settings, open_store(paths, settings), older_days=older_days, apply=apply)


def setup(settings: Settings, *, apply: bool) -> tuple[Setting, ...]:
    """Return what the bucket needs beside its objects, and make it so with `apply`. Raises UsageError, StoreError."""
    if settings.store.s3 is None:
        raise UsageError("store-setup is for a bucket; the store is a folder, which needs none")
    from workbench.store.bucket import setup
    from workbench.store.s3 import S3Store

    return setup(S3Store(settings.store.s3), apply=apply)


def examine(paths: Paths, settings: Settings, *, deep: bool) -> tuple[Diagnosis, ...]:
    """Check everything between a publisher's credentials and a user's pip."""
    with console.step("examine the store and what is published"):
        return doctor.doctor(paths, settings, open_store(paths, settings), deep=deep)


def report_generations(found: Sequence[Generation], *, json: bool) -> None:
    """Print generations, the current one first."""
    if json:
        console.answer_json(found)
        return
    rows = [
        (
            f"{each.generation}{' (current)' if each.current else ''}",
            each.updated or "",
            str(each.wheels),
            each.change,
        )
        for each in found
    ]
    console.answer_table(("generation", "made", "wheels", "by"), rows)
    if found and not any(each.current for each in found):
        console.note("the registry itself is gone, or damaged: 'invoke reconcile' makes it anew")


def report_healed(healed: Healed, *, json: bool) -> None:
    """Print what was healed. Raises StoreError where something could not be."""
    if json:
        console.answer_json(healed)
    else:
        for line in healed.lines():
            console.answer(line)
    if healed.problems:
        raise StoreError(
            f"{console.counted(len(healed.problems), 'thing')} could not be mended, as told above"
        )


def report_settings(settings: Sequence[Setting], *, json: bool) -> None:
    """Print what a bucket needs. Raises StoreError where the store refused some of it."""
    if json:
        console.answer_json(settings)
    else:
        for each in settings:
            console.answer(f"{each.name}: {each.state}{f': {each.why}' if each.why else ''}")
            if each.state == "missing":
                console.answer_json(each.document)
    refused = [each.name for each in settings if each.state == "refused"]
    if refused:
        raise StoreError(f"the store refuses {', '.join(refused)}")


def report_findings(findings: Sequence[Diagnosis], *, json: bool) -> None:
    """Print findings, the remedy under each bad one. Raises StoreError where there are bad ones."""
    if json:
        console.answer_json(findings)
    else:
        marks = {"good": "✓", "bad": "✗", "untried": "–"}
        rows = [
            (marks[each.verdict], each.check, each.what + (f"\n→ {each.remedy}" if each.remedy else ""))
            for each in findings
        ]
        console.answer_table(("", "check", "finding"), rows)
    bad = [each.check for each in findings if each.verdict == "bad"]
    if bad:
        raise StoreError(f"not well: {', '.join(bad)}")
