from __future__ import annotations

import pytest

from workbench.errors import UsageError
from workbench.plan.gpu import Architecture
from workbench.wheel.coverage import lacking, serves
from workbench.wheel.gpu_code import Code, GpuCode, Place

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


def instead(asked: str, *files: GpuCode) -> list[tuple[str, str]]:
    return list(lacking([Architecture.parse(asked)], files))


@pytest.mark.parametrize(
    ("has", "says"),
    [
        (("sm_120", "compute_120"), "no sm_121; sm_120 runs there, "),
        (("sm_120f", "sm_120"), "no sm_121; sm_120f runs there, "),
        (("sm_120", "sm_121a"), "no sm_121; sm_121a runs there, "),
        (("sm_90", "compute_90"), "no sm_121; the driver would compile compute_90 "),
        (("sm_90", "compute_90", "compute_120"), "no sm_121; the driver would compile compute_120 "),
        (("sm_120a", "compute_120a", "sm_90"), "no sm_121, and nothing that runs there: it has "),
        (("sm_122", "compute_122"), "no sm_121, and nothing that runs there: it has "),
        ((), "no sm_121, and nothing that runs there: it has no code that can be loaded"),
    ],
)
def test_what_serves_a_dgx_spark(has: tuple[str, ...], says: str) -> None:
    ((path, what),) = instead("sm_121", file(*has))
    assert path == "a.so"
    assert what.startswith(says)


def test_what_was_asked_for_lacks_nothing() -> None:
    assert instead("sm_121", file("sm_90", "sm_121")) == []


def test_machine_code_runs_where_ptx_was_asked_for_and_is_no_ptx() -> None:
    for has in ("sm_121", "sm_120"):
        ((_, what),) = instead("compute_121", file(has, "compute_90"))
        assert f"no compute_121; {has} runs there, but is machine code" in what
    ((_, what),) = instead("compute_121", file("sm_90", "compute_90"))
    assert "the driver would compile compute_90 " in what


def test_every_file_is_judged_by_every_architecture() -> None:
    files = [file("sm_121"), file("compute_120", path="b.so")]
    found = list(lacking([SPARK, Architecture.parse("compute_120")], files))
    assert [(path, what.split(";")[0].split(",")[0]) for path, what in found] == [
        ("a.so", "no compute_120"),
        ("b.so", "no sm_121"),
    ]


def test_no_gpu_code_and_code_that_no_one_links_are_told_apart() -> None:
    assert instead("sm_121") == [("", "no sm_121: there is no GPU code at all")]
    ((_, what),) = instead("sm_121", file("sm_121", place="relocatable"))
    assert "still to be linked" in what


@pytest.mark.parametrize("name", ["121", "sm_12.1", "sm121", "compute_1210", "sm_121b", "sm_121 "])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UsageError, match="write sm_121"):
        Architecture.parse(name)
