"""Building for aarch64 on x86-64 without emulation: what each build system has to be told.

Programs run here and are found here; headers, libraries and ``sysconfig`` are the target's. setuptools hears of it
through variables, CMake (and scikit-build-core) through a toolchain file that a variable names, Meson through a
cross file that must be handed to it.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import ToolMissing
from workbench.process import run
from workbench.toolchain.cuda import TARGET_FOLDERS
from workbench.toolchain.target_python import synthesise

if TYPE_CHECKING:
    from workbench.toolchain.compilers import CrossGcc

_CMAKE = """\
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR {arch})
set(CMAKE_LIBRARY_ARCHITECTURE {triple})
set(CMAKE_C_COMPILER "{CC}")
set(CMAKE_CXX_COMPILER "{CXX}")
set(CMAKE_CUDA_HOST_COMPILER "{CXX}")
list(APPEND CMAKE_FIND_ROOT_PATH {roots})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
# Python packages bring CMake files and headers along: they lie in the build environment, outside the roots
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY BOTH)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)
"""

_MESON = """\
[binaries]
c = '{CC}'
cpp = '{CXX}'
ar = '{AR}'
strip = '{STRIP}'
python = '{python}'
pkg-config = 'pkg-config'

[host_machine]
system = 'linux'
cpu_family = '{arch}'
cpu = '{arch}'
endian = 'little'

[built-in options]
c_args = [{includes}]
cpp_args = [{includes}]
c_link_args = [{libraries}]
cpp_link_args = [{libraries}]

[properties]
needs_exe_wrapper = true
"""


def prepare(
    python: Path, compiler: CrossGcc, folder: Path, *, toolkit: Path | None = None, torch: Path | None = None
) -> tuple[dict[str, str], Path]:
    """Write what a cross build needs into a fresh `folder`; return its variables, and the file that Meson is handed.

    `python` is the interpreter that the build runs in, of this machine and of the target's X.Y. `toolkit` is a CUDA
    toolkit laid out for the target. `torch` is the target's torch, unpacked (see `torch.unpack`): its headers and
    libraries come before those of the torch that the build imports. Raises CommandFailed where `python` does not run.
    """
    arch = compiler.arch
    include, variables = synthesise(python, compiler, folder / "python")
    includes, libraries, roots = [f"-I{include}"], [], [compiler.root]
    if torch:
        includes += [f"-I{torch}/include", f"-I{torch}/include/torch/csrc/api/include"]
        libraries.append(f"-L{torch}/lib")
    if toolkit:
        libraries.append(f"-L{toolkit}/lib")
        roots.insert(0, toolkit / "targets" / TARGET_FOLDERS[arch])
    programs = {"CC": "gcc", "CXX": "g++", "AR": "ar", "RANLIB": "ranlib", "STRIP": "strip"}
    tools = {name: str(compiler.tool(program)) for name, program in programs.items()}
    told = {
        **tools,
        "arch": arch,
        "triple": compiler.triple,
        "python": python,
        "includes": ", ".join(f"'{flag}'" for flag in includes),
        "libraries": ", ".join(f"'{flag}'" for flag in libraries),
        "roots": " ".join(f'"{root}"' for root in roots),
    }
    of_torch = f'set(Torch_DIR "{torch}/share/cmake/Torch")\n' if torch else ""
    cmake, meson = folder / f"{arch}.cmake", folder / f"{arch}.ini"
    cmake.write_text(_CMAKE.format(**told) + of_torch, encoding="utf-8")
    meson.write_text(_MESON.format(**told), encoding="utf-8")
    variables |= {
        **tools,
        "CMAKE_TOOLCHAIN_FILE": str(cmake),
        # this machine's own libraries must not be found
        "PKG_CONFIG_LIBDIR": f"/usr/lib/{compiler.triple}/pkgconfig:/usr/share/pkgconfig",
        **dict.fromkeys(("CFLAGS", "CXXFLAGS"), shlex.join(includes)),
    }
    if libraries:
        variables["LDFLAGS"] = shlex.join(libraries)
    if toolkit:
        variables["NVCC_CCBIN"] = tools["CXX"]
        target_folder = f"--target-directory={TARGET_FOLDERS[arch]}"
        variables["NVCC_PREPEND_FLAGS"] = shlex.join([target_folder, *includes])
    return variables, meson


def debian_package(wanted: str) -> str | None:
    """Return Debian's package that has what a cross build lacks: a header (``zlib.h``), a library, a module of CMake's.

    Of the architecture of this machine, as far as it is installed here; for a library else its usual name. None for a
    header that no package has: it is the source's own.
    """
    is_header = wanted.endswith((".h", ".hh", ".hpp", ".hxx")) or "/" in wanted
    name = wanted.lower()
    with contextlib.suppress(ToolMissing):  # elsewhere than on Debian nobody knows
        file = wanted if is_header else f"lib{name}.so"
        listed = run(["dpkg-query", "--search", f"*/{file}"], check=False, stdout_only=True).output
        if packages := re.findall(r"^([\w.+-]+-dev)\b", listed, re.MULTILINE):
            return str(packages[0])
    return None if is_header else f"lib{name}-dev"
