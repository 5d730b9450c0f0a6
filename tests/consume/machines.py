"""Machines with NVIDIA's driver, which a compiler and a script stand in for."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

from tests.libraries import compile_c

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LIBCUDA = """
#include <string.h>
#include <unistd.h>
typedef int Result;
#define GIVE(type, value) *(type *)out = (value); return 0
Result cuInit(unsigned flags) {{ {init} }}
Result cuDriverGetVersion(int *out) {{ {version} }}
Result cuDeviceGetCount(int *out) {{ GIVE(int, {count}); }}
Result cuDeviceGet(int *out, int device) {{ GIVE(int, device); }}
Result cuDeviceGetName(char *out, int room, int device) {{ strncpy(out, "{name}", room); return 0; }}
Result cuDeviceTotalMem_v2(unsigned long *out, int device) {{ GIVE(unsigned long, {memory}UL); }}
Result cuDeviceGetAttribute(int *out, int attribute, int device) {{
    GIVE(int, attribute == 75 ? {major} : attribute == 76 ? {minor} : attribute == 18 ? {integrated} : 0);
}}
"""

SMI = """#!{python}
import sys
fields = next((each[12:].split(",") for each in sys.argv[1:] if each.startswith("--query-gpu=")), None)
if {broken}:
    print("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.")
    raise SystemExit(9)
if fields is None:
    print("| NVIDIA-SMI {driver}   Driver Version: {driver}   CUDA Version: {cuda} |")
    raise SystemExit
known = {known!r}
for field in fields:
    if field not in known:
        print(f'Field "{{field}}" is not a valid field to query.')
        raise SystemExit(2)
print(", ".join(known[field] for field in fields))
"""


class FakeDriver:
    """A libcuda made by the compiler, and an nvidia-smi: what a machine with a driver has."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.patch = patch
        self.root = folder / "root"
        (self.root / "etc").mkdir(parents=True)
        (self.root / "etc" / "ld.so.cache").write_bytes(b"")
        patch.setenv("LD_LIBRARY_PATH", str(folder / "lib"))
        patch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")

    def libcuda(
        self,
        *,
        name: str = "NVIDIA GB10",
        capability: str = "12.1",
        cuda: int = 13000,
        count: int = 1,
        integrated: bool = False,
        memory: int = 128 << 30,
        init: str = "return 0;",
        version: str = "",
    ) -> None:
        major, minor = capability.split(".")
        code = LIBCUDA.format(
            init=init,
            version=version or f"GIVE(int, {cuda});",
            count=count,
            name=name,
            memory=memory,
            major=major,
            minor=minor,
            integrated=int(integrated),
        )
        (self.folder / "lib").mkdir(exist_ok=True)
        compile_c(self.folder / "lib" / "libcuda.so.1", code)

    def smi(self, *, driver: str, cuda: str = "13.0", broken: str = "", **known: str) -> None:
        script = self.folder / "bin" / "nvidia-smi"
        script.parent.mkdir(exist_ok=True)
        fields = {"driver_version": driver, **{key.replace("__", "."): value for key, value in known.items()}}
        script.write_text(
            SMI.format(python=sys.executable, driver=driver, cuda=cuda, known=fields, broken=bool(broken))
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)

    def kernel(self, file: str, text: str) -> None:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
