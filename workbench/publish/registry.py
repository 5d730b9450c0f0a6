"""Changes of the registry that lies in a store: by compare-and-swap, merged with what others published."""

from __future__ import annotations

import hashlib
import random
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workbench.errors import RegistryError, StoreError, WorkbenchError
from workbench.publish.pages import draw_pages
from workbench.registry.file import encode, load, loads
from workbench.registry.importing import Merged, merge
from workbench.registry.model import Registry
from workbench.store.layout import HISTORY, INDEX, REGISTRY, history_key
from workbench.store.opening import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.registry.model import Package
    from workbench.site import Site
    from workbench.store.protocol import Store, Stored

ATTEMPTS = 40
LONGEST_WAIT = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Amended:
    """A change of the registry: what it was, what it is, and as which bytes."""

    before: Registry
    after: Registry
    document: bytes

    @property
    def changed(self) -> bool:
        """Whether anything changed."""
        return self.after != self.before


def current(store: Store) -> Registry:
    """Return a store's registry, an empty one for a store that has none. Raises StoreError, RegistryError."""
    return _parsed(store, store.read(REGISTRY))


def amend(
    store: Store,
    change: Callable[[Registry], Registry],
    what: str,
    *,
    may_shrink: bool = False,
    older: bytes | None = None,
) -> Amended:
    """Change a store's registry, and begin anew from the newer one when another publisher was faster.

    `change` is a pure function, called once for every attempt; `what` is kept as the change's description.
    The generation replaced is kept in the history first, so each can be gone back to. `older` is a document of the
    older form: where it is what the store has, it counts as an empty registry, and is replaced.

    Raises RegistryError when wheels would vanish from the registry and `may_shrink` is not set, and when the change
    makes a registry that could not be read again.
    """
    for attempt in range(ATTEMPTS):
        stored = store.read(REGISTRY)
        before = _parsed(store, stored, older=older)
        changed = change(before)
        if changed == before:
            return Amended(before=before, after=before, document=stored.content if stored else b"")
        if not may_shrink:
            _refuse_to_shrink(store, stored, before, changed)
        now = timestamp(datetime.now(UTC))
        # a registry that was lost is followed from the one that it is made anew from
        generation = max(before.generation, changed.generation) + 1
        after = replace(changed, generation=generation, updated=now, change=what)
        document = encode(after, before=before, where=f"{store.place}/{REGISTRY}")
        if stored is not None and stored.content != older:
            key = history_key(before.generation)
            store.create(key, stored.content, sha256=hashlib.sha256(stored.content).hexdigest())
        if store.replace(REGISTRY, document, expected=stored.version if stored else None):
            return Amended(before=before, after=after, document=document)
        # publishers that collided once must not meet again at the same beat
        time.sleep(random.uniform(0, min(LONGEST_WAIT, 0.02 * 2**attempt)))  # noqa: S311 - no secret
    raise StoreError(
        f"{store.place}: others changed the registry {ATTEMPTS} times in a row before this change could be "
        "made. The files are there; run the same command again"
    )


def refuse_a_store_behind(site: Site, store: Store, registry: Registry) -> None:
    """Raise RegistryError when the checkout's copy knows of wheels that the store has never heard of.

    That is the wrong bucket, or one that lost its registry: publishing there would take those wheels off the
    index.
    """
    copy = load(site.registry)
    known = {wheel.filename for _, wheel in registry.wheels()} | {gone.filename for gone in registry.removed}
    lost = sorted(wheel.filename for _, wheel in copy.wheels() if wheel.filename not in known)
    if lost and copy.generation > registry.generation:
        raise RegistryError(
            f"{store.place} is at generation {registry.generation} and lacks {_some(lost)}, which generation "
            f"{copy.generation} in {site.registry} has: is this the right store? Publish them there too, or "
            "say --allow-shrink to go on without them"
        )


def declare(site: Site, name: str, package: Package) -> None:
    """Register a project without wheels, or new facts of one that is registered, and draw its page.

    Where that fails or is interrupted, a project that was not registered before is taken out again.
    """
    store = open_store(site)
    store.prepare()

    def change(registry: Registry) -> Registry:
        known = registry.packages.get(name)
        return registry.with_package(name, known.described_by(package) if known else package)

    amended = amend(store, change, f"declare {name}")
    try:
        draw_pages(site, store)
    except BaseException:
        if name not in amended.before.packages:
            amend(store, lambda registry: _without(registry, name, package), f"take back {name}")
            # the error that is on its way counts more than another one of the same kind
            with suppress(WorkbenchError, OSError):
                draw_pages(site, store)
        raise


def _without(registry: Registry, name: str, package: Package) -> Registry:
    """Return a registry without a project, unless others have made something of it."""
    if registry.packages.get(name) != package:
        return registry
    others = {key: value for key, value in registry.packages.items() if key != name}
    return replace(registry, packages=others)


def adopt(site: Site, imported: Registry, *, older: bytes | None = None, dry_run: bool = False) -> Merged:
    """Register what another registry has and ours does not, and draw the pages; return what came of it.

    `older` is the document that it was read from, in case that is what the store has as its registry.
    """
    store = open_store(site)
    if dry_run:
        return merge(_parsed(store, store.read(REGISTRY), older=older), imported)
    store.prepare()
    amended = amend(store, lambda ours: merge(ours, imported).registry, "import a registry", older=older)
    draw_pages(site, store)
    return merge(amended.before, imported)


def timestamp(when: datetime) -> str:
    """Write a time as the registry does: UTC, RFC 3339, whole seconds."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parsed(store: Store, stored: Stored | None, *, older: bytes | None = None) -> Registry:
    if stored is None or stored.content == older:
        return Registry()
    return loads(stored.content, where=f"{store.place}/{REGISTRY}")


def _refuse_to_shrink(store: Store, stored: Stored | None, before: Registry, after: Registry) -> None:
    if stored is None and _had_registry(store) and store.read(REGISTRY) is None:
        raise RegistryError(
            f"{store.place}: {REGISTRY} is gone, but wheels were published here: 'invoke reconcile' makes it "
            "anew from their records. Publishing now would take them off the index; --allow-shrink does so"
        )
    listed = {wheel.filename for _, wheel in after.wheels()}
    lost = sorted(wheel.filename for _, wheel in before.wheels() if wheel.filename not in listed)
    if lost:
        raise RegistryError(
            f"{store.place}: this would take {_some(lost)} off the index. 'invoke remove' is the way to do "
            "that; --allow-shrink goes on"
        )


def _had_registry(store: Store) -> bool:
    """Say whether there was a registry once: pages of projects and the history come only after one."""
    pages = store.entries(f"{INDEX}simple/")
    return any(entry.key.count("/") > INDEX.count("/") + 1 for entry in pages) or any(
        True for _ in store.entries(HISTORY)
    )


def _some(filenames: list[str]) -> str:
    """Name the first few of many."""
    rest = len(filenames) - 3
    return ", ".join(filenames[:3]) + (f" and {rest} more" if rest > 0 else "")
