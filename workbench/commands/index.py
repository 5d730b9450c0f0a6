"""``index`` and ``serve``: the pages drawn again, and served for a try-out."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workbench import console
from workbench.environment import package_index
from workbench.errors import UsageError
from workbench.index.folder import Drawn, write
from workbench.index.serve import Server
from workbench.store.opening import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.site import Site


def redraw(site: Site) -> Drawn:
    """Draw ``index/`` from ``packages.json``. Raises RegistryError, IndexFault."""
    with console.step("draw index/") as at:
        drawn = write(site.registry, site.index, site.settings)
        at.outcome = f"{drawn.written} written, {drawn.unchanged} unchanged, {drawn.removed} removed"
    return drawn


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
