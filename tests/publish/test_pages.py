"""Drawing into a store that is no folder, while others publish there."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.publish.sites import agreement, candidate
from workbench.publish.pages import draw_pages
from workbench.publish.transaction import publish
from workbench.store.folder import FolderStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from workbench.site import Site
    from workbench.store.protocol import Entry, Stored

PAGE = "index/simple/demo/index.html"


class Bucket(FolderStore):
    """A folder that behaves as a bucket does: it lists versions, and others draw its pages.

    `meanwhile` is called once, right after the registry was read.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.meanwhile: Callable[[], object] | None = None
        self.seen: list[bytes] = []

    @property
    def folder(self) -> Path | None:
        return None

    def read(self, key: str) -> Stored | None:
        stored = super().read(self.file(key))
        if key == "packages.json" and self.meanwhile:
            other, self.meanwhile = self.meanwhile, None
            other()
        return replace(stored, version=version(stored.content)) if stored else None

    @property
    def folder_keys(self) -> bool:
        return True

    def entries(self, prefix: str, *, after: str = "") -> Iterator[Entry]:
        for entry in super().entries(prefix, after=after):
            stored = super().read(entry.key)
            assert stored is not None
            key = entry.key.replace("~folder", "")
            yield replace(entry, key=key, version=version(stored.content))

    def replace(
        self, key: str, content: bytes, *, expected: str | None, content_type: str | None = None
    ) -> str | None:
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


def test_a_page_of_an_older_registry_never_replaces_one_of_a_newer(site: Site, tmp_path: Path) -> None:
    store = Bucket(tmp_path / "bucket")
    publish(site, store, [candidate(tmp_path, "demo", "1.0")])
    page = tmp_path / "bucket" / PAGE
    page.write_bytes(b"<old>")

    def publish_two() -> None:
        publish(site, store, [candidate(tmp_path, "demo", "2.0")])

    store.seen.clear()
    store.meanwhile = publish_two
    draw_pages(site, store)
    assert all(b"demo-2.0" in content for content in store.seen)
    assert agreement(store) == []


def test_a_page_that_nothing_stands_behind_any_more_is_removed(site: Site, tmp_path: Path) -> None:
    store = Bucket(tmp_path / "bucket")
    publish(site, store, [candidate(tmp_path, "demo", "1.0"), candidate(tmp_path, "other", "1.0")])
    registry = store.read("packages.json")
    assert registry is not None
    gone = registry.content.replace(b'"other"', b'"another"')
    store.replace("packages.json", gone, expected=registry.version)
    drawn = draw_pages(site, store)
    assert drawn.removed
    assert store.read("index/simple/other/index.html") is None
    assert store.read("index/simple/another/index.html") is not None
    assert draw_pages(site, store).written == 0
