"""A registry through all that read one: as values, as projects, as pages, and as one of the older form."""

from __future__ import annotations

import io
import json
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from workbench.errors import RegistryError, WorkbenchError
from workbench.evidence.facts import BuildFacts, PatchApplied
from workbench.index.draw import draw
from workbench.registry.file import dumps, loads, projects
from workbench.registry.importing import accepted
from workbench.registry.model import Package, PublishedWheel, Registry, Removal, Unavailable
from workbench.settings import IndexSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

FILENAME = "demo-1.0+cu130torch2.11-cp311-cp311-manylinux_2_28_x86_64.whl"
WHEEL = PublishedWheel(
    filename=FILENAME,
    url=f"files/demo/{FILENAME}",
    python_version="3.11",
    platform="manylinux_2_28_x86_64",
    upload_date="2026-11-21",
    sha256="a" * 64,
    size=12,
    upload_time="2026-11-21T10:00:00Z",
    requires_python=">=3.10",
    metadata_sha256="b" * 64,
    yanked="broken",
    gpu_architectures=("sm_121", "compute_120"),
    build=BuildFacts(
        source="demo==1.0", pin="d" * 64, patches=(PatchApplied(name="a.patch", sha256="e" * 64),)
    ),
)
PACKAGE = Package(
    source_repo="https://example.com/demo",
    description="A demonstration",
    unavailable=(Unavailable(python="3.13", reason="upstream stops at 3.12"),),
    wheels=(WHEEL,),
)
REGISTRY = Registry(
    generation=3,
    updated="2026-11-21T10:00:00Z",
    change="publish demo-1.0",
    packages={"bare": Package(source_repo="pypi:bare"), "demo": PACKAGE},
    removed=(Removal(project="demo", filename="demo-0.9-py3-none-any.whl", sha256="f" * 64, removed="2026"),),
)
OLDER = {
    "packages": {
        "Demo": {
            "source_repo": "x",
            "wheels": [{"filename": FILENAME, "url": "https://x.org/a", "sha256": "a" * 64}],
        }
    }
}


def seeds() -> Iterator[bytes]:
    """Return registries of both forms, in two layouts."""
    yield dumps(REGISTRY).encode()
    yield json.dumps(json.loads(dumps(REGISTRY))).encode()
    yield dumps(Registry()).encode()
    yield json.dumps(OLDER).encode()


def one(data: bytes) -> None:
    """Read a document. What is read as a whole is read project by project as well, to the same end."""
    try:
        registry = loads(data, where="x")
    except RegistryError:
        registry = None
    names = None
    with suppress(RegistryError):
        names = sorted(name for name, _ in projects(io.BytesIO(data), where="x"))
    if registry is not None and names != sorted(registry.packages):
        raise AssertionError(f"projects: {names}")
    for people in (False, True):
        settings = Settings(index=IndexSettings(people=people))
        with suppress(WorkbenchError):
            deque(draw(io.BytesIO(data), settings), maxlen=0)
    with suppress(RegistryError):
        accepted(data, where="x")
