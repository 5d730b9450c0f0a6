"""The pages of a store, drawn from the registry that lies in it."""

from __future__ import annotations

import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from workbench.errors import StoreError
from workbench.files import one_at_a_time, write_whole
from workbench.index.draw import STATE, State, draw, is_drawn, read_state
from workbench.index.folder import Drawn, write
from workbench.index.page import DATA, Gone, Page
from workbench.publish.registry import wait
from workbench.registry.file import dumps
from workbench.registry.model import Registry
from workbench.store.layout import CHANGING, INDEX, REGISTRY, Headers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workbench.site import Settings, Site
    from workbench.store.protocol import Entry, Store

ATTEMPTS = 20
COPYING = "registry.lock"
"""The lock, in a site's own corner, of who writes or commits the checkout's copy of the registry."""


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
    for attempt in range(ATTEMPTS):
        there = _look(store)
        drawing = _plan(store, site.settings, there, afresh=afresh)
        if _carry_out(store, there, drawing) and copy_registry(site, store) == there.version:
            return drawing.drawn
        wait(attempt)
    raise StoreError(
        f"{store.place}: others changed the index {ATTEMPTS} times while it was drawn. The registry is "
        "written; run 'invoke reconcile' to draw the pages"
    )


def copy_registry(site: Site, store: Store) -> str | None:
    """Bring the checkout's copy of the registry up to the store's, the authority; return that one's version.

    Of several processes in one checkout the last one to copy has also read last, so none takes the copy back.
    """
    with one_at_a_time(site.state / COPYING):
        stored = store.read(REGISTRY)
        if store.folder is None or (store.folder / REGISTRY).resolve() != site.registry.resolve():
            here = site.registry.read_bytes() if site.registry.exists() else None
            if stored is not None and stored.content != here:
                write_whole(site.registry, stored.content)
    return stored.version if stored else None


def differing_pages(site: Site, store: Store) -> tuple[str, ...]:
    """Return the keys of the pages that are not as they would be drawn now, and of those that would not be drawn."""
    if store.folder is None:
        drawing = _plan(store, site.settings, _look(store), afresh=True)
        changed = {
            key: page.content for key, page in drawing.changed if store.served(key) in (None, _served(page))
        }
        # listed versions do not always tell what the bytes are
        same = {
            key
            for key, content in changed.items()
            if (stored := store.read(key)) and stored.content == content
        }
        return (*(key for key, _ in drawing.changed if key not in same), *drawing.stale)
    there = {entry.key for entry in store.entries(INDEX)}
    stored = store.read(REGISTRY)
    document = stored.content if stored else dumps(Registry()).encode()
    drawn = {
        INDEX + page.path: page.content
        for page in draw(io.BytesIO(document), site.settings, where=f"{store.place}/{REGISTRY}")
        if isinstance(page, Page) and page.path != STATE
    }
    differing = (
        key for key, content in drawn.items() if (page := store.read(key)) is None or page.content != content
    )
    return (*differing, *sorted(key for key in there if key not in drawn and _is_page(key)))


# ---------------------------------------------------------------- a bucket's pages


class _There(NamedTuple):
    """What lies in a bucket: the pages by key, the registry's document and its version, and the last drawing's word.

    The pages were listed before the registry was read.
    """

    pages: Mapping[str, Entry]
    document: bytes
    version: str | None
    note: _Note | None
    note_version: str | None


class _Note(NamedTuple):
    """What a drawing leaves word of: the hash of the registry, that of the pages' listing, and the index's state.

    It is believed only where the pages that are listed are those that it speaks of, every one in the same version;
    so it need not be written at the same time as they, and what others change makes it void.
    """

    registry: str
    listing: str
    state: bytes

    @classmethod
    def read(cls, content: bytes) -> _Note | None:
        head, _, state = content.partition(b"\n")
        try:
            registry, listing = json.loads(head)
        except (ValueError, TypeError):
            return None
        return cls(registry, listing, state)

    def write(self) -> bytes:
        return json.dumps([self.registry, self.listing]).encode() + b"\n" + self.state


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What is to be done: pages to put, by key, keys to delete, the index's state afterwards."""

    changed: tuple[tuple[str, Page], ...]
    stale: tuple[str, ...]
    unchanged: int
    state: bytes

    @property
    def drawn(self) -> Drawn:
        return Drawn(written=len(self.changed), unchanged=self.unchanged, removed=len(self.stale))


