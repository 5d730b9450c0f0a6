"""``doctor``: whether a store, its index and the way there are in order. Every finding says the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from workbench.build_group import why_not as no_group
from workbench.builders.isolation import why_not
from workbench.care.compare import compare
from workbench.care.diagnosis import Diagnosis, bad, finding, untried
from workbench.care.signed_root import examine_root, examine_statements
from workbench.errors import IndexFault, RegistryError, StoreError
from workbench.files import left_by_killed
from workbench.paths import PROGRAM
from workbench.publish.drawing import differing_pages
from workbench.registry.file import OlderForm
from workbench.store.client import Refused
from workbench.text import counted

if TYPE_CHECKING:
    from workbench.care.compare import Comparison
    from workbench.settings import Settings
    from workbench.store.opening import Site
    from workbench.store.protocol import Store

_RECONCILE = f"{PROGRAM} store.reconcile"


def doctor(site: Site, *, deep: bool = False, installers: bool = True) -> Iterator[Diagnosis]:
    """Check everything between a publisher's credentials and a user's pip; `deep` reads every file and hashes it.

    Nothing is changed, but for a probe that is gone afterwards. Never raises for what it finds.
    """
    _, settings, store = site
    yield _isolation()
    yield _memory()
    yield from _temporary()
    if store.folder is None:
        from workbench.care.access import examine_bucket
        from workbench.store.s3 import S3Store

        for each in examine_bucket(store) if isinstance(store, S3Store) else ():
            yield each
            if each.check == "credentials and bucket" and each.verdict == "bad":
                return
    try:
        found = compare(site)
        yield from _agreement(settings, store, found, deep=deep)
    except RegistryError as error:
        remedy = "a registry of another version is read by the program that wrote it: update this one"
        yield bad("registry", error, error.remedy if isinstance(error, OlderForm) else remedy)
        return
    except StoreError as error:
        yield bad(
            "store", error, error.remedy if isinstance(error, Refused) else "see that this user may read it"
        )
        return
    yield from examine_root(site)
    yield from examine_statements(site, found.registry)
    if settings.public_url is None:
        yield untried(
            "public URL",
            "there is none in the settings",
            remedy="set public_url in workbench.yaml, the URL under which the world finds the store's root",
        )
        return
    from workbench.care.public import examine_public

    yield from examine_public(settings.public_url, found.registry, deep=deep, installers=installers)


def _isolation() -> Diagnosis:
    """Return whether builds on this machine are isolated."""
    good = "builds on this machine see no network and no home"
    return _of_builds("isolation", why_not(), good=good, lack="builds on this machine are not isolated")


def _memory() -> Diagnosis:
    """Return whether the memory that builds on this machine take is measured and can be limited."""
    good = "each build has a control group, which measures and limits it"
    lack = "the memory that builds take is measured less well, and is not limited"
    return _of_builds("memory", no_group(), good=good, lack=lack)


def _temporary() -> Iterator[Diagnosis]:
    """Yield what killed commands have left among this machine's temporary files, where they have: that is no fault."""
    if left := left_by_killed():
        removed = "the next command that needs such a folder removes them"
        what = f"{', '.join(map(str, left))} left by killed commands: {removed}"
        yield Diagnosis(check="temporary files", verdict="good", what=what)


def _of_builds(check: str, why: str, *, good: str, lack: str) -> Diagnosis:
    """Return whether this machine has what its builds should; where not, and why, a publisher may still be sound."""
    if not why:
        return finding(check, [], good=good, remedy="")
    what, _, remedy = why.partition(": ")
    return untried(check, f"{lack}: {what}", remedy=remedy)


def _agreement(settings: Settings, store: Store, found: Comparison, *, deep: bool) -> Iterator[Diagnosis]:
    """Yield how registry, records, files and pages agree: what ``reconcile`` would mend."""
    registry = found.registry
    lost = found.instead is not None and bool(registry.generation or found.records)
    yield finding(
        "registry",
        [f"{store.place}/packages.json is gone, or no JSON"] if lost else [],
        good=f"generation {registry.generation}",
        remedy=f"{_RECONCILE} makes it anew from {found.why}",
    )
    wheels = sum(1 for _ in registry.wheels())
    read = "read and hashed" if deep else "there, with the right sizes"
    yield finding(
        "files",
        [
            *(str(fault) for each in found.faulty(store, deep=deep) for fault in each.faults),
            *(f"{key} is linked to and is not there" for key in sorted(found.dead_links())),
            *(
                f"{key} has other bytes than its name says"
                for key in (found.damaged_texts(store) if deep else ())
            ),
        ],
        good=f"{counted(wheels, 'wheel')} {read}",
        remedy=f"{_RECONCILE}{' --deep' if deep else ''} puts back what it can, and says what to do about the rest",
    )
    yield finding(
        "records",
        [
            *(f"{wheel.filename} is recorded and not registered" for wheel in found.unregistered()),
            *(f"{wheel.filename} is registered and not recorded" for _, wheel in found.unrecorded()),
            *(f"{gone.filename} is being deleted" for gone in registry.removed if gone.state == "deleting"),
        ],
        good="each registered wheel has one",
        remedy=f"unless somebody publishes or removes at this moment: {_RECONCILE}",
    )
    if not registry.generation and not wheels:
        yield finding("pages", [], good="none yet: nothing was published", remedy="")
    elif not lost:
        try:
            differing = differing_pages(settings, store)
            yield finding(
                "pages",
                [f"{key} is not as it is drawn" for key in differing],
                good=f"drawn from generation {registry.generation}",
                remedy=_RECONCILE,
            )
        except IndexFault as error:
            yield bad("pages", error, f"no page can be drawn of that entry: {PROGRAM} remove takes it off")
    strays = [entry.key for entry in found.strays()]
    if strays or found.foreign:
        yield untried(
            "leftovers",
            "; ".join([*(f"{key} is of no published wheel" for key in strays), *found.foreign]),
            remedy=f"{PROGRAM} store.clean deletes uploads that were cut short; what is not the workbench's stays",
        )
