from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from workbench.errors import UsageError
from workbench.plan.plan import Plan, plan
from workbench.plan.target import Target, parse_pythons
from workbench.recipe import LocalFolder, Recipe, Sdist

RECIPE = Recipe(
    name="demo", version="1.0", description="d", python=">=3.10,<3.13", source=Sdist(sha256="0" * 64)
)
TARGET = Target(python="3.11", arch="x86_64")


def one(recipe: Recipe = RECIPE, target: Target = TARGET, suffix: str = "") -> Plan:
    ((made,), _) = plan(recipe, (), [target], suffix=suffix)
    return made


@pytest.mark.parametrize(
    ("text", "pythons"),
    [
        ("3.10", ("3.10",)),
        ("3.12,3.10", ("3.10", "3.12")),
        ("3.9-3.11", ("3.9", "3.10", "3.11")),
        ("3.10, 3.12-3.13,3.12", ("3.10", "3.12", "3.13")),
    ],
)
def test_pythons_come_as_lists_and_ranges(text: str, pythons: tuple[str, ...]) -> None:
    assert parse_pythons(text) == pythons


@pytest.mark.parametrize("text", ["", "3", "2.7", "3.x", "3.10-", "3.10-3.11-3.12", "3.12-3.10", "3.100"])
def test_what_is_no_python_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--python"):
        parse_pythons(text)


def test_unsupported_targets_are_left_out_with_the_reason() -> None:
    targets = [Target(python=python, arch="x86_64") for python in ("3.9", "3.11", "3.13")]
    plans, left_out = plan(RECIPE, (), targets)
    assert [made.target.python for made in plans] == ["3.11"]
    assert [(out.target.python, out.reason) for out in left_out] == [
        ("3.9", "the recipe supports Python >=3.10,<3.13"),
        ("3.13", "the recipe supports Python >=3.10,<3.13"),
    ]


def test_nothing_left_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"demo is not built for Python 3\.9: the recipe supports >=3\.10"):
        plan(RECIPE, (), [Target(python="3.9", arch="x86_64")])


def test_the_build_key_changes_with_what_decides_the_wheel_and_only_with_that() -> None:
    key = one().key
    assert key == one(replace(RECIPE, description="other", smoke_test="import demo", test_requires=("numpy",))).key
    others = [
        one(replace(RECIPE, environment={"A": "1"})).key,
        one(replace(RECIPE, build_requires=("cmake",))).key,
        one(replace(RECIPE, repair_exclude=("libx.so",))).key,
        one(replace(RECIPE, source=Sdist(sha256="1" * 64))).key,
        one(target=Target(python="3.12", arch="x86_64")).key,
        one(target=Target(python="3.11", arch="aarch64")).key,
        one(suffix=".post1").key,
    ]
    assert len({key, *others}) == 1 + len(others)


def test_a_local_folder_has_no_build_key() -> None:
    ((made,), _) = plan(RECIPE, (), [TARGET], source=LocalFolder(path=Path("/src")))
    assert made.key is None


def test_a_suffix_makes_another_version() -> None:
    assert str(one(suffix=".post1").version) == "1.0.post1"
    assert str(one(suffix="+cu130").version) == "1.0+cu130"
    with pytest.raises(UsageError, match="--version-suffix -x"):
        one(suffix="-x!")
