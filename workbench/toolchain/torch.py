"""The torch of another architecture, unpacked: what an extension is compiled and linked against."""

from __future__ import annotations

import tempfile
from pathlib import Path

from workbench import console
from workbench.environment import index_environment
from workbench.errors import CommandFailed, ToolchainError
from workbench.files import one_at_a_time
from workbench.process import run


def unpack(version: str, *, python: str, arch: str, cache: Path) -> Path:
    """Return the package folder of a torch release for a Python (``3.12``) and an architecture, below `cache`.

    It holds ``include`` and ``lib``, and is nothing that this machine could import. Safe for several processes at
    once. Raises ToolchainError when the package index has no such wheel.
    """
    home = cache / "toolchains" / f"torch-{version}-cp{python.replace('.', '')}-{arch}"
    if home.is_dir():
        return home / "torch"
    with one_at_a_time(home.with_name(f"{home.name}.lock")):
        if not home.is_dir():
            with (
                console.step(f"unpack torch {version} for {arch}"),
                tempfile.TemporaryDirectory(dir=home.parent, prefix=".unpacking-") as scratch,
            ):
                tree = Path(scratch) / "tree"
                _install(f"torch=={version}", python=python, arch=arch, into=tree)
                tree.rename(home)
    return home / "torch"


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
