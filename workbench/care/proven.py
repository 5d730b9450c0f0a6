"""What somebody who has an index's URL and a public key can prove: from the signed root to a wheel and its source.

The root names the registry by its sha256, the registry every file and statement; so nothing here trusts the server.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
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
from workbench.evidence.reproduction import check_verdict
from workbench.evidence.root import ROOT, read_root
from workbench.evidence.sbom import sbom_of
from workbench.evidence.statements import check_statement, digest_of_statement
from workbench.http import NoAnswer
from workbench.make.again import FirstBuild
from workbench.registry.file import loads
from workbench.simple.client import project_files
from workbench.simple.fetch import Fetcher, why
from workbench.store.layout import INDEX, REGISTRY, digest_of, history_key, url
from workbench.wheel.filename import label
from workbench.wheel.stream import BadBinary

if TYPE_CHECKING:
    from workbench.evidence.root import SignedRoot
    from workbench.evidence.statements import WheelStatement
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenWheel:
    """A wheel of which all was found as its statement says: `steps` are what was looked at, in words."""

    filename: str
    sha256: str
    stated: WheelStatement
    steps: tuple[str, ...]


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


NOTHING_SEEN = SeenIndex()


def open_index(
    where: str, trusted: Keyring, *, fetcher: Fetcher, seen: SeenIndex = NOTHING_SEEN
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


def prove_wheel(
    index: ProvenIndex, project: str, wheel: PublishedWheel, fetcher: Fetcher, *, whole: bool = True
) -> ProvenWheel:
    """Prove a published wheel: its statement, and with `whole` its bytes, bill of materials, patches and verdict too.

    Raises ProofFailed for what is missing or is not as the statement says.
    """
    stated, _ = _stated(index, wheel, fetcher)
    signer = stated.signer
    steps = [
        f"the index's root is signed: generation {index.root.generation} of {project}'s index",
        f"the statement is signed by the key {short(signer.id) if signer else ''}",
    ]
    if whole:
        with tempfile.TemporaryDirectory(prefix="workbench-proof-") as folder:
            steps += _prove_bytes(index, wheel, fetcher, Path(folder) / wheel.filename)
        if _patches(index, wheel, stated, fetcher):
            names = ", ".join(each.name for each in stated.build.made.of_role("patch"))
            steps.append(f"its patches are those of the statement: {names}")
        steps += _prove_verdict(index, wheel, fetcher)
    return ProvenWheel(filename=wheel.filename, sha256=wheel.sha256, stated=stated, steps=tuple(steps))


def proven_first_build(index: ProvenIndex, wheel: PublishedWheel, fetcher: Fetcher, into: Path) -> FirstBuild:
    """Return a published wheel, all of it proved, as something to build again; its file is downloaded to `into`.

    Raises ProofFailed as `prove_wheel` does.
    """
    stated, content = _stated(index, wheel, fetcher)
    _prove_bytes(index, wheel, fetcher, into)
    return FirstBuild(
        path=into,
        build=stated.build,
        statement=digest_of_statement(content, where=wheel.filename),
        where=f"the statement of {wheel.filename}",
        patches=_patches(index, wheel, stated, fetcher),
    )


def _stated(index: ProvenIndex, wheel: PublishedWheel, fetcher: Fetcher) -> tuple[WheelStatement, bytes]:
    """Return what the signed statement of a published wheel says, and the statement."""
    key = wheel.build.statement if wheel.build else None
    if key is None:
        raise ProofFailed(f"{wheel.filename}: no statement of how it was made is published with it")
    content, where = _text(fetcher, index, key), url(index.base, key)
    stated = check_statement(
        content, filename=wheel.filename, sha256=wheel.sha256, keys=index.keys, where=where
    )
    return stated, content


def _patches(
    index: ProvenIndex, wheel: PublishedWheel, stated: WheelStatement, fetcher: Fetcher
) -> dict[str, bytes]:
    """Return the published patches of a wheel by their sha256: those of its statement, all of them."""
    named = {each.digest.get("sha256", ""): each.name for each in stated.build.made.of_role("patch")}
    links = [each.url for each in wheel.build.patches if each.url] if wheel.build else []
    texts = [_text(fetcher, index, key) for key in links]
    found = {hashlib.sha256(text).hexdigest(): text for text in texts}
    if lacking := sorted(named.keys() - found.keys()):
        names = ", ".join(named[each] for each in lacking)
        raise ProofFailed(f"{wheel.filename}: the published patches are not those of its statement: {names}")
    return {digest: found[digest] for digest in named}


def _prove_verdict(index: ProvenIndex, wheel: PublishedWheel, fetcher: Fetcher) -> list[str]:
    """See that the published verdict on a wheel, if there is one, is signed, about it, and as the registry says."""
    build = wheel.build
    if build is None or build.verdict is None:
        return []
    content, where = _text(fetcher, index, build.verdict), url(index.base, build.verdict)
    verdict = check_verdict(
        content, filename=wheel.filename, sha256=wheel.sha256, keys=index.keys, where=where
    )
    if verdict.found.identical is not build.reproduced:
        raise ProofFailed(f"{where}: the registry says of this verdict what it does not say")
    signer = short(verdict.signer.id) if verdict.signer else ""
    return [f"built again on {build.reproduced_on}: {verdict.found.outcome}, says the key {signer}"]


def _prove_bytes(index: ProvenIndex, wheel: PublishedWheel, fetcher: Fetcher, path: Path) -> list[str]:
    """Download a wheel; compare its sha256 with the registry's, and the published bill of materials with its own."""
    place = wheel.url if re.match(r"https?:", wheel.url) else url(index.base, wheel.url)
    try:
        with path.open("xb") as file:
            sha256, _ = fetcher.read_through(place, f"fetch {wheel.filename}", into=file)
    except OSError as problem:
        raise ProofFailed(f"{place}: {why(problem)}") from problem
    if sha256 != wheel.sha256:
        raise ProofFailed(
            f"{place}: its sha256 is {sha256}, and the signed one {wheel.sha256}: the wheel was changed"
        )
    done = [f"the wheel has the signed sha256 ({wheel.sha256})"]
    if wheel.build and wheel.build.sbom:
        try:
            own = sbom_of(path)
        except BadBinary as error:
            raise ProofFailed(f"{place}: {error}") from error
        if _text(fetcher, index, wheel.build.sbom) != own:
            raise ProofFailed(f"{wheel.build.sbom}: it is not the bill of materials that is in the wheel")
        done.append("the published bill of materials is the wheel's own")
    return done


def _text(fetcher: Fetcher, index: ProvenIndex, key: str) -> bytes:
    """Return a text that the signed registry links to, whose key has the beginning of its sha256."""
    place = url(index.base, key)
    content = _get(fetcher, place)
    if content is None:
        raise ProofFailed(f"{place}: it is missing, and the signed registry links to it")
    if not hashlib.sha256(content).hexdigest().startswith(digest_of(key)):
        raise ProofFailed(f"{place}: it was changed: it does not have the sha256 of its name")
    return content


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
