"""The signed root of a store's index, brought up to its registry; and the site's list of the keys that sign."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import ProofFailed, StoreError, UsageError
from workbench.events import note
from workbench.evidence.keys import KEYS, Keyring, read_keyring, read_list, short
from workbench.evidence.root import NEVER, ROOT, SignedRoot, read_root, write_root
from workbench.evidence.statements import opened
from workbench.files import content_of, locked, write_whole
from workbench.paths import PROGRAM
from workbench.publish.amend import ATTEMPTS, loaded, wait
from workbench.store.layout import FILES, INDEX, REGISTRY, TRUST

if TYPE_CHECKING:
    from workbench.evidence.signer import Signer
    from workbench.paths import Paths
    from workbench.registry.model import Registry
    from workbench.settings import Settings
    from workbench.store.opening import Site
    from workbench.store.protocol import Store

STAND_BY = (
    f"where you stand by what '{PROGRAM} evidence.show' prints of it, '{PROGRAM} evidence.sign' signs it anew, by the "
    f"wheel's filename; where not, '{PROGRAM} yank' or 'remove' takes the wheel back"
)
"""What to do about a statement that readers refuse."""

NO_KEY = f"workbench.yaml names no signing.key: '{PROGRAM} evidence.new-key --to FILE' makes one"


def signer_of(paths: Paths, settings: Settings) -> Signer | None:
    """Return the private key that a site signs with; None where its settings name none.

    Asked before anything is changed, it finds early what would stop the signing later. Raises UsageError for a key
    that cannot be used, or that the site's list does not have; ProofFailed for a damaged list.
    """
    if settings.signing.key is None:
        return None
    from workbench.evidence.signer import read_signer

    path = _key_file(paths, settings.signing.key)
    if any(path.is_relative_to((paths.root / each).resolve()) for each in (TRUST, INDEX, FILES)):
        raise UsageError(
            f"workbench.yaml: signing.key: {path} lies where everything is published: move it away"
        )
    signer = read_signer(path)
    listed = _site_keys(paths, signer).find(signer.key.id)
    if listed is None or listed.revoked is not None:
        why = "is not on the list of the site's keys" if listed is None else f"is revoked: {listed.revoked}"
        raise UsageError(
            f"workbench.yaml: signing.key: the key {short(signer.key.id)} {why} ({paths.root / KEYS}): name one that "
            f"is on it, or a new one: '{PROGRAM} evidence.keys --add NEW.pub --also OLD' puts that on it, OLD being "
            "the private half of one that is on it"
        )
    return signer


def _key_file(paths: Paths, named: str) -> Path:
    return (paths.root / Path(named).expanduser()).resolve()


def trusted_keys(paths: Paths, settings: Settings) -> Keyring | None:
    """Return the keys that the readers of a site trust, where it signs; None where it does not.

    Nothing is written, and no passphrase is asked for: a dry run knows as well what readers would refuse. Before the
    site has a list, its key counts, by the public half beside it; without that, nothing is known. Raises ProofFailed.
    """
    if settings.signing.key is None:
        return None
    listed, public = paths.root / KEYS, Path(f"{_key_file(paths, settings.signing.key)}.pub")
    there = next((each for each in (listed, public) if each.is_file()), None)
    return read_keyring(there) if there else None


def _site_keys(paths: Paths, signer: Signer) -> Keyring:
    """Return the site's list of keys, made first where there is none: of the one that signs. Raises ProofFailed."""
    from workbench.evidence.signer import sign_list

    path = paths.root / KEYS
    if (content := content_of(path)) is None:
        first = Keyring(keys=(signer.key,), version=1)
        write_whole(path, sign_list(first, [signer]))
        return first
    return read_list(content, where=str(path))


def change_list(
    paths: Paths, settings: Settings, *, add: str, revoke: str, reason: str, also: str
) -> Keyring:
    """Put the keys of the file `add` on the site's list, revoke the one whose id begins with `revoke`; return the list.

    The site's key signs it, and the private key in the file `also` as well, if one is named. Raises UsageError, and
    ProofFailed for a list that is damaged.
    """
    from workbench.evidence.signer import read_signer, sign_list

    if settings.signing.key is None:
        raise UsageError(NO_KEY)
    if bool(revoke) != bool(reason):
        raise UsageError("--revoke and --reason go together: all who meet a revoked key are shown the reason")
    files = [_key_file(paths, settings.signing.key), *([Path(also).expanduser()] if also else [])]
    added = read_keyring(Path(add)).keys if add else ()
    signers = [read_signer(each) for each in files]
    path = paths.root / KEYS
    with locked(paths.state / "keys.lock"):
        before = read_keyring(path) if path.exists() else Keyring(keys=())
        # the first list is signed by a key that is on it
        listed = before if before.keys else before.with_key(signers[0].key)
        for key in added:
            listed = listed.added(key)
        if revoke:
            listed = listed.with_key(replace(listed.named(revoke), revoked=reason))
        if listed != before or also:
            write_whole(path, sign_list(listed, signers))
    if before.trusted and not any(each.key in before.trusted for each in signers):
        note(
            "! no key that was trusted before signs this list: who trusts one is stopped until they get yours. "
            f"Where you still have one, '{PROGRAM} evidence.keys --also FILE' signs the list with it as well"
        )
    return listed


