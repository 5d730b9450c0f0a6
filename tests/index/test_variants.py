"""Wheel variants: off by default, and when on, in nobody's way."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.index.stores import listed, tree
from tests.index.test_clients import pip, uv
from workbench.environment import Environment
from workbench.errors import IndexFault
from workbench.index.folder import write
from workbench.index.target import target_of
from workbench.settings import IndexSettings, Settings
from workbench.simple.check import check_index

if TYPE_CHECKING:
    from pathlib import Path

    from tests.index.stores import Store

ON = Settings(index=IndexSettings(variants=True))
CUDA = {"nvidia": {"cuda_version_lower_bound": ("13.0",)}}


@pytest.fixture
def variants(store: Store) -> Store:
    store.publish("demo", "1.0")
    named: dict[str, dict[str, Any]] = {"cu130": {"variant": CUDA}, "null": {}}
    for tag, facts in named.items():
        store.registry = store.registry.with_wheel(
            "demo", listed(f"demo-1.0-py3-none-any-{tag}.whl", **facts)
        )
    package = replace(store.registry.packages["demo"], variant_namespaces=("x86_64", "nvidia"))
    store.registry = store.registry.with_package("demo", package)
    return store


@pytest.mark.parametrize(
    ("filename", "variant", "python"),
    [
        ("demo-1.0-1-cp312-cp312-linux_x86_64.whl", "", "3.12"),
        ("demo-1.0-1a-cp312-abi3-linux_x86_64-cu130.whl", "cu130", "3.12+"),
        ("demo-1.0-cp312-cp312-manylinux1_x86_64.manylinux_2_5_x86_64-x86_64_v3.whl", "x86_64_v3", "3.12"),
    ],
)
def test_a_label_is_part_of_the_target(filename: str, variant: str, python: str) -> None:
    target = target_of(listed(filename))
    assert (target.python, target.platform, target.variant) == (python, "Linux x86_64", variant)


def test_they_are_left_out_unless_asked_for(variants: Store) -> None:
    variants.draw()
    assert not [path for path, content in tree(variants.root / "index").items() if b"cu130" in content]


def test_their_meaning_lies_beside_them_and_is_linked_from_every_page(variants: Store) -> None:
    variants.settings = ON
    variants.draw()
    index = variants.root / "index"
    meaning = json.loads((index / "simple" / "demo" / "demo-1.0-variants.json").read_text())
    assert meaning["default-priorities"] == {"namespace": ["x86_64", "nvidia"]}
    assert meaning["variants"] == {"cu130": {"nvidia": {"cuda_version_lower_bound": ["13.0"]}}, "null": {}}
    for page in ("simple/demo/index.html", "simple-json/demo/index.json"):
        assert "index/simple/demo/demo-1.0-variants.json" in (index / page).read_text()
    for root in ("simple", "simple-json"):
        found = check_index(str(index / root)).findings
        assert not [each for each in found if "variants.json" in f"{each.where} {each.what}"]
        assert not [each for each in found if "no valid name" in each.what]


def test_they_go_when_their_wheels_go(variants: Store, tmp_path: Path) -> None:
    variants.settings = ON
    variants.draw()
    for tag in ("cu130", "null"):
        variants.registry = variants.registry.without_wheel("demo", f"demo-1.0-py3-none-any-{tag}.whl")
    variants.draw()
    write(variants.root / "packages.json", tmp_path / "full", ON)
    assert tree(variants.root / "index") == tree(tmp_path / "full")
    assert not (variants.root / "index" / "simple" / "demo" / "demo-1.0-variants.json").exists()


@pytest.mark.parametrize(
    "facts", [{}, {"variant": {"nvidia": {"sm_arch": ("120_real",)}}}], ids=["none", "another"]
)
def test_a_label_that_means_nothing_or_two_things_is_refused(variants: Store, facts: dict[str, Any]) -> None:
    variants.settings = ON
    other = listed("demo-1.0-py2-none-any-cu130.whl", **facts)
    variants.registry = variants.registry.with_wheel("demo", other)
    with pytest.raises(IndexFault, match="cu130"):
        variants.draw()


@pytest.mark.parametrize("page", ["index/simple/", "index/simple-json/", "index/"])
def test_installers_that_do_not_know_them_take_the_plain_wheel(
    variants: Store, tmp_path: Path, page: str
) -> None:
    variants.settings = ON
    variants.draw()
    venv = Environment.create(tmp_path / "env", python=sys.executable)
    with variants.served() as url:
        said = pip(venv, "--index-url", f"{url}{page}", "demo")
        assert "[0]" in said, said
        said = uv(venv, tmp_path / "cache", "--default-index", f"{url}{page}", "demo")
        assert "[0]" in said, said
