"""Read and write ``packages.json``."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from typing import TYPE_CHECKING, Any, BinaryIO

from workbench.errors import RegistryError
from workbench.files import write_whole
from workbench.registry.model import SCHEMA, Package, Registry, Removal
from workbench.strict import Mismatch, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class Damaged(RegistryError):
    """The document is not JSON: it was cut short, or is none of ours."""


class OlderForm(RegistryError):
    """The document is a registry of the older form, which an import reads. `remedy` says how."""

    def __init__(self, where: str) -> None:
        self.remedy = f"'invoke import-registry {where}' reads it in"
        if "://" in where:
            self.remedy = "'invoke import-registry FILE' reads a copy of it in: fetch one"
        super().__init__(f"{where}: a registry of the older form: {self.remedy}")


_BEGINNING = f'{{\n  "schema": {SCHEMA},'.encode()
"""How each document of ours begins (`dumps`)."""


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

    Raises Damaged for what is not JSON, RegistryError for what is not this schema's shape or of another version; and
    for a project or a file with a name that it cannot have, or that another has.
    """
    from packaging.utils import is_normalized_name  # the index is drawn without it

    try:
        data = json.loads(text)
    except ValueError as error:
        raise Damaged(f"{where}: not JSON: {error}") from error
    schema = data.get("schema", 1) if isinstance(data, dict) else None
    if schema == 1:
        raise OlderForm(where)
    if schema != SCHEMA:
        raise RegistryError(f"{where}: schema {schema!r}, and this version reads {SCHEMA}")
    try:
        document = parse(_Document, data)
    except Mismatch as error:
        raise RegistryError(f"{where}: {error}") from error
    for name, package in document.packages.items():
        if not is_normalized_name(name):
            raise RegistryError(f"{where}: packages.{name}: not a normalised project name (PEP 503)")
        known: set[str] = set()
        for number, wheel in enumerate(package.wheels):
            twice = f"{wheel.filename!r} is there twice" if wheel.filename in known else None
            known.add(wheel.filename)
            if fault := twice or filename_fault(wheel.filename):
                raise RegistryError(f"{where}: packages.{name}.wheels[{number}].filename: {fault}")
    return Registry(**{f.name: getattr(document, f.name) for f in dataclasses.fields(Registry)})


def filename_fault(filename: str) -> str | None:
    """Return why no index can offer a wheel of this name (PEP 427), or None."""
    if _WHEEL.fullmatch(filename):
        return None
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    if not _OFFERED.fullmatch(filename):
        return (
            f"{filename!r} has characters that no index may offer: letters, digits and _.+!- make a filename"
        )
    try:
        parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        return str(error)
    return None


_RELEASE = r"(?:[0-9]+!)?[0-9]+(?:\.[0-9]+)*(?:(?:a|b|rc)[0-9]+)?(?:\.post[0-9]+)?(?:\.dev[0-9]+)?"
_TAGS = r"[A-Za-z][0-9A-Za-z_]*(?:\.[A-Za-z][0-9A-Za-z_]*)*"
_WHEEL = re.compile(
    r"[0-9A-Za-z]+(?:[._][0-9A-Za-z]+)*"
    rf"-{_RELEASE}(?:\+[0-9a-z]+(?:[._][0-9a-z]+)*)?"
    rf"(?:-[0-9][0-9A-Za-z_.]*)?-{_TAGS}-{_TAGS}-{_TAGS}"
    r"(?:-[0-9a-z_.]{1,16})?\.whl"  # a variant's label, of PEP 825's draft
)
"""Nearly every name there is, in a tenth of the time that packaging takes; of the others packaging is the judge."""

_OFFERED = re.compile(r"[0-9A-Za-z_.+!-]+")


def is_older(document: bytes) -> bool:
    """Say whether a document is a registry of the older form."""
    if document.startswith(_BEGINNING):
        return False
    try:
        loads(document, where="")
    except OlderForm:
        return True
    except RegistryError:
        pass
    return False


def put_aside(path: Path, *, dry_run: bool = False) -> Path:
    """Keep a copy of a registry of the older form beside it; return where. Raises RegistryError where another is."""
    kept = path.with_name(f"{path.name}.older")
    document = path.read_bytes()
    if kept.exists() and kept.read_bytes() != document:
        raise RegistryError(f"{kept} is there already, with another registry in it: move it away first")
    if not dry_run:
        write_whole(kept, document)
    return kept


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


def encode(after: Registry, *, before: Registry, where: str) -> bytes:
    """Return the document of a registry that `before` was changed into, after reading back what was changed.

    So nobody writes a registry that nobody could read again. Raises RegistryError.
    """
    packages = {
        name: package for name, package in after.packages.items() if before.packages.get(name) is not package
    }
    changed = dumps(dataclasses.replace(after, packages=packages))
    try:
        loads(changed.encode(), where=f"{where}, as it would become")
        return dumps(after).encode()
    except UnicodeEncodeError as error:
        culprit = changed[max(0, error.start - 20) : error.end]
        raise RegistryError(f"{where} would hold what is not Unicode text: {culprit!a}") from error


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