def listed_keys(site: Site) -> Keyring | None:
    """Return a site's list of keys, or where this checkout has none, the one in the store. Raises ProofFailed."""
    own = content_of(site.paths.root / KEYS)
    if own is not None:
        return read_list(own, where=str(site.paths.root / KEYS))
    stored = site.store.read(KEYS)
    return read_list(stored.content, where=f"{site.store.place}/{KEYS}") if stored else None


def refused_statements(site: Site, registry: Registry) -> Iterator[str]:
    """Yield of which wheels of a registry readers refuse the statement now that a key is revoked, and why.

    Those that are yanked are not looked at, nor statements that lie elsewhere. Raises ProofFailed for a list of keys
    that cannot be trusted, StoreError.
    """
    keys = listed_keys(site)
    if keys is None or len(keys.trusted) == len(keys.keys):
        return
    for _, wheel in registry.wheels():
        link = wheel.build.statement if wheel.build and wheel.yanked is None else None
        stored = site.store.read(link) if link and link.startswith(FILES) else None
        if stored is None:
            continue
        try:
            opened(stored.content, keys=keys, where=wheel.filename)
        except ProofFailed as error:
            yield str(error)


def sign_root(site: Site) -> bool:
    """Sign the root of a site's index, if the site signs and the root is not as it should be; return whether it did.

    The root never goes back to an older generation, whoever else signs at the same time. A site that has a list of keys
    and names none to sign with is told that its root is not of this change. Raises UsageError, StoreError, and
    ProofFailed for a damaged list.
    """
    paths, settings, store = site
    if settings.signing.key is None:
        if (paths.root / KEYS).exists() and store.read(ROOT) is not None:
            note(
                "! the signed root of this index is not of this change: workbench.yaml names no signing.key here. "
                f"Those who check it are stopped until '{PROGRAM} evidence.sign-index' is run where the key is"
            )
        return False
    signer = signer_of(paths, settings)
    assert signer is not None  # noqa: S101 - the settings name it
    keys = _publish_keys(paths, store)
    for attempt in range(ATTEMPTS):
        before, registry = store.read(ROOT), store.read(REGISTRY)
        if registry is None:
            return False
        days = settings.signing.expires
        root = SignedRoot(
            generation=loaded(registry.content, REGISTRY).generation,
            size=len(registry.content),
            sha256=hashlib.sha256(registry.content).hexdigest(),
            keys_version=keys.version,
            expires=datetime.now(UTC).replace(microsecond=0) + timedelta(days=days) if days else NEVER,
        )
        if before is not None and not _is_behind(before.content, root, signer):
            return False
        if store.replace(ROOT, write_root(root, signer), expected=before.version if before else None):
            return True
        wait(attempt)
    raise StoreError(
        f"{store.place}: others signed the index {ATTEMPTS} times in a row; run the same command again"
    )


def _is_behind(content: bytes, root: SignedRoot, signer: Signer) -> bool:
    """Say whether what lies in a store is to be replaced by a root."""
    try:
        there = read_root(content, Keyring(keys=(signer.key,)), now=datetime.now(UTC), where=ROOT)
    except ProofFailed:
        return True
    if there.generation > root.generation:
        note(
            f"! the registry is of generation {root.generation}, and the signed root of {there.generation}: the "
            f"registry was set back, which is not signed; '{PROGRAM} store.rollback' is the way that is"
        )
        return False
    same = (there.generation, there.sha256, there.keys_version)
    # where it is signed on a schedule, each signing gives it a new term
    return same != (root.generation, root.sha256, root.keys_version) or there.expires != root.expires


def _publish_keys(paths: Paths, store: Store) -> Keyring:
    """Bring a store's list of keys up to the site's; return it.

    Raises StoreError for one there that the site's does not follow: what it revokes would be trusted again; ProofFailed
    where the site's own is damaged.
    """
    ours = (paths.root / KEYS).read_bytes()
    listed = read_list(ours, where=str(paths.root / KEYS))
    for attempt in range(ATTEMPTS):
        there = store.read(KEYS)
        if there is not None and there.content == ours:
            return listed
        if there is not None:
            _expect_followed(there.content, listed, where=f"{store.place}/{KEYS}", ours=paths.root / KEYS)
        if store.replace(KEYS, ours, expected=there.version if there else None):
            return listed
        wait(attempt)
    raise StoreError(
        f"{store.place}: others changed {KEYS} {ATTEMPTS} times in a row; run the same command again"
    )


def _expect_followed(there: bytes, listed: Keyring, *, where: str, ours: Path) -> None:
    """Raise StoreError for a store's list of keys that this site's does not follow."""
    try:
        before = read_list(there, where=where)
        if listed == before or listed.follows(before):
            return
        read_list(there, where=where, signed_by=listed)
    except ProofFailed as error:
        raise StoreError(
            f"{error}. If another checkout changed the site's keys, bring its {KEYS} here; if not, somebody changed "
            f"the store's: remove that, and '{PROGRAM} evidence.sign-index' puts yours there"
        ) from error
    raise StoreError(
        f"{where} has what {ours} does not: another checkout changed the site's keys. Bring its {KEYS} here, and "
        f"make your own change to that ('{PROGRAM} evidence.keys')"
    )
