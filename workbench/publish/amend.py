"""Changes of the registry that lies in a store: by compare-and-swap, merged with what others published."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Container, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from workbench.errors import FilenameTaken, RegistryError, StoreError
from workbench.evidence.root import ROOT, unverified_generation
from workbench.files import content_of
from workbench.paths import PROGRAM
from workbench.publish.wheel_files import Fault, faults, is_ours, linked, look, proofs
from workbench.registry.file import Damaged, OlderForm, dumps, encode, loads
from workbench.registry.model import Registry
from workbench.store.layout import HISTORY, REGISTRY, SIMPLE, damaged_key, generation_of, history_key
from workbench.store.protocol import MISSING
from workbench.text import timestamp

if TYPE_CHECKING:
    from workbench.store.opening import Site
    from workbench.store.protocol import Store, Stored

ATTEMPTS = 40
LONGEST_WAIT = 2.0


def current(store: Store, *, older: bytes | None = None) -> Registry:
    """Return a store's registry, empty where there is none; `older`: see `amend`. Raises StoreError, RegistryError."""
    return _parsed(store, store.read(REGISTRY), older=older)


def published(site: Site) -> Registry:
    """Return the registry to change. Raises RegistryError where it is lost, or the checkout's copy another store's."""
    registry = current(site.store)
    refuse_a_lost_registry(site.store, registry)
    refuse_to_forget(site, registry)
    return registry


def amend(
    store: Store,
    change: Callable[[Registry], Registry],
    what: str,
    *,
    may_shrink: bool = False,
    instead: Registry | None = None,
    older: bytes | None = None,
) -> Registry:
    """Change a store's registry and return it; begin anew from the newer one when another publisher was faster.

    `change` is a pure function, called once for every attempt; `what` is kept as the change's description. Where the
    registry is lost, or is damaged, the change is made to the one that stands `instead`; without one a damaged
    registry is an error. `older` is a document of the older form: where it is what the store has, it counts as an empty
    registry, and is replaced.

    What holds of every change, however it is stopped:

    - The registry that is replaced is kept in the history first, so each generation can be gone back to.
    - A generation has a number that none in the history has, also where the registry was lost or set back.
    - The files of each wheel that a change adds are looked at after the registry that it replaces was read. Whoever
      deletes files says so in the registry first (``withdraw.delete``): what was seen stays, or the registry
      changes and this attempt is lost.

    Raises RegistryError when wheels would vanish from the registry and `may_shrink` is not set, and when the change
    makes a registry that could not be read again; FilesMissing, and StoreError for a wheel that is being deleted.
    """
    for attempt in range(ATTEMPTS):
        stored = store.read(REGISTRY)
        before = start = _parsed(store, stored, may_be_damaged=instead is not None, older=older)
        if instead is not None and not before.generation:
            start = instead
        changed = change(start)
        if changed == before and (stored is None or before.generation):
            return before
        with ThreadPoolExecutor(store.streams) as pool:
            looking = pool.submit(look_again, store, before, start, changed)
            since = history_key(before.generation - 1) if before.generation else HISTORY
            numbering = pool.submit(generations, store, after=since)
            if not may_shrink:
                _refuse_to_shrink(store, before, changed)
            looking.result()
            worth_keeping = stored is not None and stored.content != older and not _is_unused(store, stored)
            kept = stored if worth_keeping else None
            newest = _keep(store, kept, before, max(numbering.result(), default=0))
        now = timestamp(datetime.now(UTC))
        after = replace(changed, generation=max(newest, changed.generation) + 1, updated=now, change=what)
        document = encode(after, before=before, where=f"{store.place}/{REGISTRY}")
        if store.replace(REGISTRY, document, expected=stored.version if stored else None):
            return after
        wait(attempt)
    raise StoreError(
        f"{store.place}: others changed the registry {ATTEMPTS} times in a row before this change could be "
        "made. The files are there; run the same command again"
    )


