"""Real packages by real cibuildwheel, for both architectures; each is imported in an image without compilers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from workbench.container.trial import try_wheel
from workbench.patches.series import read_series
from workbench.paths import CHECKOUT, Paths
from workbench.plan.draft import drafts
from workbench.plan.target import Target
from workbench.process import run
from workbench.recipe.load import load
from workbench.source.tree import prepare

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.container.conftest import Builds
    from workbench.container.engine import Engine

pytestmark = pytest.mark.needs("podman")

ARCHITECTURES = ("x86_64", "aarch64")


def assert_portable(wheel: Path, arch: str) -> None:
    """auditwheel agrees with the wheel's name, and found nothing that it had to bring along."""
    shown = run([sys.executable, "-m", "auditwheel", "show", "--json", wheel]).output
    facts = json.loads(shown[shown.index("{") :])
    assert wheel.name.endswith(f"{facts['overall_tag'].split('.')[0]}.whl")
    assert facts["overall_tag"].startswith("manylinux_2_3")
    assert facts["overall_tag"].endswith(arch)


Tries = Callable[..., None]


@pytest.fixture
def trying(engine: Engine, image: Callable[..., str]) -> Tries:
    """Return the function that imports a wheel in an image without compilers and without a toolkit."""

    def run(wheel: Path, arch: str, code: str, requires: tuple[str, ...] = ()) -> None:
        runtime = image(arch, "runtime")
        try_wheel(wheel, engine=engine, image=runtime, python="3.11", arch=arch, code=code, requires=requires)

    return run


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("name", ["hnswlib", "annoy", "xatlas"])
def test_the_shipped_recipes(name: str, arch: str, build: Builds, trying: Tries, tmp_path: Path) -> None:
    paths = Paths(CHECKOUT)
    recipe = load(paths.recipes, name)
    patches = read_series(paths.patches / recipe.patches)
    ((planned,), _) = drafts(recipe, patches, (Target(python="3.11", arch=arch),))
    prepare(planned, paths, tmp_path / name)
    wheel = build(tmp_path / name, arch)
    assert_portable(wheel, arch)
    trying(wheel, arch, recipe.smoke_test, recipe.test_requires)
