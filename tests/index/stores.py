"""A store in a folder that holds tiny real wheels, and that store served."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from tests.serving import serving
from tests.wheels import files_of, info_of, packed
from workbench.index.serve import Server
from workbench.index.tree import Drawn, write
from workbench.registry.file import dumps
from workbench.registry.model import Package, PublishedWheel, Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.settings import Settings


def wheel_bytes(name: str, version: str, *, requires_python: str | None = None) -> tuple[bytes, bytes]:
    """Return a pure wheel whose module knows its version, and its METADATA."""
    payload = {f"{name.replace('-', '_')}.py": f"version = {version!r}\n".encode()}
    files = files_of(name=name, version=version, payload=payload, requires_python=requires_python)
    return packed(files), files[f"{info_of(files)}/METADATA"]


def listed(filename: str, project: str = "demo", **facts: Any) -> PublishedWheel:
    """Return the registry's entry of a wheel that need not be there."""
    entry = {
        "filename": filename,
        "url": f"files/{project}/{filename}",
        "python_version": "3.12",
        "platform": "any",
        "upload_date": "2026-11-20",
        "sha256": hashlib.sha256(filename.encode()).hexdigest(),
        "size": 1234,
        "upload_time": "2026-11-20T10:00:00Z",
    }
    return PublishedWheel(**{**entry, **facts})


def registry_of(**projects: tuple[PublishedWheel, ...]) -> Registry:
    registry = Registry()
    for name, wheels in projects.items():
        project = name.replace("_", "-")
        registry = registry.with_package(
            project, Package(source_repo=f"pypi:{project}", description="A demonstration", wheels=wheels)
        )
    return registry


@dataclass
class Store:
    """A store in a folder: files, packages.json, index."""

    root: Path
    registry: Registry
    settings: Settings

    def publish(
        self, name: str, version: str, *, requires_python: str | None = None, **facts: Any
    ) -> PublishedWheel:
        """Put a real wheel into the store and the registry; its METADATA spells the name as given."""
        content, metadata = wheel_bytes(name, version, requires_python=requires_python)
        filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
        name = canonicalize_name(name)
        place = self.root / "files" / name / filename
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.with_name(f"{filename}.metadata").write_bytes(metadata)
        wheel = listed(
            filename,
            name,
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            requires_python=requires_python,
            metadata_sha256=hashlib.sha256(metadata).hexdigest(),
        )
        if name not in self.registry.packages:
            self.registry = self.registry.with_package(name, Package(source_repo=f"pypi:{name}"))
        self.registry = self.registry.with_wheel(name, replace(wheel, **facts))
        return wheel

    def draw(self) -> Drawn:
        (self.root / "packages.json").write_text(dumps(self.registry))
        return write(self.root / "packages.json", self.root / "index", self.settings)

    @contextmanager
    def served(self) -> Iterator[str]:
        """Serve the store while the block runs, and yield the URL of its root."""
        with serving(Server(self.root, quiet=True)) as server:
            yield server.url


def tree(root: Path) -> dict[str, bytes]:
    """Return every file below a folder, by its relative path."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
