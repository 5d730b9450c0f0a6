"""Small wheels made by hand, so that each test can say what is wrong with its own."""

from __future__ import annotations

import base64
import hashlib
import struct
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.wheel.zipformat import Entry

METADATA = """\
Metadata-Version: 2.4
Name: {name}
Version: {version}
Summary: A wheel to try things on
Requires-Python: >=3.9
Description-Content-Type: text/markdown

Nothing more.
"""

WHEEL = """\
Wheel-Version: 1.0
Generator: hand
Root-Is-Purelib: {purelib}
"""


def files_of(
    *,
    name: str = "demo",
    version: str = "1.0",
    tag: str = "py3-none-any",
    payload: dict[str, bytes] | None = None,
) -> dict[str, bytes]:
    """Return all files of a sound wheel but RECORD."""
    info = f"{name}-{version}.dist-info"
    pythons, abi, platforms = tag.split("-")
    tags = [f"{p}-{abi}-{each}" for p in pythons.split(".") for each in platforms.split(".")]
    wheel = WHEEL.format(purelib=str(platforms == "any").lower())
    return {
        **({"demo/__init__.py": b"answer = 42\n" * 20} if payload is None else payload),
        f"{info}/METADATA": METADATA.format(name=name, version=version).encode(),
        f"{info}/WHEEL": (wheel + "".join(f"Tag: {each}\n" for each in tags)).encode(),
    }


def info_of(files: dict[str, bytes]) -> str:
    return next(name.partition("/")[0] for name in files if ".dist-info/" in name)


def record_of(files: dict[str, bytes], algorithm: str = "sha256") -> str:
    rows = [
        f"{name},{algorithm}={encoded(hashlib.new(algorithm, content).digest())},{len(content)}"
        for name, content in files.items()
        if not name.endswith("/")
    ]
    return "\n".join([*rows, f"{info_of(files)}/RECORD,,", ""])


def encoded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def pack(
    path: Path, files: dict[str, bytes], *, record: str | None = None, method: int = zipfile.ZIP_DEFLATED
) -> Path:
    """Write a wheel of these files and a RECORD, the right one unless given; an empty one is left out."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        record = record_of(files) if record is None else record
        if record:
            archive.writestr(f"{info_of(files)}/RECORD", record)
    return path


def good(folder: Path, tag: str = "py3-none-any", payload: dict[str, bytes] | None = None) -> Path:
    """Write a sound wheel."""
    return pack(folder / f"demo-1.0-{tag}.whl", files_of(tag=tag, payload=payload))


def data_start(path: Path, entry: Entry) -> int:
    """Return where a member's data begins in the file."""
    name_length, extra_length = struct.unpack_from("<2H", path.read_bytes(), entry.offset + 26)
    return entry.offset + 30 + int(name_length) + int(extra_length)
