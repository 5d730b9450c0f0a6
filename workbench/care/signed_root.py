"""What ``doctor`` finds of an index's signed root: that it is there, is of the registry, and has not nearly expired."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from workbench.care.diagnosis import Diagnosis, bad, finding
from workbench.errors import ProofFailed
from workbench.evidence.keys import KEYS, Keyring
from workbench.evidence.root import NEVER, ROOT, read_root
from workbench.files import content_of
from workbench.paths import PROGRAM
from workbench.publish.signing import STAND_BY, listed_keys, refused_statements
from workbench.store.layout import REGISTRY
from workbench.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.evidence.root import SignedRoot
    from workbench.registry.model import Registry
    from workbench.store.opening import Site

_CHECK = "signed root"
_SIGN = f"{PROGRAM} evidence.sign-index, where the key is"

_LEAST = 3
"""The part of a root's term that should be left: a third. Who signs on a schedule has missed it more than once then."""
_USUAL_TERM = timedelta(days=7)


def examine_root(site: Site) -> Iterator[Diagnosis]:
    """Yield what is found of the root of an index that somebody signs; nothing where nobody does."""
    paths, settings, store = site
    stored, listed = store.read(ROOT), content_of(paths.root / KEYS)
    if stored is None and listed is None and settings.signing.key is None:
        return
    if stored is None:
        yield bad(_CHECK, f"{store.place}/{ROOT} is missing, so nobody can check this index", _SIGN)
        return
    try:
        keys = listed_keys(site)
        if keys is None:
            raise ProofFailed(f"{store.place}/{KEYS} is missing: the keys that sign this index are not known")
        root = read_root(stored.content, keys, now=datetime.now(UTC), where=f"{store.place}/{ROOT}")
    except ProofFailed as error:
        yield bad(_CHECK, error, _SIGN)
        return
    problems = [*_problems(site, root, keys)]
    until = "" if root.expires == NEVER else f", good until {root.expires:%Y-%m-%d %H:%M} UTC"
    yield finding(_CHECK, problems, good=f"generation {root.generation}{until}", remedy=_SIGN)


def examine_statements(site: Site, registry: Registry) -> Iterator[Diagnosis]:
    """Yield which published wheels have statements that readers refuse, as their key is revoked; nothing for none."""
    try:
        problems = [*refused_statements(site, registry)]
    except ProofFailed:
        return  # the root tells of that
    if problems:
        yield finding("statements", problems, good="", remedy=STAND_BY)


def _problems(site: Site, root: SignedRoot, keys: Keyring) -> Iterator[str]:
    registry = site.store.read(REGISTRY)
    content = registry.content if registry else b""
    if hashlib.sha256(content).hexdigest() != root.sha256:
        yield (
            f"it signs generation {root.generation}, and the registry in the store is another: whoever checks this "
            "index is stopped"
        )
    if keys.version > root.keys_version:
        yield f"it names version {root.keys_version} of the list of keys, and yours is version {keys.version}"
    days = site.settings.signing.expires
    left = root.expires - datetime.now(UTC)
    if left < (timedelta(days=days) if days else _USUAL_TERM) / _LEAST:
        hours = counted(round(left / timedelta(hours=1)), "hour")
        yield f"it expires in {hours}: does the job that signs it on a schedule still run?"
