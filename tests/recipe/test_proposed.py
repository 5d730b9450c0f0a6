"""What ``add-package`` writes for the shelf, with two edits at most, is what was built: it has the same build key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from workbench.files import write_whole
from workbench.maintain.addition import NewPackage, plan_addition
from workbench.make.assign import complete
from workbench.patches.series import read_series
from workbench.paths import CHECKOUT, Paths
from workbench.plan.axes import Axes
from workbench.plan.draft import drafts
from workbench.plan.target import cross, this_arch
from workbench.recipe.load import load
from workbench.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.patches.series import PatchFile
    from workbench.plan.plan import Builder
    from workbench.recipe.model import Recipe

PATHS = Paths(CHECKOUT)
SETTINGS = read_settings(PATHS)
EDITS: dict[str, tuple[str, ...]] = {
    "annoy": (),
    "diso": (),
    "fasttext": (),
    "gsplat": (),
    "hnswlib": (),
    "levenshtein": (),
    "nerfacc": (),
    "nv-grouped-gemm": (),
    "pyahocorasick": (),
    "pycocotools": (),
    "pycuda": ("before_build",),
    "sentencepiece": (),
    "torch-cluster": (),
    "torch-scatter": (),
    "torch-sparse": (),
    "torch-spline-conv": (),
    "torchsort": (),
    "xatlas": (),
    "xformers": ("environment",),
}
"""The fields that a person edits; each patch of the shelf's series is an edit too."""


def keys(recipe: Recipe, series: list[PatchFile]) -> set[str | None]:
    """Return the build keys of a recipe for both architectures."""
    compute = "cpu" if "cpu" in recipe.compute else "cu130"
    torch = "2.11" if recipe.torch else ""
    recipe = replace(recipe, cuda_libraries=tuple(sorted(recipe.cuda_libraries)))  # their order says nothing
    found, left_out = drafts(recipe, series, cross(Axes(arch="x86_64,aarch64", compute=compute, torch=torch)))
    assert not left_out
    builders: dict[str, Builder] = {this_arch(): "host"}
    return {complete(each, builders.get(each.target.arch, "cross"), "", SETTINGS).key for each in found}


def edits(name: str) -> tuple[str, ...]:
    """Return what a person adds to the recipe that is written for a package."""
    patches = len(read_series(PATHS.patches / name))
    return (*EDITS[name], *([f"{patches} patch{'es' * (patches > 1)}"] if patches else []))


@pytest.mark.parametrize("name", EDITS)
def test_what_add_package_writes_builds_with_two_edits_at_most(name: str, tmp_path: Path) -> None:
    shelf, series = load(PATHS.recipes, name), list(read_series(PATHS.patches / name))
    assert len(EDITS[name]) + len(series) <= 2

    new = NewPackage(name=name, source=f"pypi:{name}=={shelf.version}")
    for path, content in plan_addition(new, Paths(tmp_path)).files:
        write_whole(path, content)
    proposed = load(Paths(tmp_path).recipes, name)
    for field in EDITS[name]:
        assert getattr(proposed, field) != getattr(shelf, field), f"{field} needs no edit"
        proposed = replace(proposed, **{field: getattr(shelf, field)})

    assert keys(proposed, series) == keys(shelf, series)


def test_the_guide_tells_the_edits() -> None:
    guide = (
        (CHECKOUT / "docs" / "recipes.md").read_text(encoding="utf-8").partition("### What `add-package`")[2]
    )
    rows = [line for line in guide.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert rows == [f"| {name} | {', '.join(edits(name)) or 'none'} |" for name in EDITS]
