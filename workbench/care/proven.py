"""What somebody who has an index's URL and a public key can prove: from the signed root to a wheel and its source.

The root names the registry by its sha256, the registry every file and statement; so nothing here trusts the server.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from workbench.errors import ProofFailed, RegistryError, UsageError
from workbench.events import step
from workbench.evidence.keys import KEYS, Keyring, read_list, short
from workbench.evidence.root import ROOT, read_root
from workbench.http import NoAnswer
from workbench.registry.file import loads
from workbench.simple.client import project_files
from workbench.simple.fetch import Fetcher, why
from workbench.store.layout import FILES, INDEX, REGISTRY, digest_of, history_key, url
from workbench.wheel.filename import label

if TYPE_CHECKING:
    from workbench.evidence.root import SignedRoot
    from workbench.registry.model import Package, PublishedWheel, Registry

STREAMS = 8
TRIES = 3
"""How often a root and what it names are read: a publisher changes them one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenIndex:
    """An index whose root somebody trusted has signed: where its store is, the keys, the root, the registry."""

    where: str
    base: str
    keys: Keyring
    root: SignedRoot
    registry: Registry

    def wheels(self, named: str) -> list[tuple[str, PublishedWheel]]:
        """Return the wheels that a filename, or the name of a package, means. Raises UsageError for none."""
        if found := self.registry.find(named):
            return [found]
        project = canonicalize_name(named)
        if wheels := self.registry.wheels_of(project):
            return [(project, wheel) for wheel in wheels]
        raise UsageError(f"{named}: neither a filename nor a package of the signed registry of {self.base}")


def store_of(where: str) -> str:
    """Return the URL of the store that an index's address lies in, without a slash. Raises UsageError."""
    if not re.match(r"(?:https?|file):", where):
        where = Path(where).resolve().as_uri()
    base, found, _ = f"{where.rstrip('/')}/".rpartition(f"/{INDEX}")
    if not found:
        raise UsageError(f"{where}: not the address of an index of the workbench, which has /index/ in it")
    return base


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenIndex:
    """The newest that somebody has seen of an index: the generation of its root, the version of its list of keys."""

    generation: int = 0
    keys: int = 0


_NOTHING_SEEN = SeenIndex()


def open_index(
    where: str, trusted: Keyring, *, fetcher: Fetcher, seen: SeenIndex = _NOTHING_SEEN
) -> ProvenIndex:
    """Return an index that one of the trusted keys signed, and that is not older than what was `seen` of it.

    Raises ProofFailed for a root that is missing, changed, expired or older, and for a key that is revoked; UsageError.
    """
    base = store_of(where)
    with step(f"check the signed root of {base}") as at:
        for _ in range(TRIES):
            listed = _get(fetcher, f"{base}/{KEYS}")
            keys = _keys(listed, trusted, where=f"{base}/{KEYS}")
            content = _get(fetcher, f"{base}/{ROOT}")
            if content is None:
                raise ProofFailed(
                    f"{base}: this index has no signed root ({ROOT}): nothing of it can be proved"
                )
            root = read_root(content, keys, now=datetime.now(UTC), where=f"{base}/{ROOT}")
            if keys.version < root.keys_version:
                why_not = (
                    f"{base}/{KEYS}: the signed root names version {root.keys_version} of the list of keys, and this "
                    f"is {f'version {keys.version}' if listed else 'missing'}"
                )
            elif (registry := _registry(fetcher, base, root)) is not None:
                break
            else:
                why_not = (
                    f"{base}/{REGISTRY}: it is not the registry that the signed root names (generation "
                    f"{root.generation}): changed, or of another generation"
                )
        else:
            raise ProofFailed(why_not)
        for what, now, before in (
            ("signed root is of generation", root.generation, seen.generation),
            ("list of keys is of version", keys.version, seen.keys),
        ):
            if now < before:
                raise ProofFailed(
                    f"{base}: its {what} {now}, and {before} was seen before: this is an old copy of the index, or it "
                    "was rolled back"
                )
        at.outcome = f"generation {root.generation}"
    return ProvenIndex(where=where, base=base, keys=keys, root=root, registry=registry)


