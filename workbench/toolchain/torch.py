"""The torch of another architecture, unpacked: what an extension is compiled and linked against."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from workbench.environment import index_environment, install_into, python_platform
from workbench.errors import CommandFailed, ToolchainError
from workbench.process import run
from workbench.toolchain.pins import digest
from workbench.toolchain.shelf import made_once

_GLIBC = "2.34"
"""The newest glibc that torch's wheels may need."""


def unpack(version: str, *, python: str, arch: str, cache: Path) -> Path:
    """Return the package folder of a torch release for a Python (``3.12``) and an architecture, below `cache`.

    It holds ``include`` and ``lib``, and is nothing that this machine could import. The package index is asked each
    time which wheels there are of the release, and each answer, by its local version, index and hashes, has a folder
    of its own: the torch of one CUDA is not that of another. Safe for several processes at once.

    Raises ToolchainError when the package index has no such wheel, and for a free-threaded Python: uv resolves for
    no such Python but one that is here.
    """
    asked = f"torch=={version}"
    if python.endswith("t"):
        raise ToolchainError(
            f"torch for a free-threaded Python of {arch} cannot be fetched here: build for {python} on {arch} itself"
        )
    try:
        pin = _pin(asked, python=python, arch=arch)
        name = f"torch-{version}-cp{python.replace('.', '')}-{arch}-{digest(pin)}"
        home = made_once(
            cache / "toolchains" / name,
            f"unpack {asked} for {arch}",
            lambda scratch: _install(pin, python=python, arch=arch, scratch=scratch),
        )
    except CommandFailed as error:
        raise ToolchainError(
            f"the package index has no {asked} for Python {python} on {arch}, which the wheel would be "
            f"linked against: {error}"
        ) from error
    return home / "torch"


def check_cuda(package: Path, *, compute: str, arch: str) -> None:
    """Check that a torch, the folder of its package, is built for the CUDA of a compute platform.

    Another minor release of it will do, another major one has libraries of other names. Raises ToolchainError.
    """
    text = (package / "version.py").read_text(encoding="utf-8")
    said = dict(re.findall(r"^(__version__|cuda)\b.*?= *'?([\w.+]+)'?$", text, re.MULTILINE))
    cuda, wanted = said.get("cuda", "None"), compute.removeprefix("cu")
    if cuda.partition(".")[0] != wanted[:-1]:
        built = "for no CUDA" if cuda == "None" else f"for CUDA {cuda}"
        raise ToolchainError(
            f"torch {said.get('__version__', '')} of the package index for {arch} is built {built}, and the wheel is "
            f"for {compute}: name another --torch or another --compute, or an index that has a torch for it "
            "(UV_INDEX)"
        )


def _pin(requirement: str, *, python: str, arch: str) -> str:
    """Return a requirement as it is met now: with its local version, the index, and the hashes that it gives."""
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        asked = Path(folder) / "requirements.in"
        asked.write_text(f"{requirement}\n", encoding="utf-8")
        output = ["--generate-hashes", "--emit-index-annotation", "--no-header", "--no-annotate"]
        machine = ["--python-platform", python_platform(arch, _GLIBC), "--python-version", python]
        argv = ["uv", "pip", "compile", "--quiet", "--no-deps", "--only-binary=:all:", *output, *machine]
        return run([*argv, asked], env=index_environment(), stdout_only=True).output


def _install(pin: str, *, python: str, arch: str, scratch: Path) -> Path:
    requirements, tree = scratch / "requirements.txt", scratch / "tree"
    requirements.write_text(pin, encoding="utf-8")
    options = ["--no-deps", f"--requirements={requirements}"]
    install_into(tree, (), python=python, platform=python_platform(arch, _GLIBC), options=options)
    return tree
