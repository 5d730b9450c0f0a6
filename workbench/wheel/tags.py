"""Another platform tag for a wheel: in its filename and in its WHEEL file (PEP 425, PEP 427)."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def retagged(filename: str, platforms: Sequence[str]) -> str:
    """Return a wheel's filename with these platform tags in place of its own."""
    return f"{filename.rpartition('-')[0]}-{'.'.join(sorted(platforms))}.whl"


def retag(wheel: Path, platforms: Sequence[str]) -> dict[str, bytes]:
    """Return a wheel's WHEEL file with these platform tags, by its member; nothing where it has them already."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/WHEEL") and n.count("/") == 1)
        old = archive.read(name).decode()
    lines = old.rstrip().splitlines()
    tags = [line.partition(":")[2].strip().split("-") for line in lines if line.startswith("Tag:")]
    kept = [line for line in lines if line and not line.startswith("Tag:")]
    if any(platform == "any" for *_, platform in tags):
        # what has binaries belongs to a platform, whatever its builder thought
        kept = ["Root-Is-Purelib: false" if line.startswith("Root-Is-Purelib:") else line for line in kept]
    pairs = dict.fromkeys(f"{python}-{abi}" for python, abi, _ in tags)
    new = "\n".join([*kept, *(f"Tag: {pair}-{each}" for pair in pairs for each in sorted(platforms)), ""])
    return {} if new == old else {name: new.encode()}
