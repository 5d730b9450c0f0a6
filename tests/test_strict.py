from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from workbench.strict import Mismatch, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    size: int
    mode: Literal["fast", "slow"] = "slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    name: str
    leaves: tuple[Leaf, ...] = ()
    named: dict[str, Leaf] | None = None


def test_nested_data_becomes_values() -> None:
    data = {"name": "oak", "leaves": [{"size": 1}], "named": {"a": {"size": 2, "mode": "fast"}}}
    assert parse(Tree, data) == Tree(
        name="oak", leaves=(Leaf(size=1),), named={"a": Leaf(size=2, mode="fast")}
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"nmae": "oak"}, "nmae: unknown key (did you mean 'name'?)"),
        ({"colour": "red"}, "colour: unknown key; known: name, leaves, named"),
        ({}, "name: missing"),
        ({"name": 3}, "name: expected a string, got 3: write it in quotes"),
        ({"name": "oak", "leaves": {}}, "leaves: expected a list, got {}"),
        (
            {"name": "oak", "leaves": [{"size": 1}, {"size": True}]},
            "leaves[1].size: expected a whole number, got True",
        ),
        (
            {"name": "oak", "leaves": [{"size": 1, "sise": 2}]},
            "leaves[0].sise: unknown key (did you mean 'size'?)",
        ),
        ({"name": "oak", "named": {"a": {"size": "2"}}}, "named.a.size: expected a whole number, got '2'"),
        (
            {"name": "oak", "leaves": [{"size": 1, "mode": "fsat"}]},
            "leaves[0].mode: 'fsat' is none of fast, slow (did you mean 'fast'?)",
        ),
        ([], "the document: expected a mapping, got []"),
    ],
)
def test_what_does_not_fit_is_named_with_its_path(data: object, message: str) -> None:
    with pytest.raises(Mismatch) as caught:
        parse(Tree, data)
    assert str(caught.value) == message
