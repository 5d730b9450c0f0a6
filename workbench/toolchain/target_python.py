"""What a build sees of the Python that it builds for, where that Python cannot run here.

The build runs a Python of this machine, of the same X.Y. Its headers and its ``sysconfig`` are rewritten for the
other architecture: both are 64-bit, little-endian Linux with glibc, so that CPython's configuration differs in
what ``_PYCONFIG`` lists, in names, and in compilers. CPython itself looks for such a rewritten ``sysconfig`` when
it is cross-built (``_PYTHON_SYSCONFIGDATA_NAME``, ``_PYTHON_HOST_PLATFORM``).
"""

from __future__ import annotations

import json
import pprint
import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.process import run

if TYPE_CHECKING:
    from workbench.toolchain.compilers import CrossGcc

_PROBE = """
import importlib, json, sysconfig
print(json.dumps({
    "variables": importlib.import_module(sysconfig._get_sysconfigdata_name()).build_time_vars,
    "include": sysconfig.get_path("include"),
    "pyconfig": sysconfig.get_config_h_filename(),
}))
"""

_PYCONFIG = {
    "HAVE_GCC_ASM_FOR_X64": None,
    "HAVE_GCC_ASM_FOR_X87": None,
    "HAVE_USABLE_WCHAR_T": "1",
    "PY_SUPPORT_TIER": "2",
}
"""How aarch64's ``pyconfig.h`` differs from x86-64's. A name that a Python's has not is none of its own."""

_CFLAGS = "-fno-strict-overflow -Wsign-compare -DNDEBUG -O3 -Wall"
"""CPython's own, as it is built for release; what this machine's was built with may not be for the target."""

_SITECUSTOMIZE = '''"""Answers for the machine that is built for: setup.py files ask ``platform.machine()``."""

import os

_uname = os.uname


def uname():
    return os.uname_result((*_uname()[:4], {arch!r}))


os.uname = uname
'''

_PYTHON_CONFIG = """\
#!/bin/sh
# what CMake asks for the target's Python when it cross-compiles
for word; do
    case $word in
        --includes | --cflags) echo -I{include} ;;
        --extension-suffix) echo {suffix} ;;
        --configdir) echo {include}/config-{triple} ;;
        --prefix | --exec-prefix) echo {include}/.. ;;
        --abiflags | --libs | --ldflags | --help) echo ;;
        *) echo "unknown option: $word" >&2; exit 1 ;;
    esac
done
"""


def synthesise(python: Path, compiler: CrossGcc, folder: Path) -> tuple[Path, dict[str, str]]:
    """Write the headers and the ``sysconfig`` of a Python for a compiler's architecture into `folder`.

    Return the folder of the headers, and the variables that make `python` speak for that Python: it is this machine's
    interpreter of the same X.Y, with its headers. Raises CommandFailed where it does not run.
    """
    arch = compiler.arch
    host = json.loads(run([python, "-I", "-c", _PROBE], stdout_only=True).output)
    include, modules, programs = folder / "include", folder / "modules", folder / "bin"
    shutil.copytree(host["include"], include)
    pyconfig = include / "pyconfig.h"
    pyconfig.unlink()  # Debian's only includes the one of this machine's architecture
    pyconfig.write_text(_rewritten(Path(host["pyconfig"]).read_text(encoding="utf-8")), encoding="utf-8")
    variables = _variables(host["variables"], arch, compiler, include)
    name = f"_sysconfigdata__linux_{compiler.triple}"
    modules.mkdir()
    (modules / f"{name}.py").write_text(
        f"build_time_vars = {pprint.pformat(variables, width=200)}\n", encoding="utf-8"
    )
    (modules / "sitecustomize.py").write_text(_SITECUSTOMIZE.format(arch=arch), encoding="utf-8")
    programs.mkdir()
    config = programs / f"{compiler.triple}-python{variables['VERSION']}-config"
    suffix = variables["EXT_SUFFIX"]
    answers = {"include": shlex.quote(str(include)), "suffix": suffix, "triple": compiler.triple}
    config.write_text(_PYTHON_CONFIG.format(**answers), encoding="utf-8")
    config.chmod(0o755)
    return include, {
        "_PYTHON_HOST_PLATFORM": f"linux-{arch}",
        "_PYTHON_SYSCONFIGDATA_NAME": name,
        "PATH": str(programs),
        "PYTHONPATH": str(modules),
        "SETUPTOOLS_EXT_SUFFIX": suffix,
    }


def _rewritten(pyconfig: str) -> str:
    for name, value in _PYCONFIG.items():
        line = f"#define {name} {value}" if value else f"/* #undef {name} */"
        pyconfig = re.sub(rf"^(#define {name} .*|/\* #undef {name} \*/)$", line, pyconfig, flags=re.MULTILINE)
    return pyconfig


def _variables(host: dict[str, Any], arch: str, compiler: CrossGcc, include: Path) -> dict[str, Any]:
    own = {name: value for name, value in host.items() if isinstance(value, str) and name != "BUILD_GNU_TYPE"}
    renamed = {name: value.replace("x86_64", arch) for name, value in own.items()}
    cc, cxx = str(compiler.tool("gcc")), str(compiler.tool("g++"))
    return (
        host
        | renamed
        | {
            "AR": str(compiler.tool("ar")),
            "BLDSHARED": f"{cc} -shared",
            "CC": cc,
            "CCSHARED": "-fPIC",
            "CFLAGS": _CFLAGS,
            "CONFINCLUDEPY": str(include),
            "CXX": cxx,
            "INCLUDEPY": str(include),
            "LDCXXSHARED": f"{cxx} -shared",
            "LDFLAGS": "",
            "LDSHARED": f"{cc} -shared",
            "LIBDIR": "",
            "LINKCC": cc,
            "OPT": "-DNDEBUG -O3 -Wall",
            "PY_CFLAGS": _CFLAGS,
            "PY_LDFLAGS": "",
            "Py_ENABLE_SHARED": 0,
        }
    )
