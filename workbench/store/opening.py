"""The store that a site's settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.store.folder import FolderStore

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.settings import Settings
    from workbench.store.protocol import Store


def open_store(paths: Paths, settings: Settings) -> Store:
    """Return the site's store. Nothing is asked of it yet."""
    if settings.store.s3 is not None:
        from workbench.store.s3 import S3Store

        return S3Store(settings.store.s3, memory=paths.state / "stores")
    return FolderStore((paths.root / (settings.store.folder or ".")).resolve())
