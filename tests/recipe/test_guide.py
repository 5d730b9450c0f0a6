"""docs/recipes.md says what is true: its examples load, its commands run, no field is left out."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields

import pytest

from tests.forked import invoke
from workbench.paths import CHECKOUT, Paths
from workbench.recipe.load import load
from workbench.recipe.model import Recipe

GUIDE = (CHECKOUT / "docs" / "recipes.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=["first", "sdist", "git"])
def test_an_example_loads(paths: Paths, example: str) -> None:
    found = re.search(r'name="(.*?)"', example)
    assert found
    (paths.recipes / f"{found[1].replace('-', '_')}.py").write_text(example)
    assert load(paths.recipes, found[1]).name == found[1]


@pytest.mark.parametrize("example", EXAMPLES[:2], ids=["first", "sdist"])  # the third's server is nobody's
def test_an_example_builds_as_it_is_printed(paths: Paths, example: str) -> None:
    found = re.search(r'name="(.*?)"', example)
    assert found
    (paths.recipes / f"{found[1]}.py").write_text(example)
    done = invoke("build", found[1])
    assert done.status == 0, done.stderr
    assert len(list(paths.wheels.glob(f"{found[1]}-*.whl"))) == 1


def test_every_field_is_in_the_table() -> None:
    table = "\n".join(line.split("|")[1] for line in GUIDE.splitlines() if line.startswith("| `"))
    assert re.findall(r"`(\w+)`", table) == [field.name for field in fields(Recipe)]


def test_the_commands_run(paths: Paths) -> None:
    (paths.recipes / "annoy.py").write_text(EXAMPLES[0])
    (paths.root.parent / "annoy").mkdir()
    commands = re.findall(r"^```console\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    for command in "".join(commands).splitlines():
        program, *words = shlex.split(command)
        assert program == "invoke"
        done = invoke(*words, cwd=paths.root)
        assert done.status == 0, done.stderr


def test_the_pin_that_add_package_looks_up(paths: Paths) -> None:
    found = re.search(r"`invoke (add-package annoy --source \S+)`", GUIDE)
    assert found
    done = invoke(*found[1].split())
    assert done.status == 0, done.stderr
    assert load(paths.recipes, "annoy").source == load(CHECKOUT / "recipes", "annoy").source
