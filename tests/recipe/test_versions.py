"""A recipe with several versions is, at each of them, the recipe that would stand there alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from tests.plans import planned
from workbench.errors import RecipeError, UsageError
from workbench.patches.series import PatchFile
from workbench.plan.target import Target
from workbench.recipe import Edition, Git, Recipe, Sdist, when
from workbench.recipe.load import load, load_versions, maker_of
from workbench.recipe.versions import asked_for, each_version, for_others, newest_of

if TYPE_CHECKING:
    from workbench.paths import Paths

OLD, MIDDLE, NEW = (Sdist(sha256=digit * 64) for digit in "012")
SEVERAL = Recipe(
    name="demo",
    versions={"1.10": NEW, "1.9": MIDDLE, "1.2": Edition(source=OLD, patches="demo-1.2", python=">=3.9")},
    description="d",
    python=">=3.10",
    patches_when=(when("a.patch", version="<1.10"), when("b.patch", version=">=1.9", arch="x86_64")),
    build_requires=("ninja", when("cmake<4", version="<1.9")),
    environment={
        "BOTH": (when("old", version="<1.9"), when("arm", version=">=1.9", arch="aarch64"), "new"),
        "OLD": when("1", version="==1.2"),
    },
)
TARGET = Target(python="3.11", arch="x86_64")

FILE = """\
from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="engine",
    versions={{"1.0": Sdist(sha256="{}"), "1.1": Sdist(sha256="{}")}},
    description="d",
    variants={{"small": "engine-small", "big": "engine-big"}},
    variants_only=True,
)
""".format("0" * 64, "1" * 64)


def test_each_version_is_what_it_would_be_alone() -> None:
    old, middle, new = each_version(SEVERAL)
    assert [each.version for each in (old, middle, new)] == ["1.2", "1.9", "1.10"]
    assert (middle.patches, middle.python, middle.source) == ("demo", ">=3.10", MIDDLE)
    assert middle.build_requires == ("ninja",)
    assert middle.environment == {"BOTH": (when("arm", arch="aarch64"), "new")}
    assert (old.patches, old.python, old.source) == ("demo-1.2", ">=3.9", OLD)
    assert old.build_requires == ("ninja", "cmake<4")
    assert old.environment == {"BOTH": ("old", "new"), "OLD": "1"}
    assert middle.patches_when == (when("b.patch", arch="x86_64"),)


def test_a_patch_for_some_versions_is_in_no_other() -> None:
    series = [
        PatchFile(name=name, path=Path(name), text=b"", sha256="", description="", changes=())
        for name in ("a.patch", "b.patch", "c.patch")
    ]
    got = {
        each.version: [patch.name for patch in planned(each, TARGET, series).patches]
        for each in each_version(SEVERAL)
    }
    assert got == {
        "1.2": ["a.patch", "c.patch"],
        "1.9": ["a.patch", "b.patch", "c.patch"],
        "1.10": ["b.patch", "c.patch"],
    }


def test_a_patch_that_is_named_twice_is_for_each_version_that_either_has() -> None:
    twice = (when("a.patch", version="<1.9"), when("a.patch", version=">=1.10"))
    recipe = Recipe(name="demo", versions=SEVERAL.versions, description="d", patches_when=twice)
    series = [
        PatchFile(name="a.patch", path=Path("a.patch"), text=b"", sha256="", description="", changes=())
    ]
    got = {each.version: len(planned(each, TARGET, series).patches) for each in each_version(recipe)}
    assert got == {"1.2": 1, "1.9": 0, "1.10": 1}
    assert {each.version: set(for_others(each)) for each in each_version(recipe)} == {
        "1.2": set(),
        "1.9": {"a.patch"},
        "1.10": set(),
    }


def test_the_key_of_a_version_is_that_of_a_recipe_with_that_version_alone() -> None:
    several = Recipe(name="demo", versions={"1.0": OLD, "2.0": NEW}, description="d")
    alone = Recipe(name="demo", version="1.0", source=OLD, description="d")
    assert planned(each_version(several)[0], TARGET).key == planned(alone, TARGET).key
    assert (several.version, several.source) == ("2.0", NEW), "the newest, where nobody asks"


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        ("", ["1.10"]),
        ("all", ["1.2", "1.9", "1.10"]),
        ("1.9", ["1.9"]),
        ("1.10, 1.2", ["1.2", "1.10"]),
        ("1.2-1.9", ["1.2", "1.9"]),
        ("1.3-2,1.2", ["1.2", "1.9", "1.10"]),
    ],
)
def test_versions_are_asked_for_as_lists_ranges_and_all(text: str, versions: list[str]) -> None:
    assert [each.version for each in asked_for(each_version(SEVERAL), text)] == versions


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.11", r"demo: --version 1\.11: no version 1\.11.*: the recipe has 1\.2, 1\.9, 1\.10"),
        ("two", "'two' is neither a version"),
        ("1.9-1.2", "runs backwards"),
        ("1.3-1.4", r"no version 1\.3-1\.4"),
    ],
)
def test_a_version_that_is_not_there_is_refused_with_those_that_are(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        asked_for(each_version(SEVERAL), text)


def test_a_wheel_of_a_candidate_is_not_the_final_ones() -> None:
    recipes = each_version(Recipe(name="demo", versions={"1.0rc1": OLD, "1.0": NEW}, description="d"))
    for version in ("1.0rc1", "1.0"):
        assert newest_of(recipes, Version(version)).version == version


@pytest.mark.parametrize(
    ("version", "made_of"),
    [("1.2", "1.2"), ("1.2.post1+cu130", "1.2"), ("1.10", "1.10"), ("1.9.1", "1.10"), ("3.0", "1.10")],
)
def test_a_wheel_belongs_to_the_version_that_it_was_made_of(version: str, made_of: str) -> None:
    assert newest_of(each_version(SEVERAL), Version(version)).version == made_of


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ({"versions": {"1": OLD}, "version": "2", "source": NEW}, "versions: give it, or version and source"),
        ({"versions": {"1.0": OLD, "1": NEW}}, "the same version"),
        ({"versions": {"x": OLD}}, "versions: Invalid version: 'x'"),
        ({"versions": {"1": "2"}}, r"versions: 1: expected Sdist"),
        ({"version": "1"}, "source: missing"),
        ({}, "version: missing: a recipe has version and source, or versions"),
        ({"versions": {"1": OLD}, "variants": ("all",)}, "neither 'all' nor 'usual'"),
        ({"versions": {"1": OLD}, "variants": {"a": "demo"}}, "two builds have the project 'demo'"),
        ({"versions": {"1": OLD}, "variants": {"a": "Demo_A"}}, "not normalised: write 'demo-a'"),
        ({"versions": {"1": OLD}, "variants_only": True}, "variants_only: the recipe has no variants"),
    ],
)
def test_a_recipe_that_contradicts_itself_is_refused(says: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe(name="demo", description="d", **says)  # type: ignore[arg-type] # what a person may write


def test_the_project_of_a_variant_leads_to_its_recipe(paths: Paths) -> None:
    (paths.recipes / "engine.py").write_text(FILE)
    (paths.recipes / "broken.py").write_text("this is not a recipe")
    made = maker_of(paths.recipes, "Engine_Small", Version("1.0.post2"))
    assert made is not None
    assert (made.name, made.version) == ("engine", "1.0")
    assert maker_of(paths.recipes, "engine-other") is None
    assert load(paths.recipes, "engine").version == "1.1"
    assert [each.version for each in load_versions(paths.recipes, "engine")] == ["1.0", "1.1"]


def test_variants_that_are_projects_share_no_filename_and_no_key() -> None:
    recipe = Recipe(
        name="engine",
        version="1.0",
        source=Git(url="https://example.com/engine", commit="0" * 40, tag="v1.0"),
        description="d",
        variants={"small": "engine-small", "big": "engine-big"},
        variants_only=True,
    )
    small, big = (
        planned(recipe, Target(python="3.11", arch="x86_64", variant=variant)) for variant in recipe.variants
    )
    assert (small.project, str(small.version), small.title) == (
        "engine-small",
        "1.0",
        "engine-small 1.0 cp311 x86_64 cpu small",
    )
    assert small.key != big.key
