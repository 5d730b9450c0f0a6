"""A Python of another architecture that runs here, under qemu's user mode: to try a cross-built wheel out."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.container import debian
from workbench.container.command import QEMU_CPU
from workbench.environment import install_into, python_platform
from workbench.errors import ToolMissing
from workbench.files import made_once
from workbench.process import environment, run

if TYPE_CHECKING:
    from workbench.process import Completed, Variables

GLIBC = "2.36"
"""The oldest glibc of the releases below: what is installed for their Pythons must run with it."""

SUITES = {suite.python: suite for suite in debian.SUITES.values() if suite.glibc >= GLIBC}
"""The Debian release that has a Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatedPython:
    """The Python `version` (``3.11``) of the Debian in `root`, run by the program `qemu`."""

    version: str
    arch: str
    root: Path
    qemu: str

    def install(self, requirements: Sequence[str | Path], into: Path) -> None:
        """Install wheels and requirements for this Python into a folder. Raises CommandFailed."""
        if not requirements:
            return
        install_into(into, requirements, python=self.version, platform=python_platform(self.arch, GLIBC))

    def run_code(
        self, code: str, *, packages: Path, cwd: Path, env: Variables = None, under: Sequence[str] = ()
    ) -> Completed:
        """Run Python code with the packages of a folder. Raises CommandFailed with what it printed last.

        `env` and `under` are those of `run`.
        """
        usr = self.root / "usr"
        python = usr / "bin" / f"python{self.version}"
        own = {
            "PYTHONHOME": str(usr),
            "PYTHONPATH": str(packages),
            "PYTHONNOUSERSITE": "1",
            "QEMU_CPU": QEMU_CPU,
        }
        return run(
            [self.qemu, "-L", self.root, python, "-c", code], cwd=cwd, env={**(env or {}), **own}, under=under
        )


def emulated_python(version: str, arch: str, *, cache: Path) -> EmulatedPython:
    """Return a Python (``3.11``) of an architecture, unpacked from Debian below `cache`.

    Raises ToolMissing without qemu's user mode, and for a Python that no Debian release has; ContainerError where
    apt cannot have Debian's packages.
    """
    if version not in SUITES:
        raise ToolMissing(
            f"no Debian release has Python {version} for {arch} to run under qemu: there are {', '.join(SUITES)}"
        )
    # the one name is that of Debian up to 12, the other that of Debian 13 and of qemu itself
    found = [shutil.which(f"qemu-{arch}{more}", path=environment()["PATH"]) for more in ("-static", "")]
    qemu = next(filter(None, found), None)
    if qemu is None:
        raise ToolMissing(
            f"qemu-{arch} is not on this machine: install it with 'apt install qemu-user-static'"
        )
    suite = SUITES[version].name
    packages = (f"python{version}", "libstdc++6")

    def make(scratch: Path) -> Path:
        root = scratch / "root"
        debian.unpack(packages, root, suite=suite, arch=arch, cache=cache / "debian")
        return root

    home = cache / "toolchains" / f"python{version}-{suite}-{arch}"
    root = made_once(home, f"unpack Python {version} of Debian {suite} for {arch}", make)
    return EmulatedPython(version=version, arch=arch, root=root, qemu=qemu)
