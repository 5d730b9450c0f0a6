"""``all``, and ranges, on the axes of a matrix."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.plans import planned
from workbench.errors import UsageError
from workbench.plan.axes import Axes
from workbench.plan.draft import drafts
from workbench.plan.spelling import CUDAS, PYTHONS, spelled_out
from workbench.plan.target import Target, cross
from workbench.recipe import Git, Recipe, Sdist
from workbench.toolchain.pins import releases

RECIPE = Recipe(
    name="demo",
    version="1.0",
    description="d",
    source=Sdist(sha256="864913f" + "0" * 57),
    python=">=3.10,<3.13",
    compute=("cpu", "cu13*"),
    torch=">=2.9,<2.12",
    variants=("small",),
    local_version="{hash}pt{torch_full}{compute}.{variant}",
)
ONLY = Recipe(
    name="engine",
    version="1.0",
    description="d",
    source=Sdist(sha256="0" * 64),
    variants={"a": "engine-a", "b": "engine-b"},
    variants_only=True,
)


@pytest.mark.parametrize(
    ("axes", "key", "spelled"),
    [
        (Axes(python="all"), "python", "3.10,3.11,3.12"),
        (Axes(python="3.14, all"), "python", "3.14,3.10,3.11,3.12"),
        (Axes(arch="all"), "arch", "x86_64,aarch64"),
        (Axes(compute="all"), "compute", ",".join(["cpu", *(each for each in CUDAS if each >= "cu13")])),
        (Axes(compute="cpu,cu129-cu131"), "compute", "cpu,cu129,cu130,cu131"),
        (Axes(torch="all"), "torch", "2.9,2.10,2.11"),
        (Axes(torch="2.10-2.12,2.7.1"), "torch", "2.10,2.11,2.12,2.7.1"),
        (Axes(variant="all"), "variant", "usual,small"),
        (Axes(glibc="2.17,2.34-2.36"), "glibc", "2.17,2.34,2.35,2.36"),
        (Axes(), "variant", ""),
    ],
)
def test_all_is_what_the_recipe_supports_and_a_range_has_both_ends(
    axes: Axes, key: str, spelled: str
) -> None:
    assert getattr(spelled_out(axes, RECIPE), key) == spelled


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (Axes(compute="cu130-cpu"), r"--compute cu130-cpu is not a range: name two of .*cu130"),
        (Axes(compute="cu131-cu130"), "the older one first"),
        (Axes(torch="2.11-2.9"), r"--torch 2\.11-2\.9 is not a range"),
        (Axes(torch="2.9-3.1"), r"--torch 2\.9-3\.1 is not a range"),
        (Axes(torch="2.9-"), r"--torch 2\.9- is not a range"),
        (Axes(glibc="2.34-2.28"), r"--glibc 2\.34-2\.28 is not a range: write 2\.28-2\.34"),
    ],
)
def test_what_is_no_range_is_refused(axes: Axes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        spelled_out(axes, RECIPE)


def test_a_recipe_without_a_usual_build_is_all_of_its_variants() -> None:
    for asked, variants in (("", ["a", "b"]), ("all", ["a", "b"]), ("b", ["b"])):
        targets = cross(spelled_out(Axes(variant=asked), ONLY))
        assert [target.variant for target in targets] == variants
    _, (out,) = drafts(ONLY, (), [Target(python="3.11", arch="x86_64")])
    assert out.reason == "the recipe has no usual build: name one of the variants a, b with --variant"


def test_the_usual_build_has_a_word_in_a_list_of_variants() -> None:
    targets = cross(spelled_out(Axes(variant="usual,small"), RECIPE))
    assert [target.variant for target in targets] == [None, "small"]


def test_every_toolkit_that_can_be_laid_out_is_known() -> None:
    assert {release.compute for release in releases()} <= set(CUDAS)
    assert PYTHONS[-1] >= "3.14"


def version(recipe: Recipe, torch: str) -> str:
    return str(planned(recipe, Target(python="3.11", arch="x86_64", compute="cu130", torch=torch)).version)


def test_a_local_version_may_have_the_sources_hash_and_torchs_patch_release() -> None:
    assert version(RECIPE, "2.10.1") == "1.0+864913fpt2.10.1cu130"
    of_git = Recipe(
        name="demo",
        version="1.0",
        description="d",
        source=Git(url="https://example.com/demo", commit="abcdef0" + "1" * 33, tag="v1"),
        compute=("cu13*",),
        torch=">=2.9",
        local_version="{hash}pt{torch_full}{compute}",
    )
    assert version(of_git, "2.11.0+cu130") == "1.0+abcdef0pt2.11.0cu130"
    _, (out,) = drafts(of_git, (), [Target(python="3.11", arch="x86_64", compute="cu130", torch="2.11")])
    exact = "name torch's patch release too, as in --torch 2.11.0"
    assert out.reason.endswith(f"asks for {{torch_full}}: {exact}")
    of_sdist = replace(RECIPE, local_version="{commit}pt{torch_full}")
    _, (out,) = drafts(of_sdist, (), [Target(python="3.11", arch="x86_64", compute="cu130", torch="2.11")])
    pinned = "its source is not pinned by a commit: {hash} is there for any pin"
    assert out.reason.endswith(f"asks for {{torch_full}}, {{commit}}: {exact}; {pinned}")
