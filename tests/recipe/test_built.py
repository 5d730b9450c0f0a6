"""What docs/built.md says was built: by the program that builds, which also knows what was not."""

from __future__ import annotations

import re
import runpy
from typing import Any

import pytest

from workbench.paths import CHECKOUT, Paths
from workbench.recipe.load import load, names

PATHS = Paths(CHECKOUT)
PAGE = (CHECKOUT / "docs" / "built.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| (?P<name>\S+) (?P<version>\S+) cp\d+ (?P<arch>\w+) (?P<rest>.*), (?P<builder>\w+) \|", re.MULTILINE
)
HEAVY: dict[str, Any] = runpy.run_path(str(CHECKOUT / "benchmarks" / "heavy.py"))


def row(wheel: str, seconds: int) -> str:
    """Return a row as the program writes it."""
    return f"| {wheel}, host | {seconds} | 1 | 0.1 | none | 0.1 | manylinux_2_17_x86_64 | 2026-11-29 |"


def test_a_row_takes_the_place_of_the_same_wheels_and_no_other() -> None:
    first, longer, last = (row(each, 1) for each in ("a 1.0 cp311", "a 1.0.1 cp311", "b 1.0 cp311"))
    page = f"Text.\n\n{HEAVY['HEAD']} wall s |\n|---|--:|\n{first}\n{longer}\n\n- more | text\n"
    again = row("a 1.0 cp311", 2)
    assert HEAVY["recorded"](page, again) == page.replace(first, again)
    assert HEAVY["recorded"](page, last) == page.replace(f"{longer}\n", f"{longer}\n{last}\n")


def test_the_whole_shelf_is_either_built_or_said_not_to_be() -> None:
    built = {each.partition(":")[0] for each in HEAVY["HEAVY"]}
    assert {found["name"] for found in ROW.finditer(PAGE)} == built
    not_built = set(re.findall(r"\*\*(\S+)\*\*", PAGE.partition("## Not built")[2]))
    assert not_built - {"flash-attn"} == set(names(PATHS.recipes)) - built


@pytest.mark.parametrize("name", sorted({found["name"] for found in ROW.finditer(PAGE)}))
def test_a_recipe_is_built_as_it_stands_for_both_architectures(name: str) -> None:
    rows = [found for found in ROW.finditer(PAGE) if found["name"] == name]
    assert [(each["arch"], each["builder"]) for each in rows] == [("x86_64", "host"), ("aarch64", "cross")]
    assert {each["version"].partition("+")[0] for each in rows} == {load(PATHS.recipes, name).version}
