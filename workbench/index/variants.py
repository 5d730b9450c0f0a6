"""Wheel variants, off by default: PEP 825 is a draft, and says of its own format not to use it in production.

A variant wheel has a label at the end of its filename (``…-x86_64-cu130.whl``), and a file beside it
(``demo-1.0-variants.json``) says what the labels of that version mean. pip and uv of today pass over both; with
``index.variants`` off, they are not listed at all.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from workbench.errors import IndexFault
from workbench.wheel.filename import label

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workbench.index.simple import File

SCHEMA = "https://variants-schema.wheelnext.dev/v0.0.3.json"
"""The draft's; the final one will be another."""

NULL = "null"
"""The label that always means no property at all."""

Properties = dict[str, dict[str, list[str]]]
"""Namespace to feature to values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantsFile:
    """A version's ``-variants.json``; `upload_time` is that of its newest wheel."""

    filename: str
    content: bytes
    upload_time: str

    @property
    def sha256(self) -> str:
        """The hash that pages link to it with."""
        return hashlib.sha256(self.content).hexdigest()


def variants_name(filename: str) -> str:
    """Return the name of the file that tells of a wheel's version."""
    return "-".join([*filename.split("-", 2)[:2], "variants.json"])


def variants_files(files: Iterable[File], namespaces: Sequence[str]) -> list[VariantsFile]:
    """Return the file of every version that has variants. `namespaces` says which matter more.

    Raises IndexFault for a label of no known meaning, or of two.
    """
    versions: dict[str, list[File]] = {}
    for file in files:
        if label(file["filename"]):
            versions.setdefault(variants_name(file["filename"]), []).append(file)
    return [_variants_file(name, group, namespaces) for name, group in versions.items()]


def _variants_file(name: str, group: Sequence[File], namespaces: Sequence[str]) -> VariantsFile:
    meaning: dict[str, Properties] = {}
    for file in group:
        variant = label(file["filename"]) or NULL
        properties = {} if variant == NULL else file.get("variant")
        if properties is None:
            raise IndexFault(f"{file['filename']}: the registry has no properties for its label {variant}")
        if meaning.setdefault(variant, properties) != properties:
            raise IndexFault(
                f"{file['filename']}: {variant} means something else in another wheel of its version"
            )
    found = {namespace for properties in meaning.values() for namespace in properties}
    document = {
        "$schema": SCHEMA,
        "default-priorities": {"namespace": [*namespaces, *sorted(found - {*namespaces})]},
        "variants": dict(sorted(meaning.items())),
    }
    return VariantsFile(
        filename=name,
        content=orjson.dumps(document, option=orjson.OPT_INDENT_2),
        upload_time=max(file["upload_time"] for file in group),
    )
