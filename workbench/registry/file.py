"""Read and write ``packages.json``."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from workbench.errors import RegistryError
from workbench.registry.model import SCHEMA, Package, Registry
from workbench.strict import Mismatch, parse

if TYPE_CHECKING:
    from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    schema: int
    generation: int
    packages: dict[str, Package]


def loads(text: str | bytes, *, where: str) -> Registry:
    """Return the registry that a document holds. `where` names the document in errors.

    Raises RegistryError for what is not JSON, not this schema's shape, or of another schema version.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise RegistryError(f"{where}: not JSON: {error}") from error
    schema = data.get("schema", 1) if isinstance(data, dict) else None
    if schema == 1:
        raise RegistryError(f"{where}: a registry of the older form: read it in with 'invoke import-registry'")
    if schema != SCHEMA:
        raise RegistryError(f"{where}: schema {schema!r}, and this version reads {SCHEMA}")
    try:
        document = parse(_Document, data)
    except Mismatch as error:
        raise RegistryError(f"{where}: {error}") from error
    return Registry(generation=document.generation, packages=document.packages)


def load(path: Path) -> Registry:
    """Return the registry in a file; an empty one where there is no file. Raises RegistryError."""
    try:
        return loads(path.read_bytes(), where=str(path))
    except FileNotFoundError:
        return Registry()


def dumps(registry: Registry) -> str:
    """Write a registry as JSON: sorted, two spaces, keys whose value is the default left out.

    A line ``    "<name>": {`` opens each project, so that a reader can split the text by projects without
    parsing it.
    """
    packages = {name: _plain(package) for name, package in sorted(registry.packages.items())}
    document = {"schema": SCHEMA, "generation": registry.generation, "packages": packages}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:  # noqa: ANN401 - any field's value
    if dataclasses.is_dataclass(value):
        return {
            field.name: _plain(item)
            for field in dataclasses.fields(value)
            if (item := getattr(value, field.name)) != field.default
        }
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
