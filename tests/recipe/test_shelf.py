"""Every recipe that is shipped: its source is what it pins, its series applies, and it says what the source says."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest
from packaging.licenses import canonicalize_license_expression
from packaging.metadata import Metadata
from packaging.specifiers import SpecifierSet

from workbench.patches.apply import apply_series
from workbench.patches.series import read_series
from workbench.paths import CHECKOUT, Paths
from workbench.recipe.load import load, load_versions, names
from workbench.recipe.model import Sdist
from workbench.source.sdist import fetch_sdist
from workbench.source.unpacking import check_metadata, unpack

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.recipe.model import Recipe

PATHS = Paths(CHECKOUT)
SHELF = names(PATHS.recipes)
RECIPES = [
    pytest.param(
        each, id=f"{name}-{each.version}", marks=[pytest.mark.long("an older version")] if older else []
    )
    for name in SHELF
    for older, each in enumerate(reversed(load_versions(PATHS.recipes, name)))
]
PYTHONS = [f"3.{minor}" for minor in range(8, 16)]


def test_there_are_enough_of_them() -> None:
    assert len(SHELF) >= 26


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_source_is_what_the_recipe_says(recipe: Recipe, tmp_path: Path) -> None:
    name, tree = recipe.name, tmp_path / "tree"
    assert isinstance(recipe.source, Sdist)
    archive = fetch_sdist(name, recipe.version, recipe.source.sha256, PATHS.cache)
    unpack(archive, tree)
    check_metadata(tree, name, recipe.version, archive=archive)
    said = Metadata.from_email((tree / "PKG-INFO").read_bytes(), validate=False).requires_python
    supported = list(SpecifierSet(recipe.python).filter(PYTHONS))
    assert supported
    assert [each for each in supported if said and each not in said] == []

    apply_series(read_series(PATHS.patches / recipe.patches), tree)


@pytest.mark.parametrize("name", SHELF)
def test_it_says_what_a_person_asks_first(name: str) -> None:
    recipe = load(PATHS.recipes, name)
    assert recipe.description.endswith(".")
    assert recipe.upstream
    assert recipe.license == canonicalize_license_expression(recipe.license or "")
    smoke = ast.parse(recipe.smoke_test)
    assert any(isinstance(each, ast.Assert) for each in ast.walk(smoke))
    if recipe.torch:
        assert "torch.cuda.is_available()" in recipe.smoke_test
        assert recipe.local_version == "cu{cuda}torch{torch}" + (".{variant}" if recipe.variants else "")


def listed(recipe: Recipe) -> str:
    """Return a recipe's row in docs/recipes.md."""
    for_what = "CPU" if "cpu" in recipe.compute else f"CUDA 13{', torch' if recipe.torch else ''}"
    patches = len(read_series(PATHS.patches / recipe.patches))
    return f"| [{recipe.name}]({recipe.upstream}) {recipe.version} | {recipe.description} | {for_what} | {patches} |"


def test_the_guide_lists_them() -> None:
    shelf = (CHECKOUT / "docs" / "recipes.md").read_text(encoding="utf-8").partition("## The shelf")[2]
    rows = [line for line in shelf.splitlines() if line.startswith("| [")]
    assert rows == [listed(load(PATHS.recipes, name)) for name in SHELF]
