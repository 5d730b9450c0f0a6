"""Published wheels that are built again: taken from the store, and the verdict on them published beside them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.errors import ProofFailed, UsageError
from workbench.evidence.reproduction import FirstBuild, with_verdict
from workbench.evidence.statements import check_statement
from workbench.publish.amend import amend, current, published
from workbench.publish.drawing import draw_pages
from workbench.publish.resigning import published_statement
from workbench.publish.wheel_files import is_ours
from workbench.simple.fetch import Fetcher, why
from workbench.store.layout import verdict_key
from workbench.store.protocol import copy_out

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.evidence.keys import Keyring
    from workbench.evidence.reproduction import Reproduction
    from workbench.registry.model import Registry
    from workbench.store.opening import Site
    from workbench.store.protocol import Store


def published_first_build(site: Site, named: str, folder: Path, *, keys: Keyring | None) -> FirstBuild:
    """Return a published wheel of a site, by its filename, as something to build again; its file goes into `folder`.

    With `keys` one of them must have signed its statement. Raises UsageError for what is not published, ProofFailed for
    a wheel without a statement, or with one of other bytes.
    """
    store = site.store
    project, wheel, content, where = published_statement(store, current(store), named)
    stated = check_statement(content, filename=wheel.filename, sha256=wheel.sha256, keys=keys, where=where)
    path = folder / wheel.filename
    ours = is_ours(wheel)
    if (sha256 := copy_out(store, wheel.url, path) if ours else _fetched(wheel.url, path)) != wheel.sha256:
        raise ProofFailed(
            f"{f'{store.place}/' if ours else ''}{wheel.url}: its sha256 is {sha256}, and that of the wheel that was "
            f"published {wheel.sha256}: it was changed"
        )
    links = [each.url for each in wheel.build.patches if each.url] if wheel.build else []
    texts = [stored.content for link in links if (stored := store.read(link))]
    patches = {hashlib.sha256(text).hexdigest(): text for text in texts}
    return FirstBuild(
        path=path,
        build=stated.build,
        statement=stated.digest,
        where=f"the statement of {wheel.filename} ({project})",
        patches=patches,
    )


def _fetched(url: str, path: Path) -> str:
    """Download a wheel that lies elsewhere; return its sha256. Raises ProofFailed where nobody gives it."""
    try:
        with path.open("xb") as file:
            return Fetcher().read_through(url, f"fetch {path.name}", into=file)[0]
    except OSError as error:
        raise ProofFailed(f"{url}: {why(error)}") from error


def expect_published(store: Store, registry: Registry, filename: str, sha256: str, statement: str) -> str:
    """Return the project of a wheel that is published with these bytes, and with this statement if with any.

    `statement` is the sha256 of the statement's JSON. Raises UsageError for another.
    """
    found = registry.find(filename)
    if found is None or found[1].sha256 != sha256:
        raise UsageError(
            f"--publish: {filename} is {'not published' if found is None else 'published with other bytes'} here: "
            "a verdict is published beside its wheel"
        )
    project, wheel = found
    if wheel.build is None:
        raise UsageError(f"--publish: the registry does not say how {filename} was made")
    if wheel.build.statement is not None:
        _, _, content, where = published_statement(store, registry, filename)
        stated = check_statement(content, filename=filename, sha256=sha256, keys=None, where=where)
        if stated.digest != statement:
            raise UsageError(
                f"--publish: {filename} is published with another statement than this one ({where}): name it by its "
                "filename, and it is built from that"
            )
    return project


def publish_verdict(site: Site, found: Reproduction, content: bytes) -> str:
    """Publish the verdict on a wheel beside it, in place of an earlier one, and draw its page; return where it lies.

    Raises UsageError for a wheel that is not published, RegistryError, StoreError.
    """
    registry = published(site)
    project = expect_published(site.store, registry, found.filename, found.sha256, found.statement)
    digest = hashlib.sha256(content).hexdigest()
    link = verdict_key(project, found.filename, digest)
    site.store.create(link, content, sha256=digest)

    def change(registry: Registry) -> Registry:
        known = registry.find(found.filename)
        if known is None or (build := known[1].build) is None:
            return registry
        return registry.with_wheel(known[0], replace(known[1], build=with_verdict(build, found, link)))

    amend(site.store, change, f"verdict on {found.filename}")
    draw_pages(site)
    return link
