"""``verify``: wheels, checked with what their recipes say of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from workbench.build.interpreter import find_interpreter
from workbench.plan.target import this_arch, this_python
from workbench.recipe.load import load, names
from workbench.verify.engine import Request, verify

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.site import Site
    from workbench.verify.report import Report


def verify_wheels(wheels: Sequence[Path], site: Site) -> tuple[Report, ...]:
    """Return a report for each wheel, in their order. Raises RecipeError, ToolMissing."""
    return verify([_request(wheel, site) for wheel in wheels], site)


def _request(wheel: Path, site: Site) -> Request:
    """Ask for a wheel what its recipe says; for one without a recipe, that its own modules import."""
    try:
        name, _, _, tags = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename:
        return Request(path=wheel)  # verification's own finding
    python = python_of(wheel.name)
    runs_here = any(tag.platform == "any" or tag.platform.endswith(f"_{this_arch()}") for tag in tags)
    interpreter = find_interpreter(python) if runs_here else None
    if name not in names(site.recipes):
        return Request(path=wheel, python=interpreter)
    recipe = load(site.recipes, name)
    return Request(
        path=wheel,
        modules=recipe.modules,
        smoke_test=recipe.smoke_test,
        test_requires=recipe.test_requires,
        python=interpreter,
    )


def python_of(filename: str) -> str:
    """Return the Python (X.Y) to try a wheel with: the tag's own, or ours where it takes many."""
    *_, tags = parse_wheel_filename(filename)
    for tag in tags:
        if tag.interpreter.startswith("cp3") and tag.abi.startswith(tag.interpreter):
            return f"3.{tag.interpreter.removeprefix('cp3')}"
    return this_python()
