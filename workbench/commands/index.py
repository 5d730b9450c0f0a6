"""``index`` and ``serve``: the pages drawn again, and served for a try-out."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workbench import console
from workbench.index.folder import Drawn, write
from workbench.index.serve import Server

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


def serve(root: Path, *, port: int) -> None:
    """Serve a store's folder on loopback until Ctrl-C."""
    with Server(root, port=port) as server:
        url = f"{server.url}index/"
        console.answer(f"for people:  {url}\nfor pip, uv:  {url}simple/\nCtrl-C ends it.")
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
