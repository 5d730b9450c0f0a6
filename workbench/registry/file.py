"""Read and write ``packages.json``."""

from __future__ import annotations

import dataclasses
import functools
import gc
import json
import re
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from workbench.errors import RegistryError
from workbench.files import write_whole
from workbench.paths import PROGRAM
from workbench.registry.model import SCHEMA, Package, Registry
from workbench.strict import Mismatch, parse
from workbench.wheel.filename import parse_wheel


class Damaged(RegistryError):
    """The document is not JSON: it was cut short, or is something else."""


class Unreadable(RegistryError):
    """The document is JSON, and only a person can say what becomes of it: `remedy` says how."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}: {remedy}")
        self.remedy = remedy


class OlderForm(Unreadable):
    """The document is a registry of the older form, which an import reads."""

    def __init__(self, where: str) -> None:
        remedy = f"'{PROGRAM} store.import {where}' reads it in"
        if "://" in where:
            remedy = f"'{PROGRAM} store.import FILE' reads a copy of it in: fetch one"
        super().__init__(f"{where}: a registry of the older form", remedy)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Document(Registry):
    """A registry as it is written: these keys are there."""

    schema: int
    generation: int
    packages: dict[str, Package]


LEAST_BYTES = 8
"""Of a registry for each mapping or list in it: one that is sound has more than ten times as many."""

SMALL = 1 << 15
"""Up to so many bytes may be nothing but brackets: each of these costs a hundred bytes of memory."""


def parse_json(document: str | bytes, *, where: str) -> Any:  # noqa: ANN401 - any value of JSON
    """Return what a JSON document says, in which no mapping has a key twice: one of the two would be lost.

    What is certain to be sound is read in a quarter of the time; of the rest Python's own reader is the judge.
    Raises Damaged for what is not JSON, Unreadable for a key that is there twice. `where` names the document.
    """
    text = document.encode(errors="surrogatepass") if isinstance(document, str) else document
    if len(text) > SMALL and text.count(b"{") + text.count(b"[") > len(text) // LEAST_BYTES:
        raise Damaged(f"{where}: not JSON that can be read: nested too deeply, or hardly more than brackets")
    if b"\\" not in text:  # and so each quote begins or ends a text: none is lost where no key is
        with suppress(ValueError, TypeError):
            data = orjson.loads(text)
            if orjson.dumps(data).count(b'"') == text.count(b'"'):
                return data
    try:
        return json.loads(document, object_pairs_hook=functools.partial(_unique, where))
    except RecursionError:
        raise Damaged(f"{where}: not JSON that can be read: nested too deeply") from None
    except ValueError as error:
        raise Damaged(f"{where}: not JSON: {error}") from error


def _unique(where: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise Unreadable(
            f"{where}: the key {twice!r:.60} is there twice",
            "a merge that kept both sides does that; join the two by hand, so that no wheel is lost",
        )
    return mapping


def loads(text: str | bytes, *, where: str) -> Registry:
    """Return the registry that a document holds. `where` names the document in errors.

    Raises what `parse_json` does, and RegistryError for another shape and for names that cannot be, or are there twice.
    """
    with _without_collection():
        return _registry(parse_json(text, where=where), where)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Keep Python from looking for garbage among values that are all in use: that is a third of reading a registry."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _registry(data: Any, where: str) -> Registry:  # noqa: ANN401 - any value of JSON
    schema = data.get("schema", 1) if isinstance(data, dict) else None
    if schema == 1:
        raise OlderForm(where)
    if schema != SCHEMA:
        raise Unreadable(
            f"{where}: schema {schema!r:.20}, and this version reads {SCHEMA}",
            "another version of the workbench wrote it: use that one",
        )
    try:
        document = parse(_Document, data)
    except Mismatch as error:
        raise RegistryError(f"{where}: {error}") from error
    for name, package in document.packages.items():
        if not re.fullmatch(_NAME, name):
            raise RegistryError(f"{where}: packages.{name:.80}: not a normalised project name (PEP 503)")
        known: set[str] = set()
        for number, wheel in enumerate(package.wheels):
            twice = f"{wheel.filename!r} is there twice" if wheel.filename in known else None
            known.add(wheel.filename)
            if fault := twice or filename_fault(wheel.filename):
                raise RegistryError(f"{where}: packages.{name}.wheels[{number}].filename: {fault}")
    return Registry(**{f.name: getattr(document, f.name) for f in dataclasses.fields(Registry)})


def filename_fault(filename: str) -> str | None:
    """Return why no index can offer a wheel of this name (PEP 427), or None."""
    if filename.count(".") > _MOST_DOTS:  # each of them may double the tags
        return f"{filename!r} names too many tags"
    if _WHEEL.fullmatch(filename):
        return None
    from packaging.utils import InvalidWheelFilename

    if not _OFFERED.fullmatch(filename):
        return (
            f"{filename!r} has characters that no index may offer: letters, digits and _.+!- make a filename"
        )
    try:
        parse_wheel(filename)
    except InvalidWheelFilename as error:
        return str(error)
    return None


_MOST_DOTS = 30

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
    """Write a registry as JSON: sorted by project, a line a wheel, defaults left out. `projects` and diffs go by it."""
    blocks = ",\n".join(
        f"    {_json(name)}: {_text(package)}" for name, package in sorted(registry.packages.items())
    )
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


def _text(package: Package) -> str:
    """Return a project as it stands in a document, from brace to brace."""
    facts = [
        f"      {_json(key)}: {_json(value)}" for key, value in _plain(package).items() if key != "wheels"
    ]
    if package.wheels:
        wheels = ",\n".join(f"        {_json(_plain(wheel))}" for wheel in package.wheels)
        facts.append(f'      "wheels": [\n{wheels}\n      ]')
    return "{\n" + ",\n".join(facts) + "\n    }"


def projects(document: BinaryIO, *, where: str) -> Iterator[tuple[str, bytes]]:
    """Yield each project's name and its JSON text, unparsed, out of a registry document.

    Where it has the layout of `dumps`, one project is in memory at a time, and 100,000 wheels take less than a tenth of
    a second. The rest of a document in another layout is read whole. `where` names the document in errors. Raises what
    `loads` does of all but the projects' own texts.
    """
    start = document.tell()
    known: set[str] = set()
    if not (yield from _laid_out(document, known)):
        document.seek(start)
        for name, package in sorted(loads(document.read(), where=where).packages.items()):
            if name not in known:
                yield name, _text(package).encode(errors="surrogatepass")  # as it may have been written


def _laid_out(document: BinaryIO, known: set[str]) -> Generator[tuple[str, bytes], None, bool]:
    """Yield projects as long as the document has our layout, and note them as `known`; say whether all of it has."""
    head = b"".join(document.readline() for _ in range(_HEAD_LINES))
    if not _HEAD.fullmatch(head):
        return False
    name, kept = "", list[bytes]()
    closing = _LAST if head.rstrip(b",\n").endswith(b"{}") else b""
    for line in document:
        if kept and line.startswith(_WITHIN):
            kept.append(line)
        elif not kept and closing != _LAST and (opened := _OPENING.fullmatch(line)):
            name, kept = opened[1].decode(), [b"{\n"]
            if name in known:
                return False
        elif kept and line in (_NEXT, _LAST):
            known.add(name)
            yield name, b"".join((*kept, b"    }"))
            kept, closing = [], line
        elif kept or closing == _NEXT:
            return False
        else:  # without its projects it is a registry as well
            try:
                return not loads(b"".join((head, line, *document)), where="").packages
            except RegistryError:
                return False
    return False


_HEAD = re.compile(
    rb'\{\n  "schema": %d,\n  "generation": \d+,\n  "updated": [^\n]+,\n  "change": [^\n]+,\n'
    rb'  "packages": \{(?:\},?)?\n' % SCHEMA
)
_HEAD_LINES = 6
_NAME = "[a-z0-9]+(?:-[a-z0-9]+)*"
_OPENING = re.compile(rf'    "({_NAME})": \{{\n'.encode())
_WITHIN = b"      "  # a fact or a wheel: nearly every line
_NEXT, _LAST = b"    },\n", b"    }\n"


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
