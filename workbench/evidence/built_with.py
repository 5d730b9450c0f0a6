"""What a plan is built with on this machine: image, CUDA toolkit, Python, compilers, and what makes the wheel of it.

The same plan, built with the same, gives the same bytes. Paths are not told: a statement is published.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.builders.interpreter import find_interpreter
from workbench.builders.tools import compiler_for
from workbench.container.cibw import image_for
from workbench.container.engine import find_engine
from workbench.errors import ToolMissing
from workbench.evidence.provenance import ONE_OF, Role, Used
from workbench.process import find_program, run
from workbench.toolchain.compilers import glibc_of
from workbench.toolchain.pins import entries, pins_for

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.plan.plan import Plan
    from workbench.settings import Settings

ROLES_HERE: tuple[Role, ...] = ("image", "toolkit", "python", "compiler", "tool")
"""The roles of what `built_with` yields."""

_WRITERS = ("auditwheel", "isal")
"""Libraries of this environment whose release shows in the bytes of a wheel."""


def built_with(plan: Plan, paths: Paths, settings: Settings) -> Iterator[Used]:
    """Yield what a plan is built with here, in the order of the roles.

    Raises ToolMissing, ContainerError and ToolchainError for what is not here.
    """
    yield from _image(plan, settings)
    yield from toolkit_of(plan)
    if plan.builder != "container":  # an image has its own
        yield _python(find_interpreter(plan.target.python))
        yield from _compilers(plan, paths)
    yield from _tools()


def _image(plan: Plan, settings: Settings) -> Iterator[Used]:
    if plan.image is None:
        return
    engine = find_engine(settings.container.engine)
    identity = image_for(engine, plan.image, plan.target.arch).id  # that it was built in: it is here
    digest = {"sha256": identity.removeprefix("sha256:")}
    yield Used(role="image", name=plan.image, uri=plan.image_pin or "", digest=digest)


def toolkit_of(plan: Plan) -> Iterator[Used]:
    """Yield the CUDA toolkit, and of one that was laid out the distributions with their hashes for each machine."""
    if plan.toolkit is None:
        return
    name, _, digest = plan.toolkit.rpartition(" ")
    if name:  # the site's own, which the hash of its list of parts tells
        yield Used(
            role="toolkit", name=plan.target.compute, digest={"sha256": digest}, about="the site's own"
        )
        return
    if "/" in digest:
        yield Used(
            role="toolkit", name=plan.target.compute, about="the site's own, without a list of its parts"
        )
        return
    pins = plan.toolkit_pins or pins_for(plan.target.compute, plan.recipe.cuda_libraries)
    whole = {"sha256": hashlib.sha256(pins.requirements.encode()).hexdigest()}
    about = "the hash of its list of distributions"
    yield Used(role="toolkit", name=plan.target.compute, version=pins.version, digest=whole, about=about)
    for part, entry in entries(pins.requirements).items():
        version = re.match(r"\S+==(\S+)", entry)
        hashes = " ".join(re.findall(r"sha256:([0-9a-f]{64})", entry))
        number = version[1] if version else ""
        purl = f"pkg:pypi/{part}@{number}"
        yield Used(role="toolkit", name=part, version=number, uri=purl, about=f"{ONE_OF}{hashes}")


def _compilers(plan: Plan, paths: Paths) -> Iterator[Used]:
    """Yield the compilers of a build on this machine, the linker, and the C library that it links with."""
    cross = compiler_for(plan, paths) if plan.builder == "cross" else None
    names = ("gcc", "g++", "ld") if cross else ("cc", "c++", "ld")
    for program in map(cross.tool, names) if cross else _found(*names):
        said = run([program, "--version"], check=False, stdout_only=True).output.partition("\n")[0]
        if said:
            role: Role = "tool" if program.name.endswith("ld") else "compiler"
            yield Used(role=role, name=program.name, version=said.removeprefix(program.name).strip())
    libc = f"glibc {glibc_of(cross)}" if cross else os.confstr("CS_GNU_LIBC_VERSION") or ""
    if libc:
        name, _, number = libc.partition(" ")
        yield Used(role="tool", name=name, version=number)


def _found(*names: str) -> Iterator[Path]:
    for name in names:
        try:
            yield Path(find_program(name))
        except ToolMissing:
            continue


@cache
def _python(interpreter: Path) -> Used:
    code = "import platform; print(platform.python_implementation(), platform.python_version())"
    name, number = run([interpreter, "-I", "-c", code], stdout_only=True).output.split()
    return Used(role="python", name=name, version=number)


@cache
def _tools() -> tuple[Used, ...]:
    said = run(["patchelf", "--version"], check=False, stdout_only=True).output.split()
    patchelf = Used(role="tool", name="patchelf", version=said[-1] if said else "")
    return patchelf, *(Used(role="tool", name=name, version=version(name)) for name in _WRITERS)
