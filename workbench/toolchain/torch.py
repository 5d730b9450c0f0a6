"""The torch of another architecture, unpacked: what an extension is compiled and linked against."""

from __future__ import annotations

import re
from pathlib import Path

from workbench.environment import install_into, python_platform
from workbench.errors import CommandFailed, ToolchainError
from workbench.files import made_once
from workbench.toolchain.pins import compiled, digest

_GLIBC = "2.34"
"""The newest glibc that torch's wheels may need."""


def unpack(version: str, *, python: str, arch: str, cache: Path) -> Path:
    """Return the package folder of a torch release for a Python (``3.12``) and an architecture, below `cache`.

    It holds ``include`` and ``lib``, and is nothing that this machine could import. The package index is asked each
    time which wheels there are of the release, and each answer, by its local version, index and hashes, has a folder of
    its own: the torch of one CUDA is not that of another. Raises ToolchainError when the index has no such wheel, and
    for a free-threaded Python: uv resolves for no such Python but one that is here.
    """
    asked, platform = f"torch=={version}", python_platform(arch, _GLIBC)
    if python.endswith("t"):
        raise ToolchainError(
            f"torch for a free-threaded Python of {arch} cannot be fetched here: build for {python} on {arch} itself"
        )

    def install(scratch: Path) -> Path:
        requirements, tree = scratch / "requirements.txt", scratch / "tree"
        requirements.write_text(pin, encoding="utf-8")
        options = ["--no-deps", f"--requirements={requirements}"]
        install_into(tree, (), python=python, platform=platform, options=options)
        return tree

    try:
        only = ("--no-deps", "--only-binary=:all:", "--emit-index-annotation")
        pin = compiled(f"{asked}\n", *only, python=python, platform=platform)
        name = f"torch-{version}-cp{python.replace('.', '')}-{arch}-{digest(pin)}"
        home = made_once(cache / "toolchains" / name, f"unpack {asked} for {arch}", install)
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
