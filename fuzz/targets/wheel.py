"""A wheel through ``verify``'s reading and checks, and through ``inspect``."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fuzz.targets import elf, fatbin
from workbench.errors import UsageError
from workbench.verify import archive
from workbench.verify.checks import check
from workbench.wheel.inspect import inspect, library_rows, summary
from workbench.wheel.record import encoded

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "demo-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
METADATA = b"Metadata-Version: 2.4\nName: demo\nVersion: 1.0\nRequires-Dist: six (>=1) ; (python_version > '3')\n\nhi\n"
WHEEL = b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_28_x86_64\n"

_FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-wheel-"))


def seeds() -> Iterator[bytes]:
    """Return wheels that are sound, stored and deflated, with data descriptors and 64-bit sizes, and an empty one."""
    yield wheel(zipfile.ZIP_STORED)
    yield wheel(zipfile.ZIP_DEFLATED)
    yield wheel(zipfile.ZIP_STORED, wide=True)
    yield wheel(zipfile.ZIP_STORED, stream=True)
    yield b"PK\5\6" + bytes(18)


def wheel(method: int, *, wide: bool = False, stream: bool = False) -> bytes:
    """Return a wheel with a module, a library and a data folder."""
    files = {
        "demo/__init__.py": b"answer = 42\n",
        "demo/lib.so": elf.library(64),
        "demo/gpu.so": fatbin.library({".nv_fatbin": fatbin.container(fatbin.entry(2, 121))}),
        "demo-1.0.data/scripts/tool": b"#!python\n",
        "demo-1.0.dist-info/METADATA": METADATA,
        "demo-1.0.dist-info/WHEEL": WHEEL,
    }
    rows = [
        f"{name},sha256={encoded(hashlib.sha256(text).digest())},{len(text)}" for name, text in files.items()
    ]
    files["demo-1.0.dist-info/RECORD"] = "\n".join([*rows, "demo-1.0.dist-info/RECORD,,\n"]).encode()
    out = _Stream() if stream else io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as target:
        for name, text in files.items():
            with target.open(name, "w", force_zip64=wide) as file:
                file.write(text)
    return out.getvalue()


class _Stream(io.BytesIO):
    """A pipe, as far as zipfile sees: it writes data descriptors."""

    def seekable(self) -> bool:
        return False


def one(data: bytes) -> None:
    """Verify a wheel, and inspect it."""
    path = _FOLDER / NAME
    path.write_bytes(data)
    archive.metadata(path)
    check(archive.read(path), ("demo",), ("sm_121",))
    with suppress(UsageError):
        found = inspect(str(path))
        json.dumps(found.as_dict())
        summary(found)
        library_rows(found)
