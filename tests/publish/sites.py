"""Wheels to publish, and what must hold of a store however it came to be as it is."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urljoin

from tests.wheels import files_of, pack
from workbench.files import Identity
from workbench.publish.publication import Candidate
from workbench.registry.file import dumps, loads
from workbench.registry.model import Package, PublishedWheel
from workbench.settings import read_settings
from workbench.store.folder import FolderStore
from workbench.store.opening import Site
from workbench.text import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.registry.model import Registry
    from workbench.store.protocol import Content, Listed, Store, Stored

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=8)
"""When what was removed at `NOW` may be deleted."""
ONE = "demo-1.0-py3-none-any.whl"
TWO = "demo-2.0-py3-none-any.whl"
"""The wheels of a stocked store (``conftest.store``)."""
PAGE = "index/simple/demo/index.html"


def at(paths: Paths, store: Store) -> Site:
    """Return a site with a store of a test's choice, under the settings that it has now."""
    return Site(paths, read_settings(paths), store)


def candidate(
    folder: Path,
    name: str = "demo",
    version: str = "1.0",
    *,
    tag: str = "py3-none-any",
    content: bytes = b"answer = 42\n",
    method: int = zipfile.ZIP_DEFLATED,
    now: datetime = NOW,
) -> Candidate:
    """Make a real wheel, if it is not in the folder, and the candidate that verifying it would lead to."""
    folder.mkdir(parents=True, exist_ok=True)
    module = name.replace("-", "_")
    files = files_of(name=module, version=version, tag=tag, payload={f"{module}/__init__.py": content})
    path = folder / f"{module}-{version}-{tag}.whl"
    if not path.exists():  # a zip holds the time, so packing it again would make other bytes
        beside = pack(folder / f"{os.getpid()}.part", files, method=method)
        beside.replace(path)
    metadata = files[f"{module}-{version}.dist-info/METADATA"]
    wheel = PublishedWheel(
        filename=path.name,
        url=f"files/{name}/{path.name}",
        python_version="3",
        platform=tag.rpartition("-")[2],
        upload_date=timestamp(now)[:10],
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        size=path.stat().st_size,
        upload_time=timestamp(now),
        requires_python=">=3.9",
        metadata_sha256=hashlib.sha256(metadata).hexdigest(),
    )
    package = Package(source_repo=f"https://example.com/{name}", description=f"About {name}")
    return Candidate(
        project=name, package=package, wheel=wheel, path=path, identity=Identity.of(path), metadata=metadata
    )


def registry_of(store: Store) -> Registry:
    stored = store.read("packages.json")
    assert stored is not None
    return loads(stored.content, where="packages.json")


def filenames(store: Store) -> list[str]:
    return [wheel.filename for _, wheel in registry_of(store).wheels()]


def page(store: Store, project: str = "demo") -> str:
    stored = store.read(f"index/simple/{project}/index.html")
    assert stored is not None
    return stored.content.decode()


def overwrite(store: Store, registry: Registry) -> None:
    """Put another registry instead of a store's, as it would lie there."""
    stored = store.read("packages.json")
    assert store.replace(
        "packages.json", dumps(registry).encode(), expected=stored.version if stored else None
    )


def begin_deletion(store: Store, filename: str) -> None:
    """Leave a removed wheel as a process does that is killed when it has said that it deletes it."""
    registry = registry_of(store)
    removed = tuple(
        replace(gone, state="deleting") if gone.filename == filename else gone for gone in registry.removed
    )
    overwrite(store, replace(registry, removed=removed))


