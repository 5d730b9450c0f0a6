"""``matrix --why``: which input differs from what is published, was built here or is in the cache, by its name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verbs.conftest import Demo


def why(*flags: str) -> dict[str, list[str]]:
    """Return the changed inputs as a program reads them, by the place of the wheel."""
    done = invoke("matrix", "demo", "--why", "--json", *flags)
    assert done.status == 0, done.stderr
    return {
        each["place"]: [changed["name"] for changed in each["changed"]]
        for each in json.loads(done.stdout)["demo"]
    }


def test_what_has_the_same_inputs_says_so_and_what_its_key_does_not_hold(released: Demo) -> None:
    assert why() == {"published": [], "wheels/": []}
    told = invoke("matrix", "demo", "--why").stdout
    assert (
        f"published: {released.wheels()[0].name}\n  the same inputs\n  not in its build key: CPython 3"
        in told
    )
    assert "setuptools " in told


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("smoke_test=", 'environment={"CFLAGS": "-DX"},\n    smoke_test=', ["environment CFLAGS"]),
        ("smoke_test=", 'build_requires=("cython>=3",),\n    smoke_test=', ["build_requires"]),
        ('branch="main"', 'branch="main", submodules=True', ["submodules"]),
        ("import demo; assert", "import demo; assert 1 and", []),
    ],
)
def test_a_flag_and_a_pin_are_named(released: Demo, old: str, new: str, changed: list[str]) -> None:
    released.recipe.write_text(released.recipe.read_text().replace(old, new))
    assert why() == {"published": changed, "wheels/": changed}


def test_a_patch_is_named_with_its_hashes(released: Demo) -> None:
    released.patch.write_text(released.patch.read_text().replace("(42)", "(43)"))
    assert why() == {"published": ["patch answer.patch"], "wheels/": ["patch answer.patch"]}
    told = invoke("matrix", "demo", "--why").stdout
    assert "  patch answer.patch: " in told
    assert "… → " in told


def test_the_cache_is_asked_too_and_nothing_is_nothing(released: Demo, tmp_path: Path) -> None:
    for each in (*released.paths.wheels.iterdir(), released.paths.registry):
        each.unlink()
    shared = tmp_path / "shared"
    shared.mkdir()
    (released.paths.root / "workbench.yaml").write_text(f"cache: {{wheels: {shared}}}\n")
    assert why() == {}
    assert "demo: no wheel of it is published" in invoke("matrix", "demo", "--why").stdout
