from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.plans import given_to, planned
from workbench.errors import RecipeError, SettingsError, UsageError
from workbench.plan import plan
from workbench.plan.axes import Axes
from workbench.plan.draft import built_for_none, drafts
from workbench.plan.target import Target, cross, parse_pythons
from workbench.recipe import Git, LocalFolder, Recipe, Sdist, when

if TYPE_CHECKING:
    from workbench.plan.plan import Builder, Plan

RECIPE = Recipe(
    name="demo", version="1.0", description="d", python=">=3.10,<3.13", source=Sdist(sha256="0" * 64)
)
TARGET = Target(python="3.11", arch="x86_64")


def one(recipe: Recipe = RECIPE, target: Target = TARGET, suffix: str = "") -> Plan:
    return planned(recipe, target, suffix=suffix)


@pytest.mark.parametrize(
    ("text", "pythons"),
    [
        ("3.10", ("3.10",)),
        ("3.12,3.10", ("3.10", "3.12")),
        ("3.9-3.11", ("3.9", "3.10", "3.11")),
        ("3.10, 3.12-3.13,3.12", ("3.10", "3.12", "3.13")),
        ("3.13t-3.14t,3.14", ("3.14", "3.13t", "3.14t")),
    ],
)
def test_pythons_come_as_lists_and_ranges(text: str, pythons: tuple[str, ...]) -> None:
    assert parse_pythons(text) == pythons


@pytest.mark.parametrize(
    "text", ["", "3", "2.7", "3.x", "3.10-", "3.10-3.11-3.12", "3.12-3.10", "3.100", "3.13-3.14t"]
)
def test_what_is_no_python_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--python"):
        parse_pythons(text)


def test_unsupported_targets_are_left_out_with_the_reason() -> None:
    targets = [Target(python=python, arch="x86_64") for python in ("3.9", "3.11", "3.13")]
    plans, left_out = drafts(RECIPE, (), targets)
    assert [made.target.python for made in plans] == ["3.11"]
    assert [(out.target.python, out.reason) for out in left_out] == [
        ("3.9", "the recipe supports Python >=3.10,<3.13"),
        ("3.13", "the recipe supports Python >=3.10,<3.13"),
    ]


def test_a_free_threaded_python_is_a_cell_of_its_own() -> None:
    recipe = replace(RECIPE, python=">=3.10", environment={"OLD": when("1", python="<3.13"), "ALL": "1"})
    (made, threaded), _ = drafts(recipe, (), cross(Axes(python="3.13,3.13t", arch="x86_64")))
    assert (str(made.target), str(threaded.target)) == ("cp313 x86_64 cpu", "cp313t x86_64 cpu")
    assert threaded.environment == {"ALL": "1"}
    assert given_to(made).key != given_to(threaded).key


def test_a_version_that_was_never_set_stops_before_anything_is_built() -> None:
    with pytest.raises(RecipeError, match="demo: version: set it in the recipe"):
        drafts(replace(RECIPE, version="0"), (), [TARGET])


def test_nothing_left_is_an_error() -> None:
    made, left_out = drafts(RECIPE, (), [Target(python="3.9", arch="x86_64")])
    assert made == ()
    assert re.search(
        r"built for none of these targets: cp39 x86_64 cpu: the recipe supports Python >=3\.10.*\n.*--python",
        str(built_for_none(left_out)),
    )


def test_the_build_key_changes_with_what_decides_the_wheel_and_only_with_that() -> None:
    key = one().key
    assert (
        key
        == one(replace(RECIPE, description="other", smoke_test="import demo", test_requires=("numpy",))).key
    )
    others = [
        one(replace(RECIPE, environment={"A": "1"})).key,
        one(replace(RECIPE, build_requires=("cmake",))).key,
        one(replace(RECIPE, repair_exclude=("libx.so",))).key,
        one(replace(RECIPE, source=Sdist(sha256="1" * 64))).key,
        one(target=Target(python="3.12", arch="x86_64")).key,
        one(target=Target(python="3.11", arch="aarch64")).key,
        one(suffix=".post1").key,
        replace(one(), image_pin="sha256:1").key,
        replace(one(), create_args=("--env=CFLAGS=-O0",)).key,
        replace(one(), toolkit="1").key,
    ]
    assert len({key, *others}) == 1 + len(others)
    libraries = [("cublas", "curand"), ("curand", "cublas"), ("curand", "cublas", "curand")]
    assert len({one(replace(RECIPE, cuda_libraries=each)).key for each in libraries}) == 1


