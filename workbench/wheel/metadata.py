"""METADATA of a wheel (PEP 566, PEP 643) and the tags in WHEEL, read in time that does not grow with their square."""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING

from packaging.metadata import Metadata, parse_email
from packaging.tags import parse_tag

from workbench.wheel.stream import BadBinary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.metadata import RawMetadata
    from packaging.tags import Tag

_MAX_SIZE = 8 << 20
_MAX_HEADER = 1 << 20
_MAX_LINES = 20_000
_MAX_FIELDS = 100
"""Names of fields: each that `email` does not know yet is looked for among all before it."""
_MOST_TAGS = 1000
_MAX_REQUIREMENT = 16 << 10
_MAX_TYPE = 255
"""`email` reads the parameters of a media type in time that grows with their square."""
_LONG_NUMBER = re.compile(r"[0-9]{1000}")
"""Python makes no number of 4,300 digits out of text: ValueError, wherever it is tried."""
_FIELD = re.compile(rb"^([^\s:]+):", re.MULTILINE)


class BadMetadata(BadBinary):
    """METADATA is too long, or nested too deep, to be true."""


def read_metadata(text: bytes) -> tuple[RawMetadata, dict[str, list[str]]]:
    """Return the fields of METADATA, and those that are unknown or cannot be read. Raises BadMetadata."""
    if len(text) > _MAX_SIZE:
        raise BadMetadata(f"{len(text)} bytes are too many to be true")
    header = re.split(rb"\r?\n\r?\n", text, maxsplit=1)[0]
    lines = header.count(b"\n")
    if len(header) > _MAX_HEADER or lines > _MAX_LINES or len(set(_FIELD.findall(header))) > _MAX_FIELDS:
        raise BadMetadata(f"its fields, in {lines} lines, are too many to be true")
    raw, unparsed = parse_email(text)
    asked = (*raw.get("requires_dist", ()), raw.get("requires_python", ""), raw.get("license_expression", ""))
    if max(map(len, asked)) > _MAX_REQUIREMENT:
        raise BadMetadata(f"a requirement of more than {_MAX_REQUIREMENT} bytes is too long to be true")
    if len(raw.get("description_content_type", "")) > _MAX_TYPE:
        raise BadMetadata(f"a Description-Content-Type of more than {_MAX_TYPE} bytes is too long to be true")
    if any(_LONG_NUMBER.search(text) for text in (*asked, raw.get("version", ""))):
        raise BadMetadata("a number in a version is too long to be true")
    return raw, unparsed


def metadata_faults(raw: RawMetadata) -> list[str]:
    """Return what is not valid in the fields of METADATA, sorted."""
    try:
        Metadata.from_raw(raw)
    except ExceptionGroup as group:
        return sorted(map(str, group.exceptions))
    except RecursionError:
        return ["a requirement is nested too deep to be read"]
    return []


def read_tags(lines: Iterable[str]) -> set[Tag]:
    """Return the tags in the ``Tag`` fields of WHEEL (PEP 427). Raises BadBinary."""
    tags: set[Tag] = set()
    for line in lines:
        text = line.strip()
        if len(tags) + prod(part.count(".") + 1 for part in text.split("-")) > _MOST_TAGS:
            raise BadBinary(f"more than {_MOST_TAGS} tags, too many to be true")
        try:
            tags |= parse_tag(text)
        except ValueError as error:
            raise BadBinary(f"Tag: {text} is not a valid tag (PEP 425)") from error
    return tags
