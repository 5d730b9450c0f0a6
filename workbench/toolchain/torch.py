"""The torch of another architecture, unpacked: what an extension is compiled and linked against."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workbench.environment import index_environment
from workbench.errors import CommandFailed, ToolchainError
from workbench.process import run
from workbench.toolchain.shelf import made_once

if TYPE_CHECKING:
    from pathlib import Path


def unpack(version: str, *, python: str, arch: str, cache: Path) -> Path:
    """Return the package folder of a torch release for a Python (``3.12``) and an architecture, below `cache`.

    It holds ``include`` and ``lib``, and is nothing that this machine could import. Safe for several processes at
    once. Raises ToolchainError when the package index has no such wheel.
    """
    home = cache / "toolchains" / f"torch-{version}-cp{python.replace('.', '')}-{arch}"
    requirement = f"torch=={version}"

    def make(scratch: Path) -> Path:
        _install(requirement, python=python, arch=arch, into=scratch / "tree")
        return scratch / "tree"

    return made_once(home, f"unpack {requirement} for {arch}", make) / "torch"


def check_cuda(environment: Path, *, compute: str) -> None:
    """Check that the torch in a virtual environment, if there is one, is built for the CUDA of a compute platform.

    Another minor release of it will do, another major one has libraries of other names. Raises ToolchainError.
    """
    for version in environment.glob("lib/python*/site-packages/torch/version.py"):
        said = dict(
            re.findall(r"^(__version__|cuda)\b.*?= *'?([\w.+]+)'?$", version.read_text("utf-8"), re.MULTILINE)
        )
        cuda, wanted = said.get("cuda", "None"), compute.removeprefix("cu")
        if cuda.partition(".")[0] != wanted[:-1]:
            built = "for no CUDA" if cuda == "None" else f"for CUDA {cuda}"
            raise ToolchainError(
                f"torch {said.get('__version__', '')} of the package index is built {built}, and the wheel is for "
                f"{compute}: name another --torch or another --compute, or an index that has a torch for it "
                "(UV_INDEX)"
            )


def _install(requirement: str, *, python: str, arch: str, into: Path) -> None:
    platform = ["--python-platform", f"{arch}-manylinux_2_34", "--python-version", python]
    argv = ["uv", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", *platform]
    try:
        run([*argv, "--target", into, requirement], env=index_environment())
    except CommandFailed as error:
        raise ToolchainError(
            f"the package index has no {requirement} for Python {python} on {arch}, which the wheel would be "
            f"linked against: {error}"
        ) from error
