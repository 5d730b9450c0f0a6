"""``yank``, ``unyank``, ``remove`` and ``import-registry``: changes to what is published."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import console
from workbench.errors import RegistryError, UsageError, WorkbenchError
from workbench.events import note, step
from workbench.files import content_of, expect_file
from workbench.publish import withdraw
from workbench.publish.commit import commit_registry, expect_checkout
from workbench.publish.projects import adopt
from workbench.registry.file import put_aside
from workbench.registry.importing import import_older
from workbench.store.opening import open_store
from workbench.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workbench.paths import Paths
    from workbench.publish.withdraw import Change
    from workbench.registry.importing import Remark
    from workbench.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What an import took in, or would take in.

    `packages` are those of the file that could be accepted, `new` the wheels of it that were not here before and
    `already` those that were. `kept` is where the old content of the site's own registry was put aside, if it is that.
    """

    packages: tuple[str, ...]
    new: tuple[str, ...]
    already: tuple[str, ...]
    remarks: tuple[Remark, ...]
    kept: Path | None
    dry_run: bool


def yank(
    filenames: Sequence[str], paths: Paths, settings: Settings, *, reason: str, dry_run: bool = False
) -> Change:
    """Yank published wheels. Raises UsageError for one that is not published."""
    return withdraw.yank(
        paths, settings, open_store(paths, settings), _named(filenames), reason=reason, dry_run=dry_run
    )


def unyank(filenames: Sequence[str], paths: Paths, settings: Settings, *, dry_run: bool = False) -> Change:
    """Take yanks back. Raises UsageError for a wheel that is not published."""
    return withdraw.unyank(paths, settings, open_store(paths, settings), _named(filenames), dry_run=dry_run)


def remove(
    filenames: Sequence[str], paths: Paths, settings: Settings, *, after_days: int, dry_run: bool = False
) -> Change:
    """Take wheels off the index now and out of the store later. Raises UsageError for one not published."""
    return withdraw.remove(
        paths,
        settings,
        open_store(paths, settings),
        _named(filenames),
        after_days=after_days,
        dry_run=dry_run,
    )


def import_registry(file: Path, paths: Paths, settings: Settings, *, dry_run: bool = False) -> Import:
    """Take what a registry of the older form holds into ours. With `dry_run`, only say what that would do.

    The file may be the site's own ``packages.json``: its old content is put aside then, and it is replaced.

    Raises RegistryError, and UsageError where there is no file.
    """
    document = expect_file(file).read_bytes()
    with step(f"read {file}"):
        registry, remarks = import_older(document, where=str(file))
    kept = None
    if file.resolve() == paths.registry.resolve():
        kept = put_aside(paths.registry, dry_run=dry_run)
    merged = adopt(paths, settings, open_store(paths, settings), registry, older=document, dry_run=dry_run)
    return Import(
        packages=tuple(registry.packages),
        new=merged.new,
        already=merged.already,
        remarks=(*remarks, *merged.remarks),
        kept=kept,
        dry_run=dry_run,
    )


@contextmanager
def committing(paths: Paths, *, wanted: bool) -> Iterator[None]:
    """Commit the registry after a change, where that was asked for, and say so.

    Where the change fails halfway, what it has published is committed as well. Raises UsageError before anything is
    changed where the site is no Git checkout, CommandFailed where Git refuses.
    """
    if not wanted:
        yield
        return
    expect_checkout(paths)
    before = content_of(paths.registry)
    try:
        yield
    except BaseException:
        if content_of(paths.registry) != before:
            try:
                _commit(paths)
            except (WorkbenchError, OSError) as error:  # the one that is on its way counts more
                note(f"packages.json is not committed: {error}")
        raise
    _commit(paths)


def _commit(paths: Paths) -> None:
    if commit_registry(paths):
        note("committed packages.json")


def _named(words: Sequence[str]) -> tuple[str, ...]:
    """Return the filenames that words mean, each once: a path's last part, as ``wheels/*.whl`` gives them."""
    if not words:
        raise UsageError("name the wheels, by their filenames as they are published")
    return tuple(dict.fromkeys(Path(word).name for word in words))


def report(change: Change, *, json: bool) -> None:
    """Print what was changed, or would be."""
    if json:
        console.answer_json(change)
        return
    for line in change.lines():
        console.answer(f"would {line}" if change.dry_run and change.done else line)


def report_import(done: Import, *, json: bool) -> None:
    """Print what was taken in, or would be, and a line for each entry that was mended or refused."""
    if json:
        console.answer_json(done)
        return
    for remark in done.remarks:
        console.answer(f"{remark.outcome}: {remark.entry}: {remark.why}")
    if done.kept:
        verb = "would keep" if done.dry_run else "kept"
        console.answer(f"{verb} the old content of packages.json in {done.kept}")
    verb = "would take" if done.dry_run else "took"
    packages, wheels = len(done.packages), len(done.new)
    console.answer(
        f"{verb} in {counted(packages, 'package')} with {counted(wheels, 'new wheel')}"
        + (f"; published here already: {len(done.already)}" if done.already else "")
    )


def expect_wheels(done: Import) -> None:
    """Raise RegistryError where the file had wheels and every one was refused."""
    refused = sum(remark.outcome == "refused" and "/" in remark.entry for remark in done.remarks)
    if refused and not (done.new or done.already):
        raise RegistryError(f"no wheel was taken in: {refused} refused, for the reasons above")
