from __future__ import annotations

import pytest

from workbench.errors import UsageError
from workbench.plan.gpu import Architecture
from workbench.wheel.coverage import coverage, serves
from workbench.wheel.fatbin import Code, GpuCode, Place

SPARK = Architecture.parse("sm_121")


def file(*names: str, place: Place = "linked", path: str = "a.so") -> GpuCode:
    codes = (Code(architecture=Architecture.parse(n), place=place, count=1, size=8) for n in names)
    return GpuCode(path=path, codes=tuple(codes))


@pytest.mark.parametrize(
    ("code", "runs_on"),
    [
        ("sm_121", {121}),
        ("sm_120", {120, 121}),
        ("sm_121a", {121}),
        ("sm_120a", {120}),
        ("sm_120f", {120, 121}),
        ("sm_100f", {100, 103}),
        ("sm_86", {86, 89}),
        ("compute_90", {90, 100, 103, 120, 121}),
        ("compute_120", {120, 121}),
        ("compute_90a", {90}),
        ("compute_120f", {120, 121}),
        ("lto_121", set()),
    ],
)
def test_which_gpus_come_to_run_which_code(code: str, runs_on: set[int]) -> None:
    gpus = (75, 80, 86, 89, 90, 100, 103, 120, 121)
    assert {gpu for gpu in gpus if serves(Architecture.parse(code), gpu)} == runs_on


@pytest.mark.parametrize(
    ("has", "verdict", "by"),
    [
        (("sm_90", "sm_121"), "present", "sm_121"),
        (("sm_120", "compute_120"), "runs", "sm_120"),
        (("sm_120f", "sm_120"), "runs", "sm_120f"),
        (("sm_120", "sm_121a"), "runs", "sm_121a"),
        (("sm_90", "compute_90"), "jit", "compute_90"),
        (("sm_90", "compute_90", "compute_120"), "jit", "compute_120"),
        (("sm_120a", "compute_120a", "sm_90"), "missing", None),
        (("sm_122", "compute_122"), "missing", None),
        ((), "missing", None),
    ],
)
def test_what_serves_a_dgx_spark(has: tuple[str, ...], verdict: str, by: str | None) -> None:
    (judged,) = coverage([SPARK], [file(*has)])
    assert (judged.verdict, str(judged.by) if judged.by else None) == (verdict, by)
    assert str(SPARK) in judged.explanation
    if by:
        assert by in judged.explanation


def test_machine_code_runs_where_ptx_was_asked_for_and_is_no_ptx() -> None:
    for has in ("sm_121", "sm_120"):
        (judged,) = coverage([Architecture.parse("compute_121")], [file(has, "compute_90")])
        assert (judged.verdict, str(judged.by)) == ("runs", has)
        assert f"no compute_121; {has} runs there, but is machine code" in judged.explanation
    (judged,) = coverage([Architecture.parse("compute_121")], [file("sm_90", "compute_90")])
    assert (judged.verdict, str(judged.by)) == ("jit", "compute_90")


def test_every_file_is_judged_by_every_architecture() -> None:
    judged = coverage(
        [SPARK, Architecture.parse("compute_120")], [file("sm_121"), file("compute_120", path="b.so")]
    )
    assert [(each.path, str(each.asked), each.verdict) for each in judged] == [
        ("a.so", "sm_121", "present"),
        ("a.so", "compute_120", "missing"),
        ("b.so", "sm_121", "jit"),
        ("b.so", "compute_120", "present"),
    ]


def test_no_gpu_code_and_code_that_no_one_links_are_told_apart() -> None:
    (nothing,) = coverage([SPARK], [])
    (unlinked,) = coverage([SPARK], [file("sm_121", place="relocatable")])
    assert "no GPU code at all" in nothing.explanation
    assert "still to be linked" in unlinked.explanation
    assert {nothing.verdict, unlinked.verdict} == {"missing"}


@pytest.mark.parametrize("name", ["121", "sm_12.1", "sm121", "compute_1210", "sm_121b", "sm_121 "])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UsageError, match="write sm_121"):
        Architecture.parse(name)
