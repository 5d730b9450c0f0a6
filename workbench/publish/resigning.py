"""Statements of published wheels, signed anew: where their key was revoked, or nobody had signed them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import ProofFailed, UsageError
from workbench.evidence.statements import signed_anew
from workbench.publish.amend import amend, published
from workbench.publish.drawing import draw_pages
from workbench.simple.fetch import Fetcher, why
from workbench.store.layout import FILES, statement_key

if TYPE_CHECKING:
    from workbench.evidence.signer import Signer
    from workbench.registry.model import PublishedWheel, Registry
    from workbench.store.opening import Site
    from workbench.store.protocol import Store


def published_statement(
    store: Store, registry: Registry, named: str
) -> tuple[str, PublishedWheel, bytes, str]:
    """Return the project of a published wheel, by its filename, the wheel, its statement, and where that lies.

    Raises UsageError for what is not published, ProofFailed for a wheel without a statement, or where the place that
    has it does not answer.
    """
    found = registry.find(Path(named).name)
    if found is None:
        raise UsageError(f"{named}: neither a file nor the filename of a published wheel")
    project, wheel = found
    link = wheel.build.statement if wheel.build else None
    if link and not link.startswith(FILES):
        return project, wheel, _statement_at(link), link
    stored = store.read(link) if link else None
    if stored is None:
        raise ProofFailed(f"{wheel.filename}: no statement of how it was made is published with it")
    return project, wheel, stored.content, f"{store.place}/{link}"


def _statement_at(url: str) -> bytes:
    """Return a statement that lies elsewhere. Raises ProofFailed where nobody gives it."""
    try:
        return Fetcher().get(url).body
    except OSError as error:
        raise ProofFailed(f"{url}: {why(error)}") from error


def sign_published(site: Site, filenames: Sequence[str], signer: Signer) -> tuple[str, ...]:
    """Sign the statements of published wheels with a key alone, whoever had signed them; return where they lie.

    What the statements say is not looked into but that each is of its wheel: who signs has read them. Raises UsageError
    for what is not published, ProofFailed for a wheel without a statement or with one of other bytes.
    """
    store, registry = site.store, published(site)
    links: dict[str, str] = {}
    for filename in filenames:
        project, wheel, stated, where = published_statement(store, registry, filename)
        content = signed_anew(stated, signer, filename=filename, sha256=wheel.sha256, where=where)
        digest = hashlib.sha256(content).hexdigest()
        links[filename] = statement_key(project, filename, digest)
        store.create(links[filename], content, sha256=digest)

    def change(registry: Registry) -> Registry:
        for filename, link in links.items():
            if (found := registry.find(filename)) and (build := found[1].build):
                registry = registry.with_wheel(
                    found[0], replace(found[1], build=replace(build, statement=link))
                )
        return registry

    amend(store, change, f"sign {', '.join(links)}")
    draw_pages(site)
    return tuple(links.values())
