"""``--build-missing``: a wheel that no source has, made by the workbench for this machine's GPU alone.

What was built once from the same inputs is found by its build key and never compiled again.
"""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from workbench.consume.lock import Pinned
from workbench.consume.offer import OfferedWheel
from workbench.errors import NothingFits, UsageError
from workbench.text import minor

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.requirements import Requirement

    from workbench.consume.host import Host
    from workbench.recipe.model import Recipe

HERE = "built here"
"""The source of a wheel that was made on this machine."""


def build(requirement: Requirement, host: Host) -> Pinned:
    """Return a wheel of what is required that was built and verified here, or is there from the last time.

    It is of the newest of the recipe's versions that is asked for. Raises NothingFits where no recipe of this site can
    make it, and whatever a build raises.
    """
    from workbench.make.produce import build_all, failure_of
    from workbench.make.request import Request, plans
    from workbench.make.verification import not_passed, verify_wheels
    from workbench.paths import Paths
    from workbench.plan.axes import Axes
    from workbench.recipe.load import load_versions, maker_of
    from workbench.settings import read_settings

    name = canonicalize_name(requirement.name)
    paths = Paths.here()
    recipe = maker_of(paths.recipes, name)
    if recipe is None:
        raise NothingFits(
            f"{name}: no source has a wheel that fits, and {paths.recipes} has no recipe for it: "
            f"workbench add-package {name} --source pypi:{name} writes one"
        )
    settings = read_settings(paths)
    there = load_versions(paths.recipes, recipe.name)
    for each in reversed(there):
        version = each.version if each.versions else ""
        axes = Axes(**_axes(each, host), version=version, variant=_variant(each, name))
        planned = plans(Request(name=each.name, axes=axes), paths, settings)
        if requirement.specifier.contains(planned.plans[0].version, prereleases=True):
            break
    else:
        versions = ", ".join(one.version for one in there)
        raise NothingFits(
            f"{requirement}: no source has a wheel that fits, and the recipe has {versions}: "
            f"workbench bump {recipe.name} --add VERSION adds one"
        )
    made, failures = build_all(planned, paths, settings)
    if error := failure_of(failures, len(planned.plans)):
        raise error
    (product,) = made
    if failed := not_passed(verify_wheels([product.wheel], paths, reuse=True)):
        raise failed
    return replace(_pinned(name, product.wheel), extras=frozenset(requirement.extras))


def _variant(recipe: Recipe, project: str) -> str:
    """Return the variant that a project is of a recipe's; nothing for the usual build."""
    if found := [each for each in recipe.variants if recipe.project(each) == project != recipe.name]:
        return found[0]
    if recipe.variants_only:
        projects = ", ".join(map(recipe.project, recipe.variants))
        raise NothingFits(
            f"{project} is built as one of these: {projects}: name the one that fits this machine"
        )
    return ""


def _axes(recipe: Recipe, host: Host) -> dict[str, str]:
    """Return the one cell of the matrix that is this machine's."""
    if not host.python or not host.arch:
        raise UsageError(
            "the Python and the machine to build for are not known: name them with --python and --arch"
        )
    free = "t" if host.python.endswith("t") else ""
    axes = {"python": host.python_minor + free, "arch": host.arch}
    compute = host.compute or (f"cu{host.driver_cuda.replace('.', '')}" if host.driver_cuda else "cpu")
    if not any(fnmatchcase(compute, pattern) for pattern in recipe.compute):
        compute = "cpu"
    axes["compute"] = compute
    if compute != "cpu" and host.gpus:
        axes["gpu"] = ",".join(sorted({f"sm_{gpu.number}" for gpu in host.gpus}))
    if recipe.torch:
        if not host.torch:
            raise UsageError(
                f"{recipe.name} is built against a torch: install one, or name it with --torch 2.11"
            )
        axes["torch"] = minor(host.torch)
    return axes


def _pinned(name: str, wheel: Path) -> Pinned:
    from workbench.files import sha256_of
    from workbench.wheel.filename import parse_wheel
    from workbench.wheel.wheel import open_wheel

    with open_wheel(wheel) as opened:
        metadata = opened.text("METADATA")
    offer = OfferedWheel(
        filename=wheel.name,
        url=wheel.resolve().as_uri(),
        source=HERE,
        sha256=sha256_of(wheel),
        size=wheel.stat().st_size,
    )
    return Pinned(name=name, version=str(parse_wheel(wheel.name).version), offer=offer, metadata=metadata)