class FilesMissing(StoreError):
    """A change would name files that are not there, or not whole: nothing was changed. `missing` says which."""

    def __init__(self, place: str, missing: Sequence[str]) -> None:
        self.missing = "; ".join(missing)
        super().__init__(
            f"{place}: {self.missing}: a wheel is registered only while its files are there, whole. Publish it again"
        )


def wait(attempt: int) -> None:
    """Wait after a lost race: the longer the more were lost, and at random, so that the same two do not meet again."""
    time.sleep(random.uniform(0, min(LONGEST_WAIT, 0.02 * 2**attempt)))  # noqa: S311 - no secret


def look_again(store: Store, before: Registry, start: Registry, after: Registry) -> None:
    """See that the wheels that a change adds are whole. Raises FilesMissing, StoreError for one being deleted.

    Of a wheel that lies elsewhere, what proves it must be there: no missing file tells that it was deleted meanwhile.
    """
    known = before.filenames
    added = [each for each in after.wheels() if each[1].filename not in known]
    refuse_while_deleting(start, (wheel.filename for _, wheel in added), store.place)
    files = look(
        store,
        (key for name, wheel in added for key in ([wheel.url] if is_ours(wheel) else proofs(name, wheel))),
    )
    missing = [str(fault) for name, wheel in added for fault in faults(name, wheel, files)]
    missing += [
        str(Fault(key, MISSING))
        for _, wheel in added
        if not is_ours(wheel)
        for key in linked(wheel)
        if key not in files
    ]
    if missing:
        raise FilesMissing(store.place, missing)


def refuse_while_deleting(registry: Registry, filenames: Iterable[str], place: str) -> None:
    """Raise StoreError for wheels whose files are being deleted."""
    deleting = {gone.filename for gone in registry.removed if gone.state == "deleting"}
    if found := sorted(deleting.intersection(filenames)):
        raise StoreError(
            f"{', '.join(found)}: being deleted from {place}: let '{PROGRAM} store.clean --apply' finish that, "
            "then publish it again"
        )


def _keep(store: Store, stored: Stored | None, before: Registry, newest: int) -> int:
    """Keep a registry in the history, whose `newest` is known (or 0); return the newest generation that there was.

    A registry that was set back (``git checkout`` of a folder store's) and then changed has the number of another. It
    is kept under the next that is free: not that of the one that was there before, which nobody has kept, and which
    somebody may have signed.
    """
    if stored is None or not before.generation:
        if stored is not None:  # damaged
            digest = hashlib.sha256(stored.content).hexdigest()
            store.create(damaged_key(digest), stored.content, sha256=digest)
        # the one that is gone came after the newest that was kept
        return newest + 1 if newest or stored else 0
    if _is_set_back(store, before.generation, newest):
        newest += 1
    for number in (before.generation, *range(newest + 1, newest + ATTEMPTS)):
        same = number == before.generation
        document = stored.content if same else dumps(replace(before, generation=number)).encode()
        with suppress(FilenameTaken):
            store.create(history_key(number), document, sha256=hashlib.sha256(document).hexdigest())
            return int(max(number, newest))
    raise StoreError(f"{store.place}: others change the history again and again; run the same command again")


def _is_unused(store: Store, stored: Stored) -> bool:
    """Say whether a registry is one that nothing was published in yet, as a fresh checkout has it."""
    with suppress(Damaged):
        return loaded(stored.content, f"{store.place}/{REGISTRY}") == Registry()
    return False


def _is_set_back(store: Store, generation: int, newest: int) -> bool:
    """Say whether a registry was put back by hand, by the `newest` generation in the history.

    Its own may be there because another publisher is just now replacing it, or was stopped at that: only the signed
    root tells then.
    """
    if newest != generation:
        return newest > generation
    root = store.read(ROOT)
    return root is not None and unverified_generation(root.content) > generation


def generations(store: Store, *, after: str = HISTORY) -> list[int]:
    """Return the numbers of the generations that are kept at the keys after one, in their order."""
    numbers = (generation_of(entry.key) for entry in store.entries(HISTORY, after=after))
    return [number for number in numbers if number is not None]


