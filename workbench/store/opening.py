"""The store that a site's settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.store.folder import FolderStore

if TYPE_CHECKING:
    from workbench.site import Site
    from workbench.store.protocol import Store


def open_store(site: Site) -> Store:
    """Return the site's store. Nothing is asked of it yet."""
    settings = site.settings.store
    if settings.s3 is not None:
        from workbench.store.s3 import S3Store

        return S3Store(settings.s3, memory=site.state / "stores")
    return FolderStore((site.root / (settings.folder or ".")).resolve())