def test_another_way_of_building_for_cuda_changes_the_keys_of_that_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def keys() -> tuple[str | None, ...]:
        return tuple(one(TORCH_RECIPE, target=replace(CUDA, compute=each)).key for each in ("cu130", "cpu"))

    before = keys()
    monkeypatch.setattr(plan, "CUDA_KEY_FORMAT", plan.CUDA_KEY_FORMAT + 1)
    assert [old == new for old, new in zip(before, keys(), strict=True)] == [False, True]


def test_a_local_folder_has_no_build_key() -> None:
    assert planned(RECIPE, TARGET, source=LocalFolder(path=Path("/src"))).key is None


def test_a_suffix_makes_another_version() -> None:
    assert str(one(suffix=".post1").version) == "1.0.post1"
    assert str(one(suffix="+cu130").version) == "1.0+cu130"
    with pytest.raises(UsageError, match=r"1\.0-x! is not a valid version"):
        one(suffix="-x!")


CUDA = Target(python="3.12", arch="aarch64", compute="cu130", torch="2.11.0", gpu=("sm_121",))
TORCH_RECIPE = replace(RECIPE, compute=("cpu", "cu13*"), torch=">=2.9")


def test_axes_span_a_matrix() -> None:
    targets = cross(
        Axes(python="3.11-3.12", arch="x86_64,aarch64", compute="cpu,cu130", gpu="sm_121,compute_120")
    )
    assert len(targets) == 8
    assert {target.gpu for target in targets} == {(), ("sm_121", "compute_120")}
    assert str(targets[-1]) == "cp312 aarch64 cu130"


def test_a_cuda_target_is_for_gb10_unless_somebody_says_otherwise() -> None:
    (target,) = cross(Axes(compute="cu130"))
    assert (target.gpu, target.cuda) == (("sm_121",), "13.0")


def test_each_compute_platform_takes_its_own_gpus() -> None:
    targets = cross(Axes(compute="cpu,cu130,rocm6.4", gpu="sm_121,gfx1151,compute_120"))
    assert [target.gpu for target in targets] == [(), ("sm_121", "compute_120"), ("gfx1151",)]


