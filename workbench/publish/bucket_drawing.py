"""The pages of a store that is not a folder: what differs is put there, whoever else draws at the same time.

Each page is replaced only in the version that was listed before the registry was read. So a page drawn from a newer
registry is never replaced by one from an older: its writer saw that newer registry before it wrote, and had it written
before the listing, the registry read after that would be as new.

A drawing leaves word of what it was drawn from and of the version in which each page lies (`Note`), so that the next
one draws what changed since. That word is believed only where the listing says the same.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from workbench.index.draw import STATE, State, draw, is_drawn, read_state
from workbench.index.output import DATA, Gone, Page
from workbench.registry.file import dumps
from workbench.registry.model import Registry
from workbench.store.layout import CHANGING, INDEX, REGISTRY, Headers

if TYPE_CHECKING:
    from workbench.settings import Settings
    from workbench.store.protocol import Listed, Store


class Note(NamedTuple):
    """What a drawing leaves word of: the hash of the registry, that of the pages' listing, and the index's state.

    It need not be written at the same time as the pages: what others change meanwhile makes it void.
    """

    registry: str
    listing: str
    state: bytes

    @classmethod
    def read(cls, content: bytes) -> Note | None:
        """Return the word that lies in a store; None for what is none."""
        head, _, state = content.partition(b"\n")
        try:
            registry, listing = json.loads(head)
        except (ValueError, TypeError):
            return None
        return cls(registry, listing, state)

    def write(self) -> bytes:
        """Return the word as it lies in a store."""
        return json.dumps([self.registry, self.listing]).encode() + b"\n" + self.state


class There(NamedTuple):
    """What lies in a store: the pages by key, the registry's document and its version, and the last drawing's word."""

    pages: Mapping[str, Listed]
    document: bytes
    version: str | None
    note: Note | None
    note_version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What makes the pages those of the registry: pages to put, by key, keys to delete, the index's state after it."""

    changed: tuple[tuple[str, Page], ...]
    stale: tuple[str, ...]
    unchanged: int
    state: bytes


def look(store: Store) -> There:
    """Return what lies in a store. The pages are listed before the registry is read."""
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(store.read, INDEX + STATE)
        pages = {entry.key: entry for entry in store.entries(INDEX)}
        noted = reading.result()
    pages.pop(INDEX + STATE, None)
    stored = store.read(REGISTRY)
    return There(
        pages=pages,
        document=stored.content if stored else dumps(Registry()).encode(),
        version=stored.version if stored else None,
        note=Note.read(noted.content) if noted else None,
        note_version=noted.version if noted else None,
    )


def plan(store: Store, settings: Settings, there: There, *, afresh: bool) -> Drawing:
    """Return what makes the pages those of the registry; `afresh` looks at each, also at what it is served as."""
    state: State | None = None
    if there.note and not afresh and there.note.listing == _listing(_versions(there.pages)):
        state = read_state(there.note.state, settings)
        if state and there.note.registry == _digest(there.document):
            return Drawing(changed=(), stale=(), unchanged=0, state=there.note.state)
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
        left = [key for key in there.pages if key not in drawn]
        with ThreadPoolExecutor(store.streams) as pool:
            ours = pool.map(lambda key: _is_page(store, key), left)
            stale = [key for key, is_ours in zip(left, ours, strict=True) if is_ours]
    if afresh:
        with ThreadPoolExecutor(store.streams) as pool:
            served = pool.map(lambda job: store.served(job[0]), same)
            wrong = [
                job
                for job, headers in zip(same, served, strict=True)
                if headers not in (None, served_as(job[1]))
            ]
        changed += wrong
    return Drawing(changed=tuple(changed), stale=tuple(stale), unchanged=len(same), state=after)


def carry_out(store: Store, there: There, drawing: Drawing) -> bool:
    """Write the pages; False when another publisher changed one of them meanwhile."""
    versions = _versions(there.pages)

    def put(job: tuple[str, Page]) -> bool:
        key, page = job
        version = store.replace(key, page.content, expected=versions.get(key), content_type=page.type)
        if version is not None:
            versions[key] = version
        return version is not None

    with ThreadPoolExecutor(store.streams) as pool:
        # what is linked to before what links to it: a root lies above its projects
        ordered = sorted(drawing.changed, key=lambda job: -job[0].count("/"))
        for _, jobs in groupby(ordered, key=lambda job: job[0].count("/")):
            if not all(pool.map(put, jobs)):
                return False
        list(pool.map(store.delete, drawing.stale))
    for key in drawing.stale:
        del versions[key]
    note = Note(_digest(there.document), _listing(versions), drawing.state)
    if note != there.note:
        store.replace(INDEX + STATE, note.write(), expected=there.note_version, content_type=DATA)
    return True


def served_as(page: Page) -> Headers:
    """Return what a page is served as."""
    return Headers(page.type, CHANGING)


def _keys(path: str, *, folder_keys: bool) -> Iterator[str]:
    """Yield where a page lies: for an index document, at its folder's own key as well, where there can be one."""
    key = INDEX + path
    yield key
    folder, _, name = key.rpartition("/")
    if folder_keys and name in ("index.html", "index.json"):
        yield f"{folder}/"


def _is_page(store: Store, key: str) -> bool:
    """Say whether a drawing put this key there; the rest below ``index/`` is not ours."""
    path = key.removeprefix(INDEX)

    def read() -> bytes | None:
        stored = store.read(key)
        return stored.content if stored else None

    return is_drawn(f"{path}index.html" if key.endswith("/") else path, read)


def _versions(pages: Mapping[str, Listed]) -> dict[str, str | None]:
    return {key: entry.version for key, entry in pages.items()}


def _listing(versions: Mapping[str, str | None]) -> str:
    return _digest("\n".join(f"{key} {version}" for key, version in sorted(versions.items())).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _holds(entry: Listed | None, content: bytes) -> bool:
    """Say whether a listed page has these bytes; never where its version is not an MD5 (as with KMS)."""
    return (
        entry is not None and entry.version == f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
    )
