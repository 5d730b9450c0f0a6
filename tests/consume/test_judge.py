"""Which wheel fits which machine, and why: the rules, one line each."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from tests.consume.hosts import GB10, H100, HOPPER, NO_GPU, OLD_DRIVER, SPARK
from workbench.consume.build import Learnt
from workbench.consume.given import given
from workbench.consume.host import Host
from workbench.consume.judge import judge, judge_all, matching
from workbench.consume.names import group
from workbench.consume.offer import Hints, OfferedWheel
from workbench.consume.rank import best, nearest
from workbench.wheel.library_facts import FileCode, LibraryFacts

if TYPE_CHECKING:
    from workbench.consume.verdict import Judged

DEMO = Requirement("demo")
LINUX, SBSA = "cp312-cp312-linux_x86_64", "cp312-cp312-linux_aarch64"


def offered(filename: str, **facts: str) -> OfferedWheel:
    return OfferedWheel(filename=filename, url=f"https://example.com/{filename}", source="test", **facts)  # type: ignore[arg-type]


def judged(local: str, host: Host = HOPPER, facts: Learnt | None = None, tags: str = "") -> Judged:
    tags = tags or (SBSA if host.arch == "aarch64" else LINUX)
    return judge(offered(f"demo-1.0{local}-{tags}.whl", sha256="0" * 64), host, DEMO, facts)


def told(found: Judged) -> str:
    """Return the outcome, and of what decided it the kinds and the facts that are missing."""
    decisive = (
        f"{reason.kind}{f'?{reason.missing}{reason.flag}' if reason.missing else ''}"
        for reason in found.of(found.outcome)
        if found.outcome != "fits"
    )
    return " ".join([found.outcome, *dict.fromkeys(decisive)])


NO_TORCH = replace(HOPPER, torch="", compute=None, cxx11_abi=None)
UNKNOWN_TORCH = replace(HOPPER, torch=None, compute=None, cxx11_abi=None)
NOTHING = Host(python="3.12", arch="x86_64", glibc="2.39")


@pytest.mark.parametrize(
    ("local", "host", "expected"),
    [
        # the CUDA of the project's torch
        ("+cu130torch2.11", HOPPER, "fits"),
        ("+cu130torch2.11", SPARK, "fits"),
        ("+cu13torch2.11", HOPPER, "fits"),
        ("+cu128torch2.11", HOPPER, "no cuda"),
        ("+cu12torch2.11", HOPPER, "no cuda"),
        ("+cu130torch2.11", NO_GPU, "no cuda"),
        ("+cputorch2.11", NO_GPU, "fits"),
        ("+cpu", HOPPER, "no cuda"),
        ("+rocm6.4", HOPPER, "no cuda"),
        ("+xpu", HOPPER, "no cuda"),
        ("+rocm6.4", replace(HOPPER, compute="rocm6.4", driver="", driver_cuda=""), "fits"),
        ("+rocm6.4.1", replace(HOPPER, compute="rocm6.4"), "fits"),
        ("+rocm6.3", replace(HOPPER, compute="rocm6.4"), "no cuda"),
        ("+cu13x", HOPPER, "undecided cuda?metadata--deep"),
        # the driver: a newer minor release runs, a newer major one does not
        ("+cu132torch2.11", HOPPER, "fits"),
        ("+cu128torch2.6", OLD_DRIVER, "fits"),
        ("+cu118torch2.6", OLD_DRIVER, "no cuda"),
        ("+cu130torch2.11", replace(HOPPER, driver="550.54.14", driver_cuda="12.4"), "no cuda"),
        ("+cu130torch2.11", replace(HOPPER, driver="999.1", driver_cuda=None), "fits"),
        ("+cu130torch2.11", replace(HOPPER, driver="", driver_cuda="", gpus=()), "fits"),
        ("+cu130torch2.11", replace(HOPPER, driver=None, driver_cuda=None, gpus=None), "fits"),
        # no torch says which: the driver does
        ("+cu130", NO_TORCH, "fits"),
        ("+cu13", NO_TORCH, "fits"),
        ("+cu128", NO_TORCH, "no cuda"),
        ("+cu128", replace(NO_TORCH, driver="570.1", driver_cuda="12.8"), "fits"),
        ("+cu130", replace(NO_TORCH, driver="570.1", driver_cuda="12.8"), "no cuda"),
        ("+cu130", replace(NO_TORCH, driver="", driver_cuda="", gpus=()), "no cuda"),
        ("+cpu", replace(NO_TORCH, driver="", driver_cuda="", gpus=()), "fits"),
        ("+cpu", NO_TORCH, "no cuda"),
        ("+cu130", NOTHING, "undecided cuda?compute--cuda"),
        ("+cpu", NOTHING, "undecided cuda?compute--cuda"),
        ("+cu130torch2.11", NO_TORCH, "undecided torch?torch--torch"),
        ("+cu130torch2.11", UNKNOWN_TORCH, "undecided torch?torch--torch"),
        ("+cu128torch2.11", given(NO_TORCH, torch="2.11", cuda="12.8"), "fits"),
        # torch: the minor release must be equal
        ("+cu130torch2.10", HOPPER, "no torch"),
        ("+cu130torch2.12", HOPPER, "no torch"),
        ("+cu130torch2.1", HOPPER, "no torch"),
        ("+cu130torch2.11.0", HOPPER, "fits"),
        ("+cu130torch2.11.1", HOPPER, "fits"),
        ("+cu130torch2.9.0andhigher.post4", HOPPER, "fits"),
        ("+cu130torch2.12.0andhigher", HOPPER, "no torch"),
        ("+cu130torch2.11.1andhigher", HOPPER, "no torch"),
        ("+cu130torch2110", HOPPER, "fits"),
        ("+cu130torch211", HOPPER, "fits"),
        ("+cu130torch29.1", HOPPER, "undecided torch?metadata--deep"),
        ("+torch210cu124", replace(OLD_DRIVER, torch="2.10"), "undecided torch?metadata--deep"),
        # C++ ABI
        ("+cu13torch2.11cxx11abiTRUE", HOPPER, "fits"),
        ("+cu13torch2.11cxx11abiFALSE", HOPPER, "no abi"),
        ("+cu12torch2.6cxx11abiFALSE", replace(OLD_DRIVER, cxx11_abi=False), "fits"),
        ("+cu12torch2.6cxx11abi1", replace(OLD_DRIVER, cxx11_abi=None), "undecided abi?cxx11_abi--machine"),
        ("+cu13torch2.11cxx11abiTRUE", given(NOTHING, torch="2.11", cuda="13.0"), "fits"),
        # the GPU in the name
        ("+cu130sm90torch2.11", HOPPER, "fits"),
        ("+cu130sm89torch2.11", HOPPER, "no gpu"),
        ("+cu130sm120torch2.11", SPARK, "fits"),
        ("+cu130sm120atorch2.11", SPARK, "no gpu"),
        ("+cu130sm120ftorch2.11", SPARK, "fits"),
        ("+cu130sm121atorch2.11", SPARK, "fits"),
        ("+cu130sm110torch2.11", SPARK, "no gpu"),
        ("+cu130sm90torch2.11", replace(HOPPER, gpus=(GB10, H100)), "fits"),
        ("+cu130sm90torch2.11", replace(HOPPER, gpus=None), "undecided gpu?gpus--gpu"),
        ("+cu130sm90torch2.11", replace(HOPPER, gpus=()), "undecided gpu?gpus--gpu"),
        # nothing is said
        ("", HOPPER, "undecided cuda?metadata--deep"),
        ("+c159edc0.d20250906", HOPPER, "undecided cuda?metadata--deep"),
    ],
)
def test_what_a_wheel_was_built_for(local: str, host: Host, expected: str) -> None:
    assert told(judged(local, host)) == expected


@pytest.mark.parametrize(
    ("tags", "host", "expected"),
    [
        ("cp312-cp312-manylinux_2_34_x86_64", replace(HOPPER, glibc="2.31"), "no glibc"),
        ("cp312-cp312-manylinux_2_34_x86_64", replace(HOPPER, glibc=""), "no glibc"),
        ("cp312-cp312-manylinux_2_34_x86_64", replace(HOPPER, glibc=None), "undecided glibc?glibc--glibc"),
        ("cp312-cp312-linux_x86_64", replace(HOPPER, glibc=None), "fits"),
        ("cp312-cp312-manylinux_2_28_aarch64", HOPPER, "no platform"),
        ("cp312-cp312-win_amd64", HOPPER, "no platform"),
        ("cp312-cp312-musllinux_1_2_x86_64", HOPPER, "no platform"),
        ("cp312-cp312-macosx_11_0_arm64", SPARK, "no platform"),
        ("cp312-cp312-linux_x86_64", replace(HOPPER, arch=None), "undecided platform?arch--arch"),
        ("cp311-cp311-linux_x86_64", HOPPER, "no python"),
        ("cp312-cp312t-linux_x86_64", HOPPER, "no python"),
        ("cp313-cp313-linux_x86_64", replace(HOPPER, python="3.13t"), "no python"),
        ("cp39-abi3-linux_x86_64", replace(HOPPER, python="3.13t"), "no python"),
        ("cp39-abi3-linux_x86_64", HOPPER, "fits"),
        ("cp313-abi3-linux_x86_64", HOPPER, "no python"),
        ("cp312-cp312-linux_x86_64", replace(HOPPER, python=None), "undecided python?python--python"),
        ("py3-none-any", replace(HOPPER, python=None, arch=None), "fits"),
        ("1-cp312-cp312-linux_x86_64", HOPPER, "fits"),
        ("cp311.cp312-cp311.cp312-linux_x86_64", HOPPER, "fits"),
        ("cp312-cp312-linux_x86_64-v3", HOPPER, "no filename"),
        ("cp312-linux_x86_64", HOPPER, "no filename"),
    ],
)
def test_python_and_platform(tags: str, host: Host, expected: str) -> None:
    assert told(judged("+cu130torch2.11", host, tags=tags)) == expected


@pytest.mark.parametrize(
    ("filename", "requirement", "expected"),
    [
        (f"demo-1.0+cu130-{LINUX}.whl", "demo>=1", "fits"),
        (f"Demo-1.0+cu130-{LINUX}.whl", "DEMO", "fits"),
        (f"demo-1.0+cu130-{LINUX}.whl", "demo==1.0", "fits"),
        (f"demo-1.0+cu130-{LINUX}.whl", "demo>1.0", "no version"),
        (f"demo-1.0+cu130-{LINUX}.whl", "demo==1.0+cu130", "fits"),
        (f"demo-1.0+cu130-{LINUX}.whl", "demo==1.0+cu13", "no version"),
        (f"demo-1.0-{LINUX}.whl", "demo==1.0+cu130", "no version"),
        (f"demo-1.0rc1+cu130-{LINUX}.whl", "demo", "no version"),
        (f"demo-1.0rc1+cu130-{LINUX}.whl", "demo==1.0rc1", "fits"),
        (f"demo-1.0.dev3+cu130-{LINUX}.whl", "demo>=1.0.dev0", "fits"),
        (f"demo-one+cu130-{LINUX}.whl", "demo", "no filename"),
        (f"demo_2-1.0+cu130-{LINUX}.whl", "demo", "no filename"),
        (f"demo-1.0+cu130-{LINUX}.whl.asc", "demo", "no filename"),
        (f"demo-1.0+cu130-{LINUX}.whl.metadata", "demo", "no filename"),
        ("demo-1.0.tar.gz", "demo", "no filename"),
        ("demo-1.0-py3.12-linux-x86_64.egg", "demo", "no filename"),
        ("demo", "demo", "no filename"),
        ("", "demo", "no filename"),
        ("+", "demo", "no filename"),
        ("-+-.whl", "demo", "no filename"),
        (f"demo-1.0+-{LINUX}.whl", "demo", "no filename"),
        (
            "demo-1.0+cu130-" + ".".join(f"cp3{n}" for n in range(600)) + "-abi3-linux_x86_64.whl",
            "demo",
            "no filename",
        ),
    ],
)
def test_names_and_versions(filename: str, requirement: str, expected: str) -> None:
    found = judge(offered(filename), HOPPER, Requirement(requirement))
    assert told(found) == expected
    assert bool(matching(group([offered(filename)]), HOPPER, Requirement(requirement))) is (
        expected == "fits"
    )


@pytest.mark.parametrize(
    ("requirement", "outcome"), [("demo", "no"), ("demo>=1", "no"), ("demo==1.0", "fits")]
)
def test_a_yanked_wheel_is_taken_only_where_it_is_pinned(requirement: str, outcome: str) -> None:
    for reason in ("", "wrong kernels"):
        wheel = offered(f"demo-1.0+cu130-{LINUX}.whl", yanked=reason)
        found = judge(wheel, HOPPER, Requirement(requirement))
        assert found.outcome == outcome
        assert outcome == "fits" or reason in found.of("no")[0].text


@pytest.mark.parametrize(
    ("requires", "expected"),
    [(">=3.12", "fits"), (">=3.13", "no python"), (">=3.12.4", "no python"), ("x", "fits")],
)
def test_requires_python(requires: str, expected: str) -> None:
    wheel = offered(f"demo-1.0+cu130-{LINUX}.whl", requires_python=requires, sha256="0")
    assert told(judge(wheel, HOPPER, DEMO)) == expected
    other = Learnt(requires_python=">=3.8")
    assert told(judge(wheel, HOPPER, DEMO, other)) == "fits"


METADATA = {
    "pinned": Learnt(requires_dist=("torch==2.11.*", "einops")),
    "exact": Learnt(requires_dist=("torch (==2.11.1)",)),
    "older": Learnt(requires_dist=("torch==2.10.*",)),
    "range": Learnt(requires_dist=("torch>=2.9", "torch<2.12")),
    "any": Learnt(requires_dist=("torch", "torchvision==0.1")),
    "extra": Learnt(
        requires_dist=('torch==2.10.*; extra == "train"', 'torch==2.9.*; python_version < "3.10"')
    ),
    "other": Learnt(requires_dist=("numpy",)),
    "cu12": Learnt(requires_dist=("torch==2.11.*", "nvidia-cuda-runtime-cu12==12.8.*")),
    "broken": Learnt(requires_dist=("torch=>2", "torch @", "torch-scatter==9")),
}


@pytest.mark.parametrize(
    ("local", "metadata", "torch", "expected"),
    [
        ("+cu130torch2.10", "pinned", "2.11.0", "fits"),
        ("+cu130torch2.11", "older", "2.11.0", "no torch"),
        ("+cu130", "older", "2.11.0", "no torch"),
        ("+cu130", "pinned", "2.11", "fits"),
        ("+cu130", "exact", "2.11.1", "fits"),
        ("+cu130", "exact", "2.11.0", "no torch"),
        ("+cu130", "exact", "2.11", "undecided torch?torch--torch"),
        ("+cu130torch29.1", "range", "2.11.0", "fits"),
        ("+cu130", "range", "2.12.0", "no torch"),
        ("+cu130torch2.10", "any", "2.11.0", "no torch"),
        ("+cu130torch2.11", "extra", "2.11.0", "fits"),
        ("+cu130torch2.11", "broken", "2.11.0", "fits"),
        ("", "other", "2.11.0", "fits"),
        ("", "pinned", "2.11.0", "undecided cuda?gpu code--deep"),
        ("", "cu12", "2.11.0", "no cuda"),
        ("+cu130", "pinned", "", "undecided torch?torch--torch"),
    ],
)
def test_metadata_says_more_than_a_name(local: str, metadata: str, torch: str, expected: str) -> None:
    host = replace(HOPPER, torch=torch)
    assert told(judged(local, host, METADATA[metadata])) == expected


def code(*architectures: str, **facts: str) -> LibraryFacts:
    files = tuple(
        FileCode(path=f"demo/{n}.so", architectures=tuple(each.split()))
        for n, each in enumerate(architectures)
    )
    return LibraryFacts(processors=("x86_64",), gpu_code=files, **facts)


@pytest.mark.parametrize(
    ("architectures", "toolkit", "host", "expected"),
    [
        (("sm_80 sm_90",), "13.0", HOPPER, "fits"),
        (("sm_80",), "13.0", HOPPER, "no gpu"),
        (("sm_90a",), "13.0", HOPPER, "fits"),
        (("sm_120",), "13.0", SPARK, "fits"),
        (("sm_120a",), "13.0", SPARK, "no gpu"),
        (("sm_120f",), "13.0", SPARK, "fits"),
        (("sm_100 sm_110",), "13.0", SPARK, "no gpu"),
        (("sm_90 compute_90",), "13.0", SPARK, "fits"),
        (("sm_90 compute_90a",), "13.0", SPARK, "no gpu"),
        (("sm_90 compute_120",), "13.2", SPARK, "no gpu"),
        (("sm_90 compute_120",), "", SPARK, "undecided gpu?toolkit--deep"),
        (("compute_120",), "13.0", replace(SPARK, driver_cuda=None), "undecided gpu?driver_cuda--driver"),
        (("compute_130",), "13.0", SPARK, "no gpu"),
        (("sm_90a", "sm_80 sm_120"), "13.0", SPARK, "undecided gpu?which of its files the project uses"),
        (("sm_90",), "13.0", replace(HOPPER, gpus=None), "undecided gpu?gpus--gpu"),
        (("sm_90",), "13.0", replace(HOPPER, gpus=(GB10, H100)), "fits"),
    ],
)
def test_gpu_code(architectures: tuple[str, ...], toolkit: str, host: Host, expected: str) -> None:
    facts = Learnt(libraries=code(*architectures, toolkit=toolkit, compute="cu13"), requires_dist=())
    assert told(judged("+torch2.11", host, facts)) == expected
    named = Learnt(libraries=code(*architectures))
    if toolkit:  # the name says it as well
        assert told(judged(f"+cu{toolkit.replace('.', '')}torch2.11", host, named)) == expected


def test_a_newer_cuda_than_the_drivers_runs_without_its_ptx() -> None:
    """Minor version compatibility, on a driver of CUDA 13.0."""
    machine = Learnt(libraries=code("sm_90"))
    compiled = Learnt(libraries=code("compute_90"))
    assert told(judged("+cu132torch2.11", HOPPER, machine)) == "fits"
    assert told(judged("+cu132torch2.11", HOPPER, compiled)) == "no gpu"
    assert any("but not its PTX" in reason.text for reason in judged("+cu132torch2.11", HOPPER).reasons)


def test_a_wheel_without_gpu_code_is_for_no_cuda() -> None:
    assert told(judged("", HOPPER, Learnt(libraries=code(), requires_dist=("torch>=2.9",)))) == "fits"


def test_facts_make_fit_what_its_name_does_not() -> None:
    """Also among many, of which only what may fit is looked at."""
    wheels = [
        offered(f"demo-1.{n}+cu130torch2.10-{LINUX}.whl", sha256=f"{n}", requires_python=">=3.13")
        for n in range(3)
    ]
    facts = {wheels[1].key: Learnt(requires_dist=("torch==2.11.*",), requires_python=">=3.12")}
    found = matching(group(wheels), HOPPER, DEMO, facts)
    assert [each.offer.filename[:8] for each in found] == ["demo-1.1"]
    assert [each.outcome for each in judge_all(group(wheels), HOPPER, DEMO, facts)] == ["no", "fits", "no"]


ORDER = [
    offered(f"demo-1.10.post1+cu132torch2.11-{LINUX}.whl"),
    offered(f"demo-1.10+cu130torch2.11.0-{LINUX}.whl"),
    offered("demo-1.10+cu130torch2.11-cp312-cp312-manylinux_2_34_x86_64.whl"),
    offered("demo-1.10+cu130torch2.11-cp312-cp312-manylinux_2_28_x86_64.whl"),
    offered("demo-1.10+cu130torch2.11.gitaa-cp312-cp312-linux_x86_64.whl", updated="2026-11-03T00:00:00Z"),
    offered("demo-1.10+cu130torch2.11.gitbb-cp312-cp312-linux_x86_64.whl", updated="2026-11-02T00:00:00Z"),
    offered("demo-1.10+cu130torch2.11.gitcc-cp312-cp312-linux_x86_64.whl"),
    offered("demo-1.10+cu130torch2.11-cp39-abi3-manylinux_2_34_x86_64.whl"),
    offered(f"demo-1.10+cu130torch2.11.1-{LINUX}.whl"),
    offered(f"demo-1.10+cu130torch2.9.0andhigher-{LINUX}.whl"),
    offered(f"demo-1.10+cu13torch2.11-{LINUX}.whl"),
    offered(f"demo-1.10+cu132torch2.11-{LINUX}.whl"),
    offered(f"demo-1.9+cu130torch2.11.0-{LINUX}.whl"),
    offered(f"demo-2.0+cu130torch2x-{LINUX}.whl"),
    offered(f"demo-1.9+cu130torch2x-{LINUX}.whl"),
]
"""The best first: version, CUDA, torch, tags, date; then what is undecided."""


def test_the_best_comes_first() -> None:
    refused = offered(f"demo-3.0+cu128torch2.11-{LINUX}.whl")
    for seed in range(20):
        shuffled = [*ORDER, refused]
        random.Random(seed).shuffle(shuffled)  # noqa: S311 - the same every time
        found = best(judge_all(group(shuffled), HOPPER, DEMO))
        assert [each.offer for each in found] == ORDER


def test_local_versions_are_not_compared_as_text() -> None:
    """PEP 440 has cu13torch2.9 above cu130torch2.11, and cu132 above cu130."""
    wheels = [
        offered(f"demo-1.0+{local}-{LINUX}.whl")
        for local in ("cu130torch2.11", "cu13torch2.11", "cu132torch2.11")
    ]
    for order in permutations(wheels):
        assert best(judge_all(group(order), HOPPER, DEMO))[0].offer == wheels[0]


@pytest.mark.parametrize(
    ("locals_", "host", "changes"),
    [
        (
            ("cu130torch2.9", "cu130torch2.10"),
            HOPPER,
            ["torch 2.10 instead of 2.11.0", "torch 2.9 instead of 2.11.0"],
        ),
        (
            ("cu130torch2.12", "cu130torch2.10"),
            HOPPER,
            ["torch 2.12 instead of 2.11.0", "torch 2.10 instead of 2.11.0"],
        ),
        (
            ("cu128torch2.11", "cu130torch2.10"),
            HOPPER,
            ["torch 2.10 instead of 2.11.0", "CUDA 12.8 instead of 13.0"],
        ),
        (("cu128torch2.10",), HOPPER, ["CUDA 12.8 instead of 13.0, torch 2.10 instead of 2.11.0"]),
        (("cu130sm120torch2.11",), HOPPER, ["a GPU of compute capability 12.0 instead of 9.0"]),
        (
            ("cu130torch2.11",),
            replace(HOPPER, driver="550.54.14", driver_cuda="12.4"),
            ["driver 580 instead of 550.54.14"],
        ),
        (("cu130torch2.11",), NO_GPU, ["CUDA 13.0 instead of cpu"]),
        (("cu130torch2.11",), replace(NO_GPU, compute=None), ["CUDA 13.0 instead of none"]),
        (("cu13x",), HOPPER, []),
    ],
)
def test_what_comes_nearest(locals_: tuple[str, ...], host: Host, changes: list[str]) -> None:
    wheels = [offered(f"demo-1.{n}+{local}-{LINUX}.whl") for n, local in enumerate(locals_)]
    found = nearest(judge_all(group(wheels), host, DEMO), host)
    assert [near.change for near in found] == changes
    assert [near.single for near in found] == ["," not in change for change in changes]


def test_the_change_that_is_named_makes_it_fit() -> None:
    """Every single change, made with the flag that it names."""
    wheels = [
        offered(f"demo-1.0+cu130torch2.10-{LINUX}.whl"),
        offered("demo-1.0+cu130torch2.11-cp311-cp311-linux_x86_64.whl"),
        offered("demo-1.0+cu130torch2.11-cp313-cp313t-linux_x86_64.whl"),
        offered("demo-1.0+cu130torch2.11-cp312-cp312-manylinux_2_41_x86_64.whl"),
        offered(f"demo-1.0+cu130torch2.11-{SBSA}.whl"),
        offered(f"demo-1.0+cu128torch2.11-{LINUX}.whl"),
        offered(f"demo-1.0+cu130sm89torch2.11-{LINUX}.whl"),
        offered("demo-1.0+cu130torch2.11-cp312-cp312-win_amd64.whl"),
    ]
    found = nearest(judge_all(group(wheels), HOPPER, DEMO), HOPPER)
    assert {near.judged.offer for near in found} == set(wheels[:-1])
    for near in found:
        (reason,) = near.reasons
        changed = given(HOPPER, **{reason.flag.removeprefix("--"): reason.needs})
        # of another machine the CUDA is not known
        expected = "undecided" if reason.flag == "--arch" else "fits"
        assert judge(near.judged.offer, changed, DEMO).outcome == expected, near.change


def test_hints_count_where_the_name_is_silent() -> None:
    wheel = OfferedWheel(filename=f"demo-1.0-{LINUX}.whl", url="https://example.com", source="test")
    for hints, outcome in (
        (Hints(compute="cu130"), "fits"),
        (Hints(compute="cu126"), "no"),
        (Hints(compute="cu130", torch="2.10"), "no"),
    ):
        assert judge(replace(wheel, hints=hints), HOPPER, DEMO).outcome == outcome


def test_no_text_is_an_error_and_nothing_is_taken_for_its_beginning() -> None:
    parts = [
        "cu",
        "130",
        "13",
        ".",
        "_",
        "torch",
        "2.11",
        "2",
        "1",
        "sm",
        "90",
        "+",
        "-",
        ".whl",
        "any",
        "py3",
        "none",
    ]
    chance = random.Random(3)  # noqa: S311 - the same texts every time
    for _ in range(3000):
        name = f"demo-1.0{''.join(chance.choices(parts, k=chance.randrange(10)))}"
        found = judge(offered(f"{name}-{LINUX}.whl"), HOPPER, DEMO)
        assert found.reasons
    for more in "0123456789x":
        assert judged(f"+cu130{more}torch2.11").outcome != "fits"
        assert judged(f"+cu130torch2.11{more}").outcome != "fits"
