"""Give a wheel another version: in its filename, METADATA, ``.dist-info`` and ``.data`` folders and RECORD alike."""

from __future__ import annotations

import hashlib
import re
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.record import encoded, parse, write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from packaging.version import Version

_VERSION = re.compile(rb"^Version:.*$", re.MULTILINE | re.IGNORECASE)


def restamp(wheel: Path, version: Version, *, requires: Sequence[str] = ()) -> Path:
    """Write `wheel` again as `version` in its place and return the new path. Its payload stays as it is.

    `requires` are requirements (PEP 508) to add to its METADATA.
    """
    distribution, old, *tags = wheel.name.split("-")
    # the version as a filename and a folder spell it: PEP 440's local part has no "-"
    new = wheel.with_name("-".join([distribution, str(version), *tags]))
    part = wheel.with_name(f".{new.name}.part")
    stems = {
        f"{distribution}-{old}.{kind}/": f"{distribution}-{version}.{kind}/" for kind in ("dist-info", "data")
    }
    info = f"{distribution}-{version}.dist-info"

    def renamed(name: str) -> str:
        return next(
            (there + name[len(here) :] for here, there in stems.items() if name.startswith(here)), name
        )

    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(part, "w") as target:
        metadata = b""
        for member in source.infolist():
            content = source.read(member)
            member.filename = renamed(member.filename)
            if member.filename == f"{info}/METADATA":
                content = metadata = _restamped(content, version, requires)
            elif member.filename == f"{info}/RECORD":
                record, rows = member, content
                continue
            target.writestr(member, content)
        target.writestr(record, _record(rows, renamed, f"{info}/METADATA", metadata))
    wheel.unlink()
    return part.rename(new)


def _restamped(metadata: bytes, version: Version, requires: Sequence[str]) -> bytes:
    """Return METADATA with another version, and requirements added behind it."""
    lines = [f"Version: {version}", *(f"Requires-Dist: {requirement}" for requirement in requires)]
    return _VERSION.sub("\n".join(lines).encode(), metadata, count=1)


def _record(data: bytes, renamed: Callable[[str], str], metadata_name: str, metadata: bytes) -> bytes:
    """Return RECORD with its paths renamed and METADATA's row made anew."""
    rows = [replace(row, path=renamed(row.path)) for row in parse(data)]
    digest = encoded(hashlib.sha256(metadata).digest())
    return write(
        replace(row, algorithm="sha256", digest=digest, size=str(len(metadata)))
        if row.path == metadata_name
        else row
        for row in rows
    )