def test_axes_that_are_not_given_are_the_sites() -> None:
    site = Axes(python="3.10-3.13", compute="cu130", torch="2.11")
    assert Axes(python="3.12", arch="aarch64").over(site) == Axes(
        python="3.12", arch="aarch64", compute="cu130", torch="2.11"
    )


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (Axes(arch="arm64"), "--arch arm64: 'arm64' is not x86_64 or aarch64"),
        (Axes(compute="cuda13"), "--compute cuda13: 'cuda13' is not cpu, cu130"),
        (Axes(torch="2"), "--torch 2: '2' is not a release"),
        (Axes(gpu="121"), "--gpu 121: '121' is not sm_121"),
        (Axes(gpu="lto_121"), "--gpu lto_121: 'lto_121' is not sm_121"),
        (Axes(gpu="all"), "'all' is not .*: name each GPU, as in sm_90,sm_121, for no recipe knows"),
        (Axes(gpu="sm_80-sm_90"), "'sm_80-sm_90' is not .*: name each GPU"),
        (Axes(variant="a-b"), "--variant a-b: 'a-b' is not a variant's name"),
        (Axes(glibc="239"), "--glibc 239: '239' is not a glibc: 2.28"),
        (Axes(compute="rocm6.4"), "--compute rocm6.4: it has no default GPU: .* --gpu gfx1151"),
        (Axes(compute="cu130", gpu="gfx1151"), "none of --gpu gfx1151 is one of its GPUs: .* --gpu sm_121"),
    ],
)
def test_what_is_no_axis_is_refused(axes: Axes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        cross(axes)


@pytest.mark.parametrize(
    ("recipe", "target", "reason"),
    [
        (RECIPE, replace(TARGET, compute="cu130"), "the recipe supports the compute platforms cpu"),
        (RECIPE, replace(TARGET, torch="2.11"), "the recipe does not build against torch"),
        (
            TORCH_RECIPE,
            replace(CUDA, torch=None),
            "the recipe builds against torch >=2.9: name a release with --torch",
        ),
        (TORCH_RECIPE, replace(CUDA, torch="2.8"), "the recipe builds against torch >=2.9"),
        (replace(RECIPE, arch=("aarch64",)), TARGET, "the recipe supports aarch64"),
        (RECIPE, replace(TARGET, variant="small"), "the recipe has no variants"),
        (
            replace(RECIPE, variants=("a", "b")),
            replace(TARGET, variant="c"),
            "the recipe has the variants a, b",
        ),
    ],
)
def test_each_axis_can_leave_a_target_out(recipe: Recipe, target: Target, reason: str) -> None:
    made, (out,) = drafts(recipe, (), [target])
    assert (made, out.reason.startswith(reason)) == ((), True)


def test_values_hold_for_the_targets_they_name() -> None:
    recipe = replace(
        TORCH_RECIPE,
        torch=None,
        build_requires=("ninja", when("numpy<2", python="<3.12"), when("numpy>=2", python=">=3.12")),
        environment={"ALL": "1", "FORCE_CUDA": when("1", compute="cu*"), "ARM": when("1", arch="aarch64")},
        repair_exclude=(when("libcudart.so.*", compute="cu*"),),
    )
    cuda, cpu = one(recipe, replace(CUDA, torch=None)), one(recipe, TARGET)
    assert (cuda.build_requires, cpu.build_requires) == (("ninja", "numpy>=2"), ("ninja", "numpy<2"))
    assert cuda.environment == {"ALL": "1", "FORCE_CUDA": "1", "ARM": "1"}
    assert cpu.environment == {"ALL": "1"}
    assert (cuda.repair_exclude, cpu.repair_exclude) == (("libcudart.so.*",), ())


def test_a_condition_without_any_is_refused() -> None:
    with pytest.raises(RecipeError, match="give a condition"):
        when("ninja")


@pytest.mark.parametrize(
    ("template", "version"),
    [
        ("cu{cuda}torch{torch}", "1.0+cu130torch2.11"),
        ("{commit}pt{torch}{compute}", "1.0+abcdef0pt2.11cu130"),
        ("+{commit}pt{torch}{compute}", "1.0+abcdef0pt2.11cu130"),
        ("{variant}.cu{cuda}.{variant}-t", "1.0+cu130.t"),
        ("", "1.0"),
    ],
)
def test_a_wheel_bound_to_cuda_and_torch_says_so_in_its_version(template: str, version: str) -> None:
    source = Git(url="u", commit="abcdef0" + "1" * 33, branch="main")
    made = one(replace(TORCH_RECIPE, local_version=template, source=source), CUDA)
    assert str(made.version) == version
    assert made.requires == ("torch==2.11.*",)


def test_it_is_built_with_the_torch_of_its_target() -> None:
    made = one(replace(TORCH_RECIPE, build_requires=("ninja",)), replace(CUDA, torch="2.11.1"))
    assert made.build_requires == ("ninja", "torch==2.11.1.*")
    assert made.requires == ("torch==2.11.*",)


def test_a_cpu_wheel_without_torch_has_no_local_version() -> None:
    recipe = replace(RECIPE, local_version="cu{cuda}torch{torch}")
    assert str(one(recipe).version) == "1.0"
    assert str(one(recipe, suffix=".post1").version) == "1.0.post1"


def test_a_target_without_what_the_recipes_template_names_is_left_out() -> None:
    recipe = replace(TORCH_RECIPE, local_version="cu{cuda}torch{torch}")
    plans, left_out = drafts(recipe, (), [CUDA, replace(CUDA, compute="cpu", gpu=())])
    assert [str(made.version) for made in plans] == ["1.0+cu130torch2.11"]
    assert [out.reason for out in left_out] == [
        "local_version 'cu{cuda}torch{torch}' asks for {cuda}, which the target does not have"
    ]


def test_the_sites_template_holds_where_a_target_has_all_that_it_names() -> None:
    def version(recipe: Recipe, target: Target) -> str:
        ((made,), _) = drafts(recipe, (), [target], local_version="cu{cuda}torch{torch}")
        return str(made.version)

    assert version(TORCH_RECIPE, CUDA) == "1.0+cu130torch2.11"
    assert version(replace(TORCH_RECIPE, torch=None), replace(CUDA, torch=None)) == "1.0"
    assert version(TORCH_RECIPE, replace(CUDA, compute="cpu", gpu=())) == "1.0"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{gpu}", r"'\{gpu\}' asks for \{gpu\}; it may use \{compute\}, \{cuda\}, "),
        ("{compute[9]}", r"asks for \{compute\[9\]\}; it may use"),
        ("{compute.__class__}", r"asks for \{compute.__class__\}; it may use"),
        ("{torch:>9}", r"asks for \{torch:>9\}; it may use"),
        ("{}", r"asks for \{\}; it may use"),
        ("cu{cuda", "expected '}' before end of string"),
        ("cu{cuda}..x", r"'cu\{cuda\}..x' makes no local version"),
        ("cu{cuda}+x", "makes no local version"),
    ],
)
def test_what_is_no_template_is_the_fault_of_who_wrote_it(template: str, message: str) -> None:
    with pytest.raises(RecipeError, match=f"demo: local_version: .*{message}"):
        drafts(replace(RECIPE, local_version=template), (), [TARGET])
    with pytest.raises(SettingsError, match=rf"workbench\.yaml: local_version: .*{message}"):
        drafts(RECIPE, (), [TARGET], local_version=template)


