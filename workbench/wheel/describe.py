"""Give a wheel another long description: METADATA and its row of RECORD, and nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workbench.wheel.assemble import assemble
from workbench.wheel.wheel import open_wheel

if TYPE_CHECKING:
    from pathlib import Path

_FIELD = re.compile(
    rb"^(?:Description|Description-Content-Type):.*\n(?:[ \t|].*\n)*", re.MULTILINE | re.IGNORECASE
)
"""A field of METADATA that speaks of the description, with the lines that go on with it."""


def described(metadata: bytes, text: str, content_type: str) -> bytes:
    """Return METADATA with another description (core metadata: it stands behind the fields). Pure."""
    fields = re.split(rb"\r?\n\r?\n", metadata, maxsplit=1)[0].replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
    kept = _FIELD.sub(b"", fields)
    body = text.replace("\r\n", "\n").rstrip("\n")
    return kept + f"Description-Content-Type: {content_type}\n\n{body}\n".encode()


def redescribe(wheel: Path, into: Path, metadata: bytes) -> None:
    """Write a wheel again with this METADATA into another file; all else is copied as it lies there.

    Raises OSError, BadBinary and BadRecord.
    """
    with open_wheel(wheel) as opened:
        info = opened.info
    assemble(into, base=wheel, made=wheel, changed={f"{info}/METADATA": metadata})
