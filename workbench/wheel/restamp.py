"""Give a wheel another version: in its filename, METADATA, ``.dist-info`` and ``.data`` folders and RECORD alike."""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING

from workbench.wheel.assemble import assemble

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from packaging.version import Version

_VERSION = re.compile(rb"^Version:.*$", re.MULTILINE | re.IGNORECASE)


def restamp(wheel: Path, version: Version, *, requires: Sequence[str] = ()) -> Path:
    """Write `wheel` again as `version` in its place and return the new path. Its payload is copied as it lies there.

    `requires` are requirements (PEP 508) to add to its METADATA.
    """
    distribution, old, *tags = wheel.name.split("-")
    # the version as a filename and a folder spell it: PEP 440's local part has no "-"
    new = wheel.with_name("-".join([distribution, str(version), *tags]))
    part = wheel.with_name(f".{new.name}.part")
    stems = {
        f"{distribution}-{old}.{kind}/": f"{distribution}-{version}.{kind}/" for kind in ("dist-info", "data")
    }
    metadata = f"{distribution}-{old}.dist-info/METADATA"

    def renamed(name: str) -> str:
        return next(
            (there + name[len(here) :] for here, there in stems.items() if name.startswith(here)), name
        )

    with zipfile.ZipFile(wheel) as archive:
        restamped = _restamped(archive.read(metadata), version, requires)
    assemble(part, base=wheel, made=wheel, changed={metadata: restamped}, renamed=renamed)
    wheel.unlink()
    return part.rename(new)


def _restamped(metadata: bytes, version: Version, requires: Sequence[str]) -> bytes:
    """Return METADATA with another version, and requirements added behind it."""
    lines = [f"Version: {version}", *(f"Requires-Dist: {requirement}" for requirement in requires)]
    return _VERSION.sub("\n".join(lines).encode(), metadata, count=1)