def _keys(content: bytes | None, trusted: Keyring, *, where: str) -> Keyring:
    """Return the keys that count: those of the index's own list, which one of the trusted keys has signed."""
    if content is None:
        return trusted
    listed = read_list(content, where=where, signed_by=trusted)
    if listed.version < trusted.version:
        raise ProofFailed(
            f"{where}: its version is {listed.version}, and yours {trusted.version}: this is an old copy of the index"
        )
    for key in trusted.trusted:
        if (now := listed.find(key.id)) is not None and now.revoked is not None and len(trusted.trusted) == 1:
            raise ProofFailed(
                f"{where}: the key that you trust, {short(key.id)}, is revoked: {now.revoked or 'no reason is given'}. "
                "Get the publisher's new one in a way that you trust"
            )
    return listed


def _registry(fetcher: Fetcher, base: str, root: SignedRoot) -> Registry | None:
    """Return the registry that a root names; it may have been replaced since, and then lies in the history."""
    for key in (REGISTRY, history_key(root.generation)):
        content = _get(fetcher, url(base, key))
        if content is not None and hashlib.sha256(content).hexdigest() == root.sha256:
            try:
                return loads(content, where=f"{base}/{key}")
            except RegistryError as error:
                raise ProofFailed(f"the signed registry cannot be read by this version: {error}") from error
    return None


def check_pages(index: ProvenIndex, projects: Sequence[str], fetcher: Fetcher) -> tuple[str, ...]:
    """Return in which way the installers' pages of projects are not those of the signed registry."""

    def look(project: str) -> list[str]:
        page = f"{index.base}/{INDEX}simple/{project}/"
        try:
            links = project_files(fetcher, f"{index.base}/{INDEX}simple/", project)
        except OSError as problem:
            return [f"{page}: {why(problem)}"]
        listed = {link.filename: link.hashes.get("sha256", "") for link in links or ()}
        return [f"{page}: {what}" for what in _astray(listed, index.registry.packages[project])]

    with (
        step("compare the pages with the signed registry", total=len(projects), unit="projects") as advance,
        ThreadPoolExecutor(STREAMS) as pool,
    ):
        found: list[str] = []
        for problems in pool.map(look, projects):
            found += problems
            advance(1)
    return tuple(found)


def _astray(listed: dict[str, str], package: Package) -> Iterator[str]:
    offered = {wheel.filename: wheel.sha256 for wheel in package.wheels if label(wheel.filename) is None}
    if package.status == "quarantined":
        offered = {}
    for filename, sha256 in listed.items():
        if filename not in offered:
            yield f"{filename} is not in the signed registry"
        elif offered[filename] != sha256:
            yield f"{filename} has another sha256 than in the signed registry"
    for filename in sorted(offered.keys() - listed.keys()):
        yield f"{filename} is missing: the page is older, or somebody hides it"


def linked_text(fetcher: Fetcher, index: ProvenIndex, key: str) -> bytes:
    """Return a text that the signed registry links to, whose key has the beginning of its sha256.

    One that lies elsewhere has no such key: what is signed in it must prove it.
    """
    content = stored(fetcher, index, key)
    if key.startswith(FILES) and not hashlib.sha256(content).hexdigest().startswith(digest_of(key)):
        raise ProofFailed(f"{place_of(index, key)}: it was changed: it does not have the sha256 of its name")
    return content


def stored(fetcher: Fetcher, index: ProvenIndex, key: str) -> bytes:
    """Return what lies at a link that the signed registry names. Raises ProofFailed where nothing does."""
    place = place_of(index, key)
    if (content := _get(fetcher, place)) is None:
        raise ProofFailed(f"{place}: it is missing, and the signed registry links to it")
    return content


def place_of(index: ProvenIndex, link: str) -> str:
    """Return the URL of what the registry links to: a key of the store, or a URL elsewhere."""
    return url(index.base, link) if link.startswith(FILES) else link


def _get(fetcher: Fetcher, place: str) -> bytes | None:
    """Return what is at a URL; None where nothing is. Raises ProofFailed where there is no answer."""
    try:
        return fetcher.get(place).body
    except FileNotFoundError:
        return None
    except NoAnswer as problem:
        if problem.status == HTTPStatus.NOT_FOUND:
            return None
        raise ProofFailed(f"{place}: {why(problem)}") from problem
    except OSError as problem:
        raise ProofFailed(f"{place}: {why(problem)}") from problem
