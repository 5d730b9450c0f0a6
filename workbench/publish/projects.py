"""Projects that come into the registry without a publish: declared by a recipe, or adopted from another registry."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.publish.pages import draw_pages
from workbench.publish.registry import amend
from workbench.store.opening import open_store

if TYPE_CHECKING:
    from workbench.registry.model import Package, Registry
    from workbench.site import Site


def declare(site: Site, name: str, package: Package) -> None:
    """Register a project without wheels, or new facts of one that is registered, and draw its page."""
    store = open_store(site)
    store.prepare()

    def change(registry: Registry) -> Registry:
        known = registry.packages.get(name)
        return registry.with_package(name, known.described_by(package) if known else package)

    amend(store, change, f"declare {name}")
    draw_pages(site, store)


def adopt(site: Site, imported: Registry) -> tuple[str, ...]:
    """Register the projects and the wheels of another registry that ours does not have, and draw their pages.

    What ours has stays as it is. Return the filenames that ours has, or had, with other bytes.
    """
    store = open_store(site)
    store.prepare()
    known: dict[str, str] = {}

    def change(registry: Registry) -> Registry:
        known.update((gone.filename, gone.sha256) for gone in registry.removed)
        known.update((wheel.filename, wheel.sha256) for _, wheel in registry.wheels())
        for name, package in imported.packages.items():
            wheels = tuple(wheel for wheel in package.wheels if wheel.filename not in known)
            mine = registry.packages.get(name) or replace(package, wheels=())
            registry = registry.with_package(name, replace(mine, wheels=(*mine.wheels, *wheels)))
        return registry

    amend(store, change, "import a registry")
    draw_pages(site, store)
    return tuple(
        wheel.filename
        for _, wheel in imported.wheels()
        if known.get(wheel.filename, wheel.sha256) != wheel.sha256
    )
