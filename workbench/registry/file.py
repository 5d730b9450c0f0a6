"""Read and write ``packages.json``."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from typing import TYPE_CHECKING, Any, BinaryIO

from workbench.errors import RegistryError
from workbench.registry.model import SCHEMA, Package, Registry, Removal
from workbench.strict import Mismatch, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class Damaged(RegistryError):
    """The document is not JSON: it was cut short, or is none of ours."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    schema: int
    generation: int
    updated: str | None = None
    change: str = ""
    packages: dict[str, Package]
    removed: tuple[Removal, ...] = ()


def loads(text: str | bytes, *, where: str) -> Registry:
    """Return the registry that a document holds. `where` names the document in errors.

    Raises Damaged for what is not JSON, RegistryError for what is not this schema's shape or of another version.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise Damaged(f"{where}: not JSON: {error}") from error
    schema = data.get("schema", 1) if isinstance(data, dict) else None
    if schema == 1:
        raise RegistryError(
            f"{where}: a registry of the older form: read it in with 'invoke import-registry'"
        )
    if schema != SCHEMA:
        raise RegistryError(f"{where}: schema {schema!r}, and this version reads {SCHEMA}")
    try:
        document = parse(_Document, data)
    except Mismatch as error:
        raise RegistryError(f"{where}: {error}") from error
    return Registry(**{f.name: getattr(document, f.name) for f in dataclasses.fields(Registry)})


def load(path: Path) -> Registry:
    """Return the registry in a file; an empty one where there is no file. Raises RegistryError."""
    try:
        return loads(path.read_bytes(), where=str(path))
    except FileNotFoundError:
        return Registry()


def dumps(registry: Registry) -> str:
    """Write a registry as JSON: sorted by project, one line a wheel, keys at their defaults left out.

    `projects` goes by this layout, and so does whoever reads a diff.
    """
    blocks = ",\n".join(_block(name, package) for name, package in sorted(registry.packages.items()))
    members = {
        "schema": _json(SCHEMA),
        "generation": _json(registry.generation),
        "updated": _json(registry.updated),
        "change": _json(registry.change),
        "packages": f"{{\n{blocks}\n  }}" if blocks else "{}",
    }
    if registry.removed:
        removals = ",\n".join(f"    {_json(_plain(removal))}" for removal in registry.removed)
        members["removed"] = f"[\n{removals}\n  ]"
    return "{\n" + ",\n".join(f"  {_json(key)}: {value}" for key, value in members.items()) + "\n}\n"


def _block(name: str, package: Package) -> str:
    facts = [
        f"      {_json(key)}: {_json(value)}" for key, value in _plain(package).items() if key != "wheels"
    ]
    if package.wheels:
        wheels = ",\n".join(f"        {_json(_plain(wheel))}" for wheel in package.wheels)
        facts.append(f'      "wheels": [\n{wheels}\n      ]')
    lines = ",\n".join(facts)
    return f"    {_json(name)}: {{\n{lines}\n    }}"


def projects(document: BinaryIO, *, where: str) -> Iterator[tuple[str, bytes]]:
    """Yield each project's name and its JSON text, unparsed, out of a registry document.

    Where it has the layout of `dumps`, one project is in memory at a time, and 100,000 wheels take less
    than a tenth of a second; in any other layout it is read whole and laid out first. `where` names the
    document in errors. Raises RegistryError.
    """
    start = document.tell()
    head = b"".join(document.readline() for _ in range(_HEAD_LINES))
    lines: Iterable[bytes] = document
    if not _HEAD.fullmatch(head):
        document.seek(start)
        lines = dumps(loads(document.read(), where=where)).encode().splitlines(keepends=True)[_HEAD_LINES:]
    name, kept = "", list[bytes]()
    for number, line in enumerate(lines, start=_HEAD_LINES + 1):
        if kept and line.startswith(_WITHIN):
            kept.append(line)
        elif not kept and (opened := _OPENING.fullmatch(line)):
            name, kept = opened[1].decode(), [b"{\n"]
        elif kept and line in _CLOSING:
            yield name, b"".join((*kept, b"}\n"))
            kept = []
        elif kept and not line.startswith(b'    "'):
            kept.append(line)
        elif line in _TAIL:
            return
        else:
            raise RegistryError(
                f"{where}:{number}: this line is not where the workbench writes it: undo the edit by hand, "
                "or give the whole file another layout (jq .), which is read as well"
            )
    if kept:
        raise RegistryError(f"{where}: ends within the project {name}")


_HEAD = re.compile(
    rb'\{\n  "schema": %d,\n  "generation": \d+,\n  "updated": [^\n]+,\n  "change": [^\n]+,\n'
    rb'  "packages": \{(?:\},?)?\n' % SCHEMA
)
_HEAD_LINES = 6
_OPENING = re.compile(rb'    "([a-z0-9]+(?:-[a-z0-9]+)*)": \{\n')
_WITHIN = b"      "  # a fact or a wheel: nearly every line
_CLOSING = (b"    },\n", b"    }\n")
_TAIL = (b"  }\n", b"  },\n", b'  "removed": [\n', b"}\n", b"}")


_json = json.JSONEncoder(ensure_ascii=False).encode


def _plain(value: Any) -> Any:  # noqa: ANN401 - any field's value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if not dataclasses.is_dataclass(value):
        return value
    kind: Any = type(value)
    return {
        name: item if type(item) is str else _plain(item)
        for name, default in _defaults(kind)
        if (item := getattr(value, name)) != default
    }


@functools.cache
def _defaults(cls: type[Any]) -> tuple[tuple[str, object], ...]:
    return tuple((field.name, field.default) for field in dataclasses.fields(cls))