def refuse_a_store_behind(site: Site, registry: Registry) -> None:
    """Raise RegistryError for a store that lost its registry, or is another one than the checkout's copy is of.

    Publishing there would take wheels off the index. A copy that cannot be read is an error as well.
    """
    refuse_a_lost_registry(site.store, registry)
    if (document := content_of(site.paths.registry)) is not None:
        loaded(document, str(site.paths.registry))
    refuse_to_forget(site, registry)


def is_own(site: Site) -> bool:
    """Say whether the store is the site's own folder: its registry and the checkout's copy are one file."""
    folder = site.store.folder
    return folder is not None and (folder / REGISTRY).resolve() == site.paths.registry.resolve()


def refuse_to_forget(site: Site, registry: Registry, *, recorded: Container[str] = frozenset()) -> None:
    """Raise RegistryError when the checkout's copy knows of wheels that the store has never heard of.

    The copy is the registry of another store then, perhaps of the site's own folder, and bringing it up to this store's
    would lose them. Wheels that are `recorded` in the store are its own, whatever its registry says.
    """
    paths, _, store = site
    document = content_of(paths.registry)
    if document is None or is_own(site):
        return
    try:
        copy = loaded(document, str(paths.registry))
    except (Damaged, OlderForm):
        return
    if copy.generation > registry.generation:
        registry = current(store)  # another process of this checkout may have published since
    unheard = copy.filenames - registry.filenames - registry.removed_filenames
    lost = sorted(filename for filename in unheard if filename not in recorded)
    if not lost:
        return
    kept = store.read(history_key(copy.generation))  # a rollback took them off
    if kept is None or kept.content != document:
        raise RegistryError(
            f"{store.place}, at generation {registry.generation}, has never heard of {_some(lost)}, which "
            f"generation {copy.generation} in {paths.registry} has: is this the right store? Where it is, and its "
            f"registry was set back, '{PROGRAM} store.reconcile' registers again what it holds. Else publish them "
            f"there too, or move {paths.registry.name} away, and this store's is copied in its place"
        )


def refuse_a_lost_registry(store: Store, registry: Registry) -> None:
    """Raise RegistryError for a store without a registry that had one."""
    if not registry.generation and had_registry(store) and store.read(REGISTRY) is None:
        raise RegistryError(
            f"{store.place}: {REGISTRY} is gone, but wheels were published here: '{PROGRAM} store.reconcile' makes it "
            f"anew. '{PROGRAM} upload --allow-shrink' goes on without it, and takes them off the index"
        )


def _parsed(
    store: Store, stored: Stored | None, *, may_be_damaged: bool = False, older: bytes | None
) -> Registry:
    if stored is None or stored.content == older:
        return Registry()
    try:
        return loaded(stored.content, f"{store.place}/{REGISTRY}")
    except Damaged:
        if may_be_damaged:
            return Registry()
        raise


@lru_cache(maxsize=2)
def loaded(document: bytes, where: str) -> Registry:
    """Return what a document holds; one that was read already is not parsed again."""
    return loads(document, where=where)


def _refuse_to_shrink(store: Store, before: Registry, after: Registry) -> None:
    refuse_a_lost_registry(store, before)
    if lost := sorted(before.filenames - after.filenames):
        raise RegistryError(
            f"{store.place}: this would take {_some(lost)} off the index. '{PROGRAM} remove' is the way to do "
            f"that; '{PROGRAM} upload --allow-shrink' goes on"
        )


def had_registry(store: Store) -> bool:
    """Say whether a store had a registry once: pages of projects and the history come only after one."""
    pages = store.entries(SIMPLE)
    return any(entry.key.count("/") > SIMPLE.count("/") for entry in pages) or bool(generations(store))


def _some(filenames: list[str]) -> str:
    """Name the first few of many."""
    rest = len(filenames) - 3
    return ", ".join(filenames[:3]) + (f" and {rest} more" if rest > 0 else "")
