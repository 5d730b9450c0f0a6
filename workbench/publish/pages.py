"""The pages of a store, drawn from the registry that lies in it."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from workbench.errors import StoreError
from workbench.files import write_whole
from workbench.index.draw import STATE, draw, is_drawn
from workbench.index.folder import Drawn, write
from workbench.index.page import Page
from workbench.registry.file import dumps
from workbench.registry.model import Registry
from workbench.store.layout import INDEX, REGISTRY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.site import Settings, Site
    from workbench.store.protocol import Entry, Store

ATTEMPTS = 20


def draw_pages(site: Site, store: Store, *, afresh: bool = False) -> Drawn:
    """Bring a store's pages, and the checkout's copy of its registry, up to the registry that lies in the store.

    Another publisher may do the same at the same time. `afresh` looks at every page, whatever the last drawing left
    word of. Raises what drawing raises, and StoreError.
    """
    if store.folder is not None:
        if afresh:
            store.delete(INDEX + STATE)
        drawn = write(store.folder / REGISTRY, store.folder / INDEX, site.settings)
        copy_registry(site, store)
        return drawn
    for _ in range(ATTEMPTS):
        remote = _draw_remote(store, site.settings)
        if remote is not None:
            _copy(site, remote.document)
            return remote.drawn
    raise StoreError(
        f"{store.place}: others changed the index {ATTEMPTS} times while it was drawn. The registry is "
        "written; run 'invoke reconcile' to draw the pages"
    )


def copy_registry(site: Site, store: Store) -> None:
    """Bring the checkout's copy of the registry up to the store's, the authority."""
    if store.folder is None or (store.folder / REGISTRY).resolve() != site.registry.resolve():
        stored = store.read(REGISTRY)
        _copy(site, stored.content if stored else None)


def _copy(site: Site, document: bytes | None) -> None:
    if document is not None and not (site.registry.exists() and site.registry.read_bytes() == document):
        write_whole(site.registry, document)


class _Remote(NamedTuple):
    """A drawing, and the registry document that it was drawn from; None where the store has none."""

    drawn: Drawn
    document: bytes | None


def _draw_remote(store: Store, settings: Settings) -> _Remote | None:
    """Draw once; None when another publisher changed a page or the registry meanwhile.

    The pages are listed before the registry is read, and each is replaced only in the version listed. So a
    page drawn from a newer registry is never replaced by one from an older: its writer saw that newer
    registry before it wrote, and had it written before the listing, the registry read after that would be as
    new.
    """
    there = {entry.key: entry for entry in store.entries(INDEX)}
    stored = store.read(REGISTRY)
    document = stored.content if stored else dumps(Registry()).encode()
    changed: list[tuple[str, Page]] = []
    drawn: set[str] = set()
    for page in draw(io.BytesIO(document), settings, where=f"{store.place}/{REGISTRY}"):
        if not isinstance(page, Page) or page.path == STATE:
            continue  # what lies in the store tells what is to be done; a state beside it could only disagree
        for key in _keys(page):
            drawn.add(key)
            if not _holds(there.get(key), page.content):
                changed.append((key, page))

    def put(job: tuple[str, Page]) -> bool:
        key, page = job
        entry = there.get(key)
        expected = entry.version if entry else None
        return store.replace(key, page.content, expected=expected, content_type=page.type)

    stale = [key for key in there if key not in drawn and _is_page(key)]
    with ThreadPoolExecutor(store.streams) as pool:
        # what is linked to before what links to it: a root lies above its projects
        changed.sort(key=lambda job: -_depth(job[0]))
        for _, jobs in groupby(changed, key=lambda job: _depth(job[0])):
            if not all(pool.map(put, jobs)):
                return None
        list(pool.map(store.delete, stale))
    if changed or stale:
        now = store.read(REGISTRY)
        if (now.version if now else None) != (stored.version if stored else None):
            return None
    drawn_pages = Drawn(written=len(changed), unchanged=len(drawn) - len(changed), removed=len(stale))
    return _Remote(drawn_pages, stored.content if stored else None)


def _keys(page: Page) -> Iterator[str]:
    """Yield where a page lies: for an index document, at its folder's own key as well."""
    key = INDEX + page.path
    yield key
    folder, _, name = key.rpartition("/")
    if name in ("index.html", "index.json"):
        yield f"{folder}/"


def _is_page(key: str) -> bool:
    path = key.removeprefix(INDEX)
    return is_drawn(f"{path}index.html" if key.endswith("/") else path)


def _depth(key: str) -> int:
    return key.removesuffix("/").count("/") if key.endswith("/") else key.rpartition("/")[0].count("/")


def _holds(entry: Entry | None, content: bytes) -> bool:
    """Say whether a listed page has these bytes; never where its version is no MD5 (as with KMS)."""
    return (
        entry is not None and entry.version == f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
    )