class Eventful(FolderStore):
    """A folder store in which others act, just before a step that is taken there."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._events: list[Event] = []

    def before(self, method: str, key: str, happens: Callable[[], object], *, skip: int = 0) -> None:
        """Let something happen once, before the first call of a method for a key that starts so, but for `skip`."""
        self._events.append(Event(method, key, happens, skip))

    def _call(self, method: str, key: str) -> None:
        for event in [each for each in self._events if each.method == method and key.startswith(each.key)]:
            if event.skip == 0:
                self._events.remove(event)
                event.happens()
            event.skip -= 1

    def read(self, key: str) -> Stored | None:
        self._call("read", key)
        return super().read(key)

    def create(self, key: str, content: Content, **named: Any) -> bool:
        self._call("create", key)
        return super().create(key, content, **named)

    def replace(self, key: str, content: bytes, **named: Any) -> str | None:
        self._call("replace", key)
        # what it reads itself, it reads under its lock
        events, self._events = self._events, []
        try:
            return super().replace(key, content, **named)
        finally:
            self._events = events

    def delete(self, key: str) -> None:
        self._call("delete", key)
        super().delete(key)

    def entries(self, prefix: str, *, after: str = "") -> Iterator[Listed]:
        self._call("entries", prefix)
        return super().entries(prefix, after=after)


class Bucket(FolderStore):
    """A folder that behaves as a bucket does: it lists versions, and others draw its pages.

    `meanwhile` is called once, right after the registry was read; when `left` pages were written, the next is not.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.folder = None
        self.folder_keys = True
        self.meanwhile: Callable[[], object] | None = None
        self.seen: list[bytes] = []
        self.left = -1

    def read(self, key: str) -> Stored | None:
        stored = super().read(self.file(key))
        if key == "packages.json" and self.meanwhile:
            other, self.meanwhile = self.meanwhile, None
            other()
        return replace(stored, version=version(stored.content)) if stored else None

    def entries(self, prefix: str, *, after: str = "") -> Iterator[Listed]:
        for entry in super().entries(prefix, after=after):
            stored = super().read(entry.key)
            assert stored is not None
            key = entry.key.replace("~folder", "")
            yield replace(entry, key=key, version=version(stored.content))

    def replace(
        self, key: str, content: bytes, *, expected: str | None, content_type: str | None = None
    ) -> str | None:
        if key.startswith("index/"):
            self.left -= 1
            if self.left == 0:
                raise InterruptedError
        done = super().replace(self.file(key), content, expected=expected, content_type=content_type)
        if done and key == PAGE:
            self.seen.append(content)
        return version(content) if done else None

    def delete(self, key: str) -> None:
        super().delete(self.file(key))

    @staticmethod
    def file(key: str) -> str:
        """Return the file for a key: one that ends with a slash, as a bucket's may, needs a name."""
        return f"{key}~folder" if key.endswith("/") else key


def version(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


@dataclass
class Event:
    method: str
    key: str
    happens: Callable[[], object]
    skip: int


def links_of(store: Store, page: str) -> list[tuple[str, str]]:
    """Return the links of a page: the key (or the absolute URL) each leads to, and its fragment."""
    stored = store.read(page)
    if stored is None:
        return []
    return [
        (unquote(url.removeprefix("http://store/")), fragment)
        for href in re.findall(r'href="([^"]+)"', stored.content.decode())
        for url, fragment in [urldefrag(urljoin(f"http://store/{page}", href))]
    ]


def dead_links(store: Store) -> list[str]:
    """Return what the pages lead to and the store does not hold: wheels, their metadata, logs and patches."""
    pages = [e.key for e in store.entries("index/") if e.key.endswith("index.html")]
    links = {link for page in pages for link in links_of(store, page)}
    # every wheel of these tests is published with its metadata
    targets = {f"{key}.metadata" for key, fragment in links if fragment.startswith("sha256=")}
    targets |= {key for key, _ in links if key.startswith("files/")}
    # listed after the pages were read: others may be publishing
    return sorted(targets - {entry.key for entry in store.entries("files/")})


def agreement(store: Store) -> list[str]:
    """Return where registry, pages and files of a store disagree: nothing, for a store in order."""
    registry = registry_of(store)
    wheels = [wheel for _, wheel in registry.wheels()]

    def look(wheel: PublishedWheel) -> Iterator[str]:
        problem = store.check(wheel.url, sha256=wheel.sha256, size=wheel.size)
        if problem:
            yield f"{wheel.url} {problem}"
        metadata = store.read(f"{wheel.url}.metadata")
        if metadata is None or hashlib.sha256(metadata.content).hexdigest() != wheel.metadata_sha256:
            yield f"{wheel.url}.metadata is not what it was"

    with ThreadPoolExecutor(store.streams) as pool:
        looked = pool.map(lambda wheel: tuple(look(wheel)), wheels)
        wrong = [*(f"dead link: {key}" for key in dead_links(store)), *chain.from_iterable(looked)]
    for name, package in registry.packages.items():
        links = links_of(store, f"index/simple/{name}/index.html")
        wanted = {(wheel.url, f"sha256={wheel.sha256}") for wheel in package.wheels}
        wrong += [f"{key} is not on its page" for key, _ in wanted - set(links)]
        wrong += [f"{key} is on a page and not in the registry" for key, _ in set(links) - wanted]
    return wrong