VARIED = replace(
    TORCH_RECIPE,
    variants=("hdim64", "hdim128"),
    environment={"DIMENSIONS": (when("64", variant="hdim64"), when("128", variant="hdim128"), "all")},
    local_version="cu{cuda}torch{torch}.{variant}",
)


def test_a_variant_is_built_as_its_conditions_say_and_named_in_the_version() -> None:
    usual, variant = one(VARIED, CUDA), one(VARIED, replace(CUDA, variant="hdim128"))
    assert (str(usual.version), usual.environment) == (
        "1.0+cu130torch2.11",
        {"DIMENSIONS": "all"},
    )
    assert (str(variant.version), variant.environment) == (
        "1.0+cu130torch2.11.hdim128",
        {"DIMENSIONS": "128"},
    )
    assert variant.title == "demo 1.0+cu130torch2.11.hdim128 cp312 aarch64 cu130 torch2.11.0 hdim128"


def test_a_variant_that_would_share_a_filename_is_refused() -> None:
    recipe = replace(VARIED, local_version="cu{cuda}torch{torch}")
    with pytest.raises(RecipeError, match="does not name the variant, so that hdim128 and the usual build"):
        one(recipe, replace(CUDA, variant="hdim128"))


def test_the_sites_template_is_for_recipes_that_say_nothing() -> None:
    def version(recipe: Recipe) -> str:
        return str(drafts(recipe, (), [CUDA], local_version="{compute}")[0][0].version)

    assert version(TORCH_RECIPE) == "1.0+cu130"
    assert version(replace(TORCH_RECIPE, local_version="")) == "1.0"
    assert version(replace(TORCH_RECIPE, local_version="cu{cuda}torch{torch}")) == "1.0+cu130torch2.11"


def test_what_is_run_in_a_container_first_decides_only_what_is_built_there() -> None:
    def key(recipe: Recipe, builder: Builder) -> str | None:
        return planned(recipe, TARGET, builder=builder).key

    changed = replace(RECIPE, before_all=("apt-get install --yes libfoo-dev",))
    assert key(RECIPE, "container") != key(changed, "container")
    assert key(RECIPE, "host") == key(changed, "host")
    assert key(RECIPE, "host") != key(replace(RECIPE, before_build=("make",)), "host")


@pytest.mark.parametrize(
    ("recipe", "axes"),
    [
        (replace(TORCH_RECIPE, torch=None), Axes(python="3.12", compute="cpu,cu130")),
        (replace(TORCH_RECIPE, local_version="{compute}"), Axes(python="3.12", torch="2.11,2.12")),
        (TORCH_RECIPE, Axes(python="3.12", compute="cu130", torch="2.11.0,2.11.1")),
    ],
)
def test_two_targets_whose_wheels_would_share_a_filename_are_refused(recipe: Recipe, axes: Axes) -> None:
    with pytest.raises(UsageError, match=r"demo 1\.0.* and demo 1\.0.* would make wheels of one filename"):
        drafts(replace(recipe, python=">=3.12"), (), cross(axes))


def test_targets_that_a_filename_tells_apart_are_planned_together() -> None:
    recipe = replace(TORCH_RECIPE, local_version="{compute}torch{torch}")
    axes = Axes(
        python="3.11,3.12", arch="x86_64,aarch64", compute="cpu,cu130", torch="2.11,2.12", glibc="2.28,2.39"
    )
    plans, left_out = drafts(recipe, (), cross(axes))
    assert (len(plans), left_out) == (32, ())
