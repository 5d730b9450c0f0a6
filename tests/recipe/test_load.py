from __future__ import annotations

import os

import pytest

from workbench.errors import RecipeError
from workbench.paths import CHECKOUT, Paths
from workbench.recipe.load import load, names

GOOD = """\
from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="torch-scatter",
    version="2.1.2",
    description="Scatter operations",
    source=Sdist(
        sha256="{digest}",
    ),
)
""".format(digest="0" * 64)


def write(paths: Paths, text: str, name: str = "torch_scatter") -> None:
    (paths.recipes / f"{name}.py").write_text(text)


def test_a_recipe_is_found_by_any_spelling_of_its_name(paths: Paths) -> None:
    write(paths, GOOD)
    recipe = load(paths.recipes, "Torch_Scatter")
    assert (recipe.name, recipe.patches, recipe.modules) == (
        "torch-scatter",
        "torch-scatter",
        ("torch_scatter",),
    )
    assert names(paths.recipes) == ("torch-scatter",)


def test_the_recipes_of_this_repository_load() -> None:
    recipes = CHECKOUT / "recipes"
    loaded = [load(recipes, name) for name in names(recipes)]
    assert {recipe.name for recipe in loaded} >= {"annoy", "hnswlib", "xatlas"}


@pytest.mark.parametrize(
    ("wrong", "right", "message"),
    [
        (
            "descripton=",
            "description=",
            ":8: descripton: unknown key of Recipe (did you mean 'description'?)",
        ),
        ("sha265=", "sha256=", ":10: sha265: unknown key of Sdist (did you mean 'sha256'?)"),
        ('version="two"', 'version="2.1.2"', ":7: version: Invalid version: 'two'"),
        (
            'name="Torch.Scatter"',
            'name="torch-scatter"',
            ":6: name: 'Torch.Scatter' is not normalised: write 'torch-scatter'",
        ),
        (
            'name="scatter"',
            'name="torch-scatter"',
            ":6: name: 'scatter' does not belong in torch_scatter.py; its file is scatter.py",
        ),
        (
            'sha256="00"',
            f'sha256="{"0" * 64}"',
            ":10: source.sha256: '00' is not 64 lower-case hexadecimal digits",
        ),
        ("version=2,", 'version="2.1.2",', ":7: version: expected a string, got 2"),
        ("recipes = Recipe", "recipe = Recipe", ": defines no 'recipe': write recipe = Recipe(...)"),
        ("recipe = = Recipe", "recipe = Recipe", ":5: invalid syntax"),
        ("import Recipe, Sdit", "import Recipe, Sdist", ":3: ImportError: cannot import name 'Sdit'"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(
    paths: Paths, wrong: str, right: str, message: str
) -> None:
    assert right in GOOD
    write(paths, GOOD.replace(right, wrong))
    with pytest.raises(RecipeError) as caught:
        load(paths.recipes, "torch-scatter")
    assert str(caught.value).startswith(f"{paths.recipes / 'torch_scatter.py'}{message}")


def test_a_missing_key_is_named(paths: Paths) -> None:
    write(paths, GOOD.replace('    description="Scatter operations",\n', ""))
    with pytest.raises(RecipeError, match="Recipe lacks 'description'"):
        load(paths.recipes, "torch-scatter")


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ('test_requires=("numpy")', "test_requires: expected a tuple of strings"),
        ("environment={'A': 1}", "environment: expected a dict of strings"),
        ("environment={'A': (1,)}", "environment: expected a dict of strings"),
        ('python="3.x"', "python: Invalid specifier"),
        ('build_requires=("cmake >",)', "build_requires: "),
        ('upstream="https://me:pw@host/x"', "upstream: a login or a secret in a URL would be published"),
        ("environment={'A': 'x https://h/?sig=1'}", "environment: a login or a secret in a URL would be"),
        ("memory_per_job=-1", "memory_per_job: -1 is not a number of gigabytes"),
        ('memory_per_job=float("nan")', "memory_per_job: nan is not a number of gigabytes"),
        (
            'arch=("arm64",)',
            "arch: unknown value 'arm64' .did you mean 'aarch64'.*: there are x86_64, aarch64",
        ),
    ],
)
def test_values_that_make_no_sense_are_refused(paths: Paths, field: str, message: str) -> None:
    write(paths, GOOD.replace("    source=", f"    {field},\n    source="))
    with pytest.raises(RecipeError, match=f":9: {message}"):
        load(paths.recipes, "torch-scatter")


@pytest.mark.parametrize(
    ("variants", "field", "message"),
    [
        (
            '"hdim64",',
            'environment={"H": when("64", variant="hdim46")}',
            r"environment: when\('64'\): variant: unknown value 'hdim46' \(did you mean 'hdim64'\?\): there are hdim64",
        ),
        (
            '"hdim64",',
            'environment={"H": (when("64", variant="hdim64"), when("1", variant="small"))}',
            r"environment: when\('1'\): variant: unknown value 'small': there are hdim64",
        ),
        ("", 'build_requires=(when("a", variant="x"),)', ".*: the recipe has no variants"),
        (
            "",
            'patches_when=(when("a.patch", arch="arm64"),)',
            r"patches_when: when\('a.patch'\): arch: unknown value",
        ),
        (
            "",
            'build_requires=(when("a", compte="cpu"),)',
            r"compte: unknown key of When \(did you mean 'compute'\?\)",
        ),
    ],
)
def test_a_condition_that_never_holds_is_refused(
    paths: Paths, variants: str, field: str, message: str
) -> None:
    text = GOOD.replace("Recipe, Sdist", "Recipe, Sdist, when")
    write(paths, text.replace("    source=", f"    variants=({variants}),\n    {field},\n    source="))
    with pytest.raises(RecipeError, match=f":10: {message}"):
        load(paths.recipes, "torch-scatter")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            f'Git(url="https://pat@h/x", commit="{"a" * 40}", branch="b")',
            "source.url: a login or a secret in a URL would be published",
        ),
        ('Git(url="u", commit="abc", branch="main")', "source.commit: 'abc' is not a full commit hash"),
        (f'Git(url="u", commit="{"a" * 40}")', "source: give exactly one of branch and tag"),
        (
            f'Git(url="u", commit="{"a" * 40}", branch="b", tag="t")',
            "source: give exactly one of branch and tag",
        ),
    ],
)
def test_a_git_source_is_pinned(paths: Paths, source: str, message: str) -> None:
    text = GOOD.replace("Recipe, Sdist", "Git, Recipe")
    text = text[: text.index("    source=")] + f"    source={source},\n)\n"
    write(paths, text)
    with pytest.raises(RecipeError, match=message):
        load(paths.recipes, "torch-scatter")


def test_a_file_of_another_name_than_its_package_is_told_which_it_should_have(paths: Paths) -> None:
    (paths.recipes / "Torch-Scatter.py").write_text(GOOD)
    with pytest.raises(RecipeError, match=r"Torch-Scatter\.py: .* rename it torch_scatter\.py"):
        load(paths.recipes, "torch-scatter")


def test_an_unknown_package_names_the_nearest(paths: Paths) -> None:
    write(paths, GOOD)
    with pytest.raises(RecipeError, match=r"torch-scater: no recipe .*did you mean 'torch-scatter'"):
        load(paths.recipes, "torch-scater")


def test_a_recipe_that_was_written_again_within_a_second_is_the_new_one(paths: Paths) -> None:
    """Of the same length, too: by time and size alone Python would take what it had compiled."""
    path = paths.recipes / "torch_scatter.py"
    for version in ("2.1.2", "2.1.3"):
        write(paths, GOOD.replace("2.1.2", version))
        os.utime(path, (1, 1))
        assert load(paths.recipes, "torch-scatter").version == version
