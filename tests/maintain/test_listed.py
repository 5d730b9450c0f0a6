"""A packages.yml as builders on CI services keep it becomes recipes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.verbs.conftest import git
from workbench.errors import UsageError
from workbench.maintain.guess import Guess
from workbench.maintain.listed import read_packages
from workbench.maintain.recipe_text import render
from workbench.paths import CHECKOUT
from workbench.recipe import Git, Recipe, When
from workbench.recipe.load import load, load_versions
from workbench.registry.file import load as load_registry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verbs.conftest import Demo
    from workbench.paths import Paths

GUIDE = (CHECKOUT / "docs" / "recipes.md").read_text(encoding="utf-8")


def test_the_list_that_the_guide_shows_becomes_two_recipes(paths: Paths, tmp_path: Path) -> None:
    shown = re.search(r"```yaml\n(packages:.*?)```", GUIDE, re.DOTALL)
    assert shown
    file = tmp_path / "packages.yml"
    file.write_text(shown[1])
    tried = invoke("import-packages", file, "--dry-run")
    assert tried.status == 0, tried.stderr
    assert tried.stdout.count("would be written") == 2
    assert not list(paths.recipes.iterdir())

    done = invoke("import-packages", file)
    assert done.status == 0, done.stderr
    assert "annoy: build_args: --config-settings=x=1 has no field in a recipe" in done.stdout
    assert "annoy: build_args: --no-build-isolation is not needed" in done.stdout
    assert "2 of 2 packages" in done.stdout
    old, new = load_versions(paths.recipes, "pyahocorasick")
    assert (old.version, new.version, new.modules) == ("2.2.0", "2.3.1", ("ahocorasick",))
    assert new.description == "Searches a text for many words at once."
    assert new.source == load(CHECKOUT / "recipes", "pyahocorasick").source
    annoy = load(paths.recipes, "annoy")
    assert (annoy.version, annoy.versions) == ("1.17.3", {})
    assert annoy.build_requires == ("ninja", "cmake<4")
    assert annoy.environment == {"ANNOY_COMPILER_ARGS": "-O2"}
    text = (paths.recipes / "annoy.py").read_text()
    assert "# packages.yml: packages.annoy\n    environment=" in text
    assert "# - build_args: --config-settings=x=1 has no field" in text
    assert set(load_registry(paths.registry).packages) == {"annoy", "pyahocorasick"}

    again = json.loads(invoke("import-packages", file, "--json").stdout)
    assert [each["outcome"] for each in again] == ["there already", "there already"]


def test_a_repository_has_its_versions_as_tags_and_what_fails_stops_no_other(
    demo: Demo, tmp_path: Path
) -> None:
    for version in ("1.0", "1.1"):
        git(demo.repository, "commit", "--quiet", "--allow-empty", "--message", version)
        git(demo.repository, "tag", f"v{version}")
    demo.recipe.unlink()
    demo.patch.unlink()
    file = tmp_path / "packages.yml"
    file.write_text(
        f"- {{name: lost, source: {demo.repository}, versions: ['7']}}\n"
        f"- {{name: Demo, source: {demo.repository}, versions: ['1.1', '1.0']}}\n"
    )
    done = invoke("import-packages", file, "--json")
    lost, made = json.loads(done.stdout)
    assert (done.status, lost["outcome"], made["outcome"]) == (6, "failed", "written")
    assert "no tag of version 7: it has 1.1, 1.0" in lost["why"]
    old, new = (each.source for each in load_versions(demo.paths.recipes, "demo"))
    assert isinstance(old, Git)
    assert isinstance(new, Git)
    assert (old.tag, new.tag) == ("v1.0", "v1.1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("packages: {a: {version: '1'}}", r"packages\.a\.version: unknown key \(did you mean 'versions'"),
        ("a: {wheels: yes}", r"a\.wheels: unknown key; known: versions, .*, source"),
        ("a: {versions: [2.8]}", r"a\.versions\[0\]: expected a string, got 2\.8: write it in quotes"),
        ("a: {build_args: {A: 1}}", r"a\.build_args: expected a list, got a mapping"),
        ("no: {versions: '1'}", "the document: expected a name, got False: write it in quotes"),
        ("a: {versions: ['1.0', two]}", r"a\.versions\[1\]: 'two' is not a valid version"),
        ("a: {extra_deps: ['ninja', '=x']}", r"a\.extra_deps\[1\]: '=x' is not a requirement"),
        ("a: {test_import: 'a, import b'}", r"a\.test_import: 'import b' is not the name of a module"),
        ('a: {build_args: "A=\'1"}', r"a\.build_args: No closing quotation"),
        ("[{versions: '1'}]", r"\[0\]: expected a mapping with a name"),
        ("{A_b: {}, a-b: {}}", "a-b: a-b is listed twice, first as A_b"),
        ("packages: 1", "packages: expected a mapping of packages"),
        ("{packages: {}, defaults: {}}", "defaults: unknown key beside packages"),
        ("a: {x", "not YAML"),
        ("a: 1", "a: expected a mapping, got 1"),
    ],
)
def test_a_wrong_entry_is_named_by_its_path(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "packages.yml"
    file.write_text(text)
    with pytest.raises(UsageError, match=rf"packages\.yml: {message}"):
        read_packages(file)


def test_a_list_written_as_words_is_one(tmp_path: Path) -> None:
    file = tmp_path / "packages.yml"
    file.write_text("a:\n  extra_deps: ninja packaging>=24 wheel\n  test_import: a, a.b,\nb:\n")
    listed, empty = read_packages(file)
    assert {guess.field: guess.value for guess in listed.said} == {
        "build_requires": ("ninja", "packaging>=24", "wheel"),
        "modules": ("a", "a.b"),
    }
    assert (empty.name, empty.said, empty.new().source) == ("b", (), "pypi:b")


def test_what_stands_behind_an_argument_for_pip_is_not_a_variable(tmp_path: Path) -> None:
    file = tmp_path / "packages.yml"
    file.write_text("a: {build_args: '-C CC=gcc --config-settings=D=1 B=2 --global-option --fast'}\n")
    (listed,) = read_packages(file)
    assert {guess.field: guess.value for guess in listed.said} == {"environment": {"B": "2"}}
    told = [each.partition(" has no field")[0] for each in listed.untranslated]
    assert told == [
        f"build_args: {each}" for each in ("-C CC=gcc", "--config-settings=D=1", "--global-option --fast")
    ]


@pytest.mark.parametrize("text", ['ends\n""", version=print("here"), x="""', "one\n\\two", "plain\nlines\n"])
def test_text_stays_text_in_the_recipe(tmp_path: Path, text: str) -> None:
    variables: dict[str, str | When] = {"A": text}
    recipe = Recipe(
        name="a",
        version="1",
        description=text,
        source=Git(url="https://x", commit="0" * 40, tag="v1"),
        license=text,
    )
    file = tmp_path / "a.py"
    file.write_text(render(replace(recipe, environment={"A": text}), [Guess("environment", variables, ())]))
    made = load(tmp_path, "a")
    assert (made.description, made.license, made.environment) == (" ".join(text.split()), text, variables)
