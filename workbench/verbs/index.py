"""``index``, ``serve`` and ``check-index``: the pages drawn again, served for a try-out, and anybody's checked."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from workbench import console
from workbench.environment import package_index
from workbench.errors import IndexCheckFailed, UsageError
from workbench.index.folder import Drawn, Outdated, outdated, write
from workbench.index.serve import Server
from workbench.store.layout import INDEX, REGISTRY
from workbench.store.opening import open_store
from workbench.url import without_login

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.settings import Settings
    from workbench.simple.check import IndexReport


def redraw(paths: Paths, settings: Settings) -> Drawn:
    """Draw ``index/`` from ``packages.json``. Raises RegistryError, IndexFault."""
    with console.step("draw index/") as at:
        folder = _folder(paths, settings)
        drawn = write(folder / REGISTRY, folder / INDEX, settings)
        at.outcome = f"{drawn.written} written, {drawn.unchanged} unchanged, {drawn.removed} removed"
    return drawn


def would_redraw(paths: Paths, settings: Settings) -> Outdated:
    """Return what drawing would write and remove. Raises RegistryError, IndexFault."""
    folder = _folder(paths, settings)
    return outdated(folder / REGISTRY, folder / INDEX, settings)


def _folder(paths: Paths, settings: Settings) -> Path:
    """Return where registry and pages lie: the store, if that is a folder, or the checkout's copies of a bucket's."""
    return paths.root / (settings.store.folder or ".")


def report_outdated(found: Outdated, *, json: bool) -> None:
    """Print what drawing would write and remove."""
    if json:
        console.answer_json(asdict(found))
        return
    for path in found.written:
        console.answer(f"would draw {path}")
    for path in found.removed:
        console.answer(f"would remove {path}")


def report_drawn(drawn: Drawn, *, json: bool) -> None:
    """Print what was drawn, for programs; a person has seen the step."""
    if json:
        console.answer_json(asdict(drawn))


def serve(paths: Paths, settings: Settings, *, port: int) -> None:
    """Serve the site's store, a folder, on loopback until Ctrl-C.

    Raises UsageError for a store that is none, and for a port that cannot be had.
    """
    folder = open_store(paths, settings).folder
    if folder is None:
        raise UsageError(f"the store is no folder: its index is at {settings.public_url}/index/")
    index = package_index()
    elsewhere = without_login(index)
    try:
        server = Server(folder, port=port, elsewhere=elsewhere)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "ports go up to 65535"
        raise UsageError(f"--port {port}: {why}; --port 0 takes a free one") from error
    with server:
        url = f"{server.url}index/"
        console.answer(
            f"for people:  {url}\nfor pip, uv:  {url}simple/\n"
            "What is not published here comes from the package index. Ctrl-C ends it."
        )
        if elsewhere != index:
            console.note(
                f"Your login to {elsewhere} is told to nobody who asks here: installers need it in their ~/.netrc."
            )
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.note("")


def examine(where: str, *, hashes: bool) -> IndexReport:
    """Check any simple index, by its URL or its folder. Raises UsageError, IndexFault where there is none."""
    from workbench.simple.check import check_index  # it takes requests in, which a drawing can do without

    return check_index(where, hashes=hashes)


def report_findings(report: IndexReport, *, json: bool) -> None:
    """Print what was found and a summary. Raises IndexCheckFailed where one of the findings is an error."""
    if json:
        console.answer_json(asdict(report))
    else:
        for finding in report.findings:
            console.answer(f"{finding.severity}: {finding.where}: {finding.what}")
        counts = {
            "projects": report.projects,
            "files": report.files,
            "errors": report.errors,
            "warnings": len(report.findings) - report.errors,
        }
        console.answer_summary(report.where, [(what, str(count)) for what, count in counts.items()])
    if report.errors:
        errors = console.counted(report.errors, "error")
        raise IndexCheckFailed(f"{report.where}: {errors}; the findings stand above")
