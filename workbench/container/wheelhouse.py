"""A folder of wheels for a build without a network."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from workbench.container.configuration import only_from, pip_environment
from workbench.environment import read_pip_options
from workbench.errors import CommandFailed, SourceError
from workbench.events import step
from workbench.process import run
from workbench.wheel.serves import platform_tags

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.container.cibw import Handed


def fetch_wheelhouse(
    requirements: Sequence[str], *, python: str, arch: str, into: Path, glibc: str = "2.28"
) -> Handed:
    """Download wheels, and what they require, for another machine; return the configuration that uses only them.

    The wheels need no newer `glibc`; the image has it or a newer one. What a build backend asks for as it runs
    (``ninja``) must be named too.
    Raises SourceError where the index has no wheel that fits.
    """
    platforms = sorted(platform_tags(arch, glibc))
    into.mkdir(parents=True, exist_ok=True)
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", f"--dest={into}"]
    machine = ["--implementation=cp", f"--python-version={python.removesuffix('t')}"]
    # the free-threaded Pythons do not load what is built for the stable ABI
    abis = [f"cp{python.replace('.', '')}", "none", *(() if python.endswith("t") else ("abi3",))]
    machine += [*(f"--abi={abi}" for abi in abis), *(f"--platform={platform}" for platform in platforms)]
    with step(f"wheels for a build without a network: {', '.join(requirements)}") as at:
        try:
            run([*download, *machine, "--", *requirements], env=pip_environment(read_pip_options()))
        except CommandFailed as error:
            raise SourceError(f"no such wheels for Python {python} {arch}: {error}") from error
        at.outcome = f"{len(list(into.glob('*.whl')))} wheels"
    return only_from(into)
