"""Take the build host's paths out of the RPATHs of a wheel's libraries.

Compilers and Pythons that live outside the system (pyenv, conda, a user's own) write their folders into everything
that they link. On another machine such a path names nothing, or somebody else's library.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from workbench.process import run

if TYPE_CHECKING:
    from collections.abc import Mapping

ORIGIN = "$ORIGIN"


def relocatable(wheel: Path, into: Path) -> tuple[Path, tuple[str, ...]]:
    """Return a wheel without absolute RPATH entries, and the paths that were taken out.

    It is `wheel` itself where there are none; else a copy in the folder `into`, in which the entries that start
    with ``$ORIGIN`` stay. Raises CommandFailed when patchelf fails.
    """
    patched: dict[str, bytes] = {}
    taken: dict[str, None] = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if ".so" not in name:
                continue
            library = archive.read(name)
            entries = _rpath(library)
            foreign = [entry for entry in entries if not entry.startswith(ORIGIN)]
            if foreign:
                taken.update(dict.fromkeys(foreign))
                patched[name] = _with_rpath(library, [entry for entry in entries if entry not in foreign])
    if not patched:
        return wheel, ()
    copy = into / wheel.name
    _write_copy(wheel, copy, patched)
    return copy, tuple(taken)


def _rpath(library: bytes) -> list[str]:
    """Return the entries of DT_RPATH and DT_RUNPATH, of any file: one that is no ELF has none."""
    try:
        segments = ELFFile(io.BytesIO(library)).iter_segments("PT_DYNAMIC")
        tags = [
            tag for segment in segments if isinstance(segment, DynamicSegment) for tag in segment.iter_tags()
        ]
    except ELFError:
        return []
    values = {"DT_RPATH": "rpath", "DT_RUNPATH": "runpath"}
    return [
        entry
        for tag in tags
        if tag.entry.d_tag in values
        for entry in getattr(tag, values[tag.entry.d_tag]).split(":")
    ]


def _with_rpath(library: bytes, entries: list[str]) -> bytes:
    with tempfile.NamedTemporaryFile() as file:
        path = Path(file.name)
        path.write_bytes(library)
        run(["patchelf", *(["--set-rpath", ":".join(entries)] if entries else ["--remove-rpath"]), path])
        return path.read_bytes()


def _write_copy(wheel: Path, copy: Path, patched: Mapping[str, bytes]) -> None:
    """Write a wheel again with some members changed, and RECORD with them (PEP 427)."""
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(copy, "w") as target:
        for member in source.infolist():
            content = patched.get(member.filename) or source.read(member)
            if member.filename.endswith(".dist-info/RECORD"):
                content = _record(content.decode(), patched).encode()
            target.writestr(member, content)


def _record(text: str, patched: Mapping[str, bytes]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for path, digest, size in csv.reader(io.StringIO(text)):
        if path in patched:
            hashed = base64.urlsafe_b64encode(hashlib.sha256(patched[path]).digest()).rstrip(b"=").decode()
            writer.writerow([path, f"sha256={hashed}", len(patched[path])])
        else:
            writer.writerow([path, digest, size])
    return out.getvalue()
