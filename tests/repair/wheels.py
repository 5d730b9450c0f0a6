"""Wheels of one extension module, compiled by the real compiler against libraries made for it."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sysconfig
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.wheel import record
from workbench.wheel.wheel import read_libraries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.wheel.elf import Elf

ARCH = platform.machine()
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
MODULE = f"demo/_c{SUFFIX}"

EXTENSION = """
#include <Python.h>
{declarations}
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "_c", 0, -1, 0}};
PyMODINIT_FUNC PyInit__c(void) {{ {calls} return PyModule_Create(&module); }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dummy:
    """A shared library made for a test: its soname, and one function to call."""

    soname: str
    folder: Path

    @property
    def function(self) -> str:
        return "call_" + "".join(c if c.isalnum() else "_" for c in self.soname)


def compile_c(into: Path, code: str, *options: str | Path) -> Path:
    source = into.with_suffix(".c")
    source.write_text(code)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", into, source, *options], check=True)
    return into


def dummy(folder: Path, soname: str) -> Dummy:
    """Make a library of this soname in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Dummy(soname=soname, folder=folder)
    compile_c(folder / soname, f"void {made.function}(void) {{}}\n", f"-Wl,-soname,{soname}")
    return made


def extension(into: Path, needs: Sequence[Dummy] = (), *options: str) -> bytes:
    """Compile an extension module that calls these libraries."""
    code = EXTENSION.format(
        declarations="\n".join(f"void {each.function}(void);" for each in needs),
        calls=" ".join(f"{each.function}();" for each in needs),
    )
    libraries = [each.folder / each.soname for each in needs]
    include = f"-I{sysconfig.get_path('include')}"
    return compile_c(into / "ext.so", code, include, *libraries, *options).read_bytes()


def wheel(
    folder: Path, files: dict[str, bytes], *, requires: Sequence[str] = (), tag: str | None = None
) -> Path:
    """Write a wheel ``demo`` 1.0 as a build backend does, with a tag that says only where it was built."""
    python = f"cp{sysconfig.get_python_version().replace('.', '')}"
    tag = tag or f"{python}-{python}-linux_{ARCH}"
    info = "demo-1.0.dist-info"
    metadata = ["Metadata-Version: 2.4", "Name: demo", "Version: 1.0"]
    files = {
        "demo/__init__.py": b"from demo import _c\n",
        **files,
        f"{info}/METADATA": "\n".join([*metadata, *(f"Requires-Dist: {r}" for r in requires), ""]).encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n".encode(),
    }
    rows = [
        record.Row(
            line=0,
            path=name,
            algorithm="sha256",
            digest=record.encoded(hashlib.sha256(content).digest()),
            size=str(len(content)),
        )
        for name, content in files.items()
    ]
    own = record.Row(line=0, path=f"{info}/RECORD", algorithm="", digest="", size="")
    path = folder / f"demo-1.0-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**files, own.path: record.write([*rows, own])}.items():
            archive.writestr(name, content)
    return path


def libraries(path: Path) -> dict[str, Elf]:
    """Return the libraries of a wheel by their member."""
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        return {each.path: each.elf for each in read_libraries(archive, file) if each.elf}
