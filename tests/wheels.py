"""Wheels made by hand, so that each test can say what is wrong with its own."""

from __future__ import annotations

import hashlib
import io
import platform
import struct
import sysconfig
import zipfile
from typing import TYPE_CHECKING

from workbench.wheel import record as records
from workbench.wheel.wheel import open_wheel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.wheel.elf import Elf
    from workbench.wheel.zipformat import Entry

ARCH = platform.machine()
PYTHON = f"cp{sysconfig.get_python_version().replace('.', '')}"
MODULE = f"demo/_c{sysconfig.get_config_var('EXT_SUFFIX')}"

METADATA = """\
Metadata-Version: 2.4
Name: {name}
Version: {version}
Summary: A wheel to try things on
{more}Description-Content-Type: text/markdown

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
    requires: Sequence[str] = (),
    requires_python: str | None = ">=3.9",
) -> dict[str, bytes]:
    """Return all files of a sound wheel but RECORD."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    pythons, abi, platforms = tag.split("-")
    tags = [f"{p}-{abi}-{each}" for p in pythons.split(".") for each in platforms.split(".")]
    more = [f"Requires-Python: {requires_python}"] if requires_python else []
    more += [f"Requires-Dist: {each}" for each in requires]
    metadata = METADATA.format(name=name, version=version, more="".join(f"{each}\n" for each in more))
    wheel = WHEEL.format(purelib=str(platforms == "any").lower())
    return {
        **({f"{module}/__init__.py": b"answer = 42\n" * 20} if payload is None else payload),
        f"{info}/METADATA": metadata.encode(),
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


encoded = records.encoded


def packed(
    files: dict[str, bytes], *, record: str | None = None, method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """Return a wheel of these files and a RECORD, the right one unless given; an empty one is left out.

    The same files give the same bytes.
    """
    record = record_of(files) if record is None else record
    own = {f"{info_of(files)}/RECORD": record.encode()} if record else {}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in {**files, **own}.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return made.getvalue()


def pack(
    path: Path, files: dict[str, bytes], *, record: str | None = None, method: int = zipfile.ZIP_DEFLATED
) -> Path:
    """Write a wheel of these files, as `packed` makes it."""
    path.write_bytes(packed(files, record=record, method=method))
    return path


def good(folder: Path, tag: str = "py3-none-any", payload: dict[str, bytes] | None = None) -> Path:
    """Write a sound wheel."""
    return pack(folder / f"demo-1.0-{tag}.whl", files_of(tag=tag, payload=payload))


def wheel(
    folder: Path, files: dict[str, bytes], *, requires: Sequence[str] = (), tag: str | None = None
) -> Path:
    """Write a sound wheel ``demo`` 1.0 as a build backend does, with a tag that says only where it was built."""
    tag = tag or f"{PYTHON}-{PYTHON}-linux_{ARCH}"
    payload = {"demo/__init__.py": b"from demo import _c\n", **files}
    return pack(folder / f"demo-1.0-{tag}.whl", files_of(tag=tag, payload=payload, requires=requires))


def libraries(path: Path) -> dict[str, Elf]:
    """Return the libraries of a wheel by their member."""
    with open_wheel(path) as opened:
        return {each.path: each.elf for each in opened.libraries() if each.elf}


def data_start(path: Path, entry: Entry) -> int:
    """Return where a member's data begins in the file."""
    name_length, extra_length = struct.unpack_from("<2H", path.read_bytes(), entry.offset + 26)
    return entry.offset + 30 + int(name_length) + int(extra_length)
