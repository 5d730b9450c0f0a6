"""``verify``: wheels, checked with what their recipes say of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from workbench import console
from workbench.builders.interpreter import find_interpreter
from workbench.errors import ContainerError, ToolMissing, UsageError, VerificationFailed, WorkbenchError
from workbench.evidence import notes as built
from workbench.files import expect_file
from workbench.plan.target import is_amd, this_arch, this_python
from workbench.recipe.load import load, names
from workbench.recipe.model import ARCHITECTURES
from workbench.toolchain.emulated import EmulatedPython, emulated_python
from workbench.verify.engine import Request, verify

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.site import Site
    from workbench.verify.report import Report


def verify_wheels(
    wheels: Sequence[Path], site: Site, *, gpu: Sequence[str] = (), reuse: bool = False
) -> tuple[Report, ...]:
    """Return a report for each wheel, in their order.

    `gpu` are architectures (``sm_121``) that must be in every wheel; one that was built here must have those that
    it was built for in any case. `reuse` takes a report that was kept for an unchanged file.

    A wheel for whose Python there is no interpreter has a finding; the others are verified all the same.

    Raises UsageError without a wheel or for a path that is no file, RecipeError.
    """
    if not wheels:
        raise UsageError("name the wheels: wheels/*.whl")
    return verify([_request(expect_file(wheel), site, tuple(gpu)) for wheel in wheels], site, reuse=reuse)


def require_passed(reports: Sequence[Report]) -> None:
    """Raise VerificationFailed where a wheel did not pass."""
    failed = [each for each in reports if not each.passed]
    if failed:
        findings = sum(len(each.findings) for each in failed)
        raise VerificationFailed(
            f"{len(failed)} of {console.counted(len(reports), 'wheel')} did not pass, with "
            f"{console.counted(findings, 'finding')}: {', '.join(each.path.name for each in failed)}"
        )


def _request(wheel: Path, site: Site, gpu: tuple[str, ...]) -> Request:
    """Ask for a wheel what its recipe says; for one without a recipe, that it is sound and installs."""
    try:
        name, *_ = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename:
        return Request(path=wheel)  # verification's own finding
    python = python_of(wheel.name)
    arch = arch_of(wheel.name)
    interpreter, no_python = _python_for(python, arch, site)
    known, unknown = _asked_gpu(wheel)
    asked = dict.fromkeys((*gpu, *(known or ())))
    if amd := [each for each in asked if is_amd(each)]:
        console.note(
            f"· {wheel.name}: code for AMD's GPUs is not read, so {', '.join(amd)} was not looked for"
        )
    wanted = tuple(each for each in asked if each not in amd)
    if name not in names(site.recipes):
        return Request(path=wheel, gpu=wanted, gpu_unknown=unknown, python=interpreter, no_python=no_python)
    recipe = load(site.recipes, name)
    return Request(
        path=wheel,
        modules=recipe.modules,
        gpu=wanted,
        gpu_unknown=unknown,
        some_gpu=known is None and all(pattern.startswith("cu") for pattern in recipe.compute),
        smoke_test=recipe.smoke_test,
        test_requires=recipe.test_requires,
        python=interpreter,
        no_python=no_python,
    )


def _asked_gpu(wheel: Path) -> tuple[tuple[str, ...] | None, str]:
    """Return the GPU architectures that a wheel was built for, if that is known, and why it should be and is not."""
    try:
        return built.asked_gpu(wheel), ""
    except WorkbenchError as error:
        return None, str(error)


def _python_for(python: str, arch: str, site: Site) -> tuple[Path | EmulatedPython | None, str]:
    """Return a Python to try a wheel with; None and why where this machine should have one and has not."""
    if arch != this_arch():
        return emulated(python, arch, site), ""
    try:
        return find_interpreter(python), ""
    except ToolMissing as error:
        return None, str(error)


def python_of(filename: str) -> str:
    """Return the Python (X.Y) to try a wheel with: the tag's own, or ours where it takes many."""
    *_, tags = parse_wheel_filename(filename)
    for tag in tags:
        if tag.interpreter.startswith("cp3") and tag.abi.startswith((tag.interpreter, "none")):
            return f"3.{tag.interpreter.removeprefix('cp3')}"
    return this_python()


def arch_of(filename: str) -> str:
    """Return the architecture that a wheel is for; ours where it is for any."""
    *_, tags = parse_wheel_filename(filename)
    return next((arch for arch in ARCHITECTURES for tag in tags if tag.platform.endswith(arch)), this_arch())


def emulated(python: str, arch: str, site: Site) -> EmulatedPython | None:
    """Return a Python of another architecture that runs here under qemu, or None, having said why."""
    try:
        return emulated_python(python, arch, cache=site.cache)
    except (ToolMissing, ContainerError) as error:
        console.note(f"· wheels of {arch} for Python {python} are not smoke-tested here: {error}")
        return None
