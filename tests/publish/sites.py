"""Wheels to publish, and what must hold of a store however it came to be as it is."""

from __future__ import annotations

import hashlib
import os
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urljoin

from tests.verify.wheels import files_of, pack
from workbench.publish.plan import Candidate
from workbench.publish.registry import timestamp
from workbench.registry.file import loads
from workbench.registry.model import Package, PublishedWheel

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.registry.model import Registry
    from workbench.store.protocol import Store

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def candidate(
    folder: Path,
    name: str = "demo",
    version: str = "1.0",
    *,
    tag: str = "py3-none-any",
    content: bytes = b"answer = 42\n",
    now: datetime = NOW,
) -> Candidate:
    """Make a real wheel, if it is not in the folder, and the candidate that verifying it would lead to."""
    folder.mkdir(parents=True, exist_ok=True)
    module = name.replace("-", "_")
    files = files_of(name=module, version=version, tag=tag, payload={f"{module}/__init__.py": content})
    path = folder / f"{module}-{version}-{tag}.whl"
    if not path.exists():  # a zip holds the time, so packing it again would make other bytes
        beside = pack(folder / f"{os.getpid()}.part", files)
        beside.replace(path)
    metadata = files[f"{module}-{version}.dist-info/METADATA"]
    wheel = PublishedWheel(
        filename=path.name,
        url=f"files/{name}/{path.name}",
        python_version="3",
        platform=tag.rpartition("-")[2],
        upload_date=timestamp(now)[:10],
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        size=path.stat().st_size,
        upload_time=timestamp(now),
        requires_python=">=3.9",
        metadata_sha256=hashlib.sha256(metadata).hexdigest(),
    )
    package = Package(source_repo=f"https://example.com/{name}", description=f"About {name}")
    return Candidate(project=name, package=package, wheel=wheel, path=path, metadata=metadata)


def registry_of(store: Store) -> Registry:
    stored = store.read("packages.json")
    assert stored is not None
    return loads(stored.content, where="packages.json")


def links_of(store: Store, page: str) -> list[tuple[str, str]]:
    """Return the links of a page: the key (or the absolute URL) each leads to, and its fragment."""
    stored = store.read(page)
    if stored is None:
        return []
    return [
        (unquote(url.removeprefix("http://store/")), fragment)
        for href in re.findall(r'href="([^"]+)"', stored.content.decode())
        for url, fragment in [urldefrag(urljoin(f"http://store/{page}", href))]
    ]


def dead_links(store: Store) -> list[str]:
    """Return what the pages for installers link to and the store does not hold."""
    pages = [e.key for e in store.entries("index/simple/") if e.key.endswith("index.html")]
    targets = {key for page in pages for key, fragment in links_of(store, page) if fragment}
    # listed after the pages were read: others may be publishing
    return sorted(targets - {entry.key for entry in store.entries("files/")})


def agreement(store: Store) -> list[str]:
    """Return where registry, pages and files of a store disagree: nothing, for a store in order."""
    registry = registry_of(store)
    wrong = [f"dead link: {key}" for key in dead_links(store)]
    for name, wheel in registry.wheels():
        problem = store.check(wheel.url, sha256=wheel.sha256, size=wheel.size, deep=True)
        wrong += [f"{wheel.url} {problem}"] if problem else []
        wrong += [f"no {wheel.url}.metadata"] if store.read(f"{wheel.url}.metadata") is None else []
        links = links_of(store, f"index/simple/{name}/index.html")
        if (wheel.url, f"sha256={wheel.sha256}") not in links:
            wrong.append(f"{wheel.filename} is not on its page")
    listed = {wheel.url for _, wheel in registry.wheels()}
    for name in registry.packages:
        for key, _ in links_of(store, f"index/simple/{name}/index.html"):
            wrong += [f"{key} is on a page and not in the registry"] if key not in listed else []
    return wrong
