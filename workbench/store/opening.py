"""A site with the store that its settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from workbench.store.folder import FolderStore

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.settings import Settings
    from workbench.store.protocol import Store


class Site(NamedTuple):
    """A site as its publishers see it: its folder, its settings, and the store that these name."""

    paths: Paths
    settings: Settings
    store: Store


def open_site(paths: Paths, settings: Settings) -> Site:
    """Return a site with its store, of which nothing is asked yet."""
    if settings.store.s3 is not None:
        from workbench.store.s3 import S3Store

        return Site(paths, settings, S3Store(settings.store.s3, memory=paths.state / "stores"))
    folder = (paths.root / (settings.store.folder or ".")).resolve()
    return Site(paths, settings, FolderStore(folder))
