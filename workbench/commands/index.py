"""``index`` and ``serve``: the pages drawn again, and served for a try-out."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import asdict
from io import BytesIO
from typing import TYPE_CHECKING

from workbench import console
from workbench.environment import package_index
from workbench.errors import IndexFault, UsageError
from workbench.index.check import Finding, check_index
from workbench.index.draw import STATE, draw, read_state
from workbench.index.folder import Drawn, write
from workbench.index.serve import Server
from workbench.registry.file import dumps
from workbench.registry.model import Registry
from workbench.store.opening import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from workbench.site import Site


def redraw(site: Site) -> Drawn:
    """Draw ``index/`` from ``packages.json``. Raises RegistryError, IndexFault."""
    with console.step("draw index/") as at:
        drawn = write(site.registry, site.index, site.settings)
        at.outcome = f"{drawn.written} written, {drawn.unchanged} unchanged, {drawn.removed} removed"
    return drawn


def outdated(site: Site) -> tuple[str, ...]:
    """Return the paths of the pages that drawing would write or remove. Raises RegistryError, IndexFault."""
    drawn = site.index / STATE
    state = read_state(drawn.read_bytes() if drawn.exists() else None, site.settings)
    registry = site.registry.read_bytes() if site.registry.exists() else dumps(Registry()).encode()
    changes = draw(BytesIO(registry), site.settings, state, where=str(site.registry))
    return tuple(change.path for change in changes if change.path != STATE)


def report_outdated(paths: Sequence[str], *, json: bool) -> None:
    """Print what drawing would write or remove."""
    if json:
        console.answer_json({"outdated": list(paths)})
        return
    for path in paths:
        console.answer(f"would draw {path}")


def report_drawn(drawn: Drawn, *, json: bool) -> None:
    """Print what was drawn, for programs; a person has seen the step."""
    if json:
        console.answer_json(asdict(drawn))


def serve(site: Site, *, port: int) -> None:
    """Serve the site's store, a folder, on loopback until Ctrl-C. Raises UsageError for a store that is none."""
    folder = open_store(site).folder
    if folder is None:
        raise UsageError(f"the store is no folder: its index is at {site.settings.public_url}/index/")
    with Server(folder, port=port, elsewhere=package_index()) as server:
        url = f"{server.url}index/"
        console.answer(
            f"for people:  {url}\nfor pip, uv:  {url}simple/\n"
            "What is not published here comes from the package index. Ctrl-C ends it."
        )
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.note("")


@contextmanager
def served(root: Path) -> Iterator[str]:
    """Serve a store's folder on a free port of loopback while the block runs, and yield the URL of ``simple/``."""
    with Server(root, quiet=True) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"{server.url}index/simple/"
        finally:
            server.shutdown()
            thread.join()


def examine(where: str, *, hashes: bool) -> tuple[Finding, ...]:
    """Check any simple index, by its URL or its folder. Raises IndexFault where there is none."""
    with console.step(f"read every page of {where}"):
        return check_index(where, hashes=hashes)


def report_findings(findings: Sequence[Finding], *, json: bool) -> None:
    """Print findings. Raises IndexFault where one of them is an error."""
    if json:
        console.answer_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            console.answer(f"{finding.severity}: {finding.where}: {finding.what}")
    errors = sum(finding.severity == "error" for finding in findings)
    if errors:
        raise IndexFault(f"{errors} errors; they stand above")
    if not json:
        console.answer("no errors" + (f", {len(findings)} warnings" if findings else ""))