def _look(store: Store) -> _There:
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(store.read, INDEX + STATE)
        pages = {entry.key: entry for entry in store.entries(INDEX)}
        noted = reading.result()
    pages.pop(INDEX + STATE, None)
    stored = store.read(REGISTRY)
    return _There(
        pages=pages,
        document=stored.content if stored else dumps(Registry()).encode(),
        version=stored.version if stored else None,
        note=_Note.read(noted.content) if noted else None,
        note_version=noted.version if noted else None,
    )


def _plan(store: Store, settings: Settings, there: _There, *, afresh: bool) -> _Drawing:
    """Return what makes the pages those of the registry."""
    state: State | None = None
    if there.note and not afresh and there.note.listing == _listing(_versions(there.pages)):
        state = read_state(there.note.state, settings)
        if state and there.note.registry == _digest(there.document):
            return _Drawing((), (), 0, there.note.state)
    folder_keys = any(key.endswith("/") for key in there.pages) or store.folder_keys
    changed: list[tuple[str, Page]] = []
    same: list[tuple[str, Page]] = []
    stale: list[str] = []
    after = there.note.state if there.note else b""
    for change in draw(io.BytesIO(there.document), settings, state, where=f"{store.place}/{REGISTRY}"):
        if isinstance(change, Gone):
            stale += [key for key in _keys(change.path, folder_keys=folder_keys) if key in there.pages]
        elif change.path == STATE:
            after = change.content
        else:
            for key in _keys(change.path, folder_keys=folder_keys):
                (same if _holds(there.pages.get(key), change.content) else changed).append((key, change))
    if state is None:
        drawn = {key for key, _ in (*same, *changed)}
        stale = [key for key in there.pages if key not in drawn and _is_page(key)]
    if afresh:
        with ThreadPoolExecutor(store.streams) as pool:
            served = pool.map(lambda job: store.served(job[0]), same)
            wrong = [
                job
                for job, headers in zip(same, served, strict=True)
                if headers not in (None, _served(job[1]))
            ]
        changed += wrong
    return _Drawing(tuple(changed), tuple(stale), len(same), after)


def _carry_out(store: Store, there: _There, drawing: _Drawing) -> bool:
    """Write the pages; False when another publisher changed one of them meanwhile.

    Each page is replaced only in the version that was listed before the registry was read. So a page drawn from a
    newer registry is never replaced by one from an older: its writer saw that newer registry before it wrote, and had
    it written before the listing, the registry read after that would be as new.
    """
    versions = _versions(there.pages)

    def put(job: tuple[str, Page]) -> bool:
        key, page = job
        version = store.replace(key, page.content, expected=versions.get(key), content_type=page.type)
        if version is not None:
            versions[key] = version
        return version is not None

    with ThreadPoolExecutor(store.streams) as pool:
        # what is linked to before what links to it: a root lies above its projects
        ordered = sorted(drawing.changed, key=lambda job: -_depth(job[0]))
        for _, jobs in groupby(ordered, key=lambda job: _depth(job[0])):
            if not all(pool.map(put, jobs)):
                return False
        list(pool.map(store.delete, drawing.stale))
    for key in drawing.stale:
        del versions[key]
    note = _Note(_digest(there.document), _listing(versions), drawing.state)
    if note != there.note:
        store.replace(INDEX + STATE, note.write(), expected=there.note_version, content_type=DATA)
    return True


def _served(page: Page) -> Headers:
    return Headers(page.type, CHANGING)


def _keys(path: str, *, folder_keys: bool) -> Iterator[str]:
    """Yield where a page lies: for an index document, at its folder's own key as well, where there can be one."""
    key = INDEX + path
    yield key
    folder, _, name = key.rpartition("/")
    if folder_keys and name in ("index.html", "index.json"):
        yield f"{folder}/"


def _is_page(key: str) -> bool:
    path = key.removeprefix(INDEX)
    return is_drawn(f"{path}index.html" if path.endswith("/") else path)


def _depth(key: str) -> int:
    return key.removesuffix("/").count("/") if key.endswith("/") else key.rpartition("/")[0].count("/")


def _versions(pages: Mapping[str, Entry]) -> dict[str, str | None]:
    return {key: entry.version for key, entry in pages.items()}


def _listing(versions: Mapping[str, str | None]) -> str:
    return _digest("\n".join(f"{key} {version}" for key, version in sorted(versions.items())).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _holds(entry: Entry | None, content: bytes) -> bool:
    """Say whether a listed page has these bytes; never where its version is no MD5 (as with KMS)."""
    return (
        entry is not None and entry.version == f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
    )
