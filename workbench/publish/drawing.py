"""The pages of a store, drawn from the registry that lies in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import RegistryError, StoreError
from workbench.events import note
from workbench.files import content_of, locked, write_whole
from workbench.index.draw import STATE
from workbench.index.tree import Drawn, outdated, write
from workbench.paths import PROGRAM
from workbench.publish import bucket_drawing
from workbench.publish.amend import is_own, loaded, wait
from workbench.publish.bucket_drawing import served_as
from workbench.publish.signing import sign_root
from workbench.registry.file import OlderForm, put_aside
from workbench.store.layout import INDEX, REGISTRY

if TYPE_CHECKING:
    from workbench.index.output import Page
    from workbench.settings import Settings
    from workbench.store.opening import Site
    from workbench.store.protocol import Store

ATTEMPTS = 20
COPYING = "registry.lock"
"""The lock, in a site's own corner, of who writes or commits the checkout's copy of the registry."""


def draw_pages(site: Site, *, afresh: bool = False) -> Drawn:
    """Bring a site's pages, its signed root, and the checkout's copy of its registry, up to the store's registry.

    Another publisher may do the same meanwhile. `afresh` looks at every page. Raises what drawing raises, StoreError.
    """
    store, settings = site.store, site.settings
    if store.folder is not None:
        if afresh:
            store.delete(INDEX + STATE)
        drawn = write(store.folder / REGISTRY, store.folder / INDEX, settings)
        if not is_own(site):
            _copy_registry(site)
        sign_root(site)
        return drawn
    for attempt in range(ATTEMPTS):
        there = bucket_drawing.look(store)
        drawing = bucket_drawing.plan(store, settings, there, afresh=afresh)
        if bucket_drawing.carry_out(store, there, drawing) and _copy_registry(site) == there.version:
            sign_root(site)
            return Drawn(
                written=len(drawing.changed), unchanged=drawing.unchanged, removed=len(drawing.stale)
            )
        wait(attempt)
    raise StoreError(
        f"{store.place}: others changed the index {ATTEMPTS} times while it was drawn. The registry is "
        f"written; run '{PROGRAM} store.reconcile' to draw the pages"
    )


def _copy_registry(site: Site) -> str | None:
    """Bring the checkout's copy of the registry up to the store's, the authority; return that one's version.

    Of several processes in one checkout the last one to copy has also read last, so none takes the copy back.
    """
    paths, _, store = site
    with locked(paths.state / COPYING):
        stored = store.read(REGISTRY)
        here = content_of(paths.registry)
        if stored is not None and stored.content != here:
            try:
                if here is not None:
                    loaded(here, str(paths.registry))
            except OlderForm:
                kept = put_aside(paths.registry)
                note(
                    f"· {paths.registry} was a registry of the older form: kept as {kept.name}, for store.import"
                )
            except RegistryError:
                pass  # damaged: the store's own takes its place
            write_whole(paths.registry, stored.content)
    return stored.version if stored else None


def differing_pages(settings: Settings, store: Store) -> tuple[str, ...]:
    """Return the keys of the pages that are not as they would be drawn now, and of those that would not be drawn."""
    if store.folder is not None:
        found = outdated(store.folder / REGISTRY, store.folder / INDEX, settings, afresh=True)
        return tuple(INDEX + path for path in (*found.written, *found.removed))
    drawing = bucket_drawing.plan(store, settings, bucket_drawing.look(store), afresh=True)

    def differs(key: str, page: Page) -> bool:
        if store.served(key) not in (None, served_as(page)):
            return True
        stored = store.read(key)  # a listed version does not always tell what the bytes are
        return stored is None or stored.content != page.content

    return (*(key for key, page in drawing.changed if differs(key, page)), *drawing.stale)
