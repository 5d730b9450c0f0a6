"""The matrix of what there is, and of why there is nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from workbench.index.availability import ListedWheel, availability
from workbench.index.page_target import PageTarget
from workbench.registry.model import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

X86, ARM = "Linux x86_64", "Linux aarch64"


def drawn(
    wheels: Sequence[tuple[PageTarget, str] | tuple[PageTarget, str, bool]], *unavailable: Unavailable
) -> list[list[str]]:
    """Return the matrix as lines of words."""
    listed = [
        ListedWheel(target, version, f"{version} of {target.text}", bool(yanked))
        for target, version, *yanked in wheels
    ]
    found = availability(listed, unavailable, lambda url: url)
    assert found is not None
    rows = [[target.python, *(cell.version or cell.reason for cell in cells)] for target, cells in found.rows]
    return [["", *(" ".join(column.place) for column in found.columns)], *rows]


def test_a_wheel_is_where_it_belongs_and_the_newest_first() -> None:
    assert drawn(
        [(PageTarget("3.12", X86), "2.0"), (PageTarget("3.12", X86), "1.0"), (PageTarget("3.9", ARM), "1.0")]
    ) == [
        ["", ARM, X86],
        ["3.9", "1.0", "not built"],
        ["3.12", "not built", "2.0"],
    ]


def test_reasons_are_told_where_nothing_is_published() -> None:
    assert drawn(
        [],
        Unavailable(reason="failed", python="3.12", arch="aarch64", compute="cu130", torch="2.11"),
        Unavailable(reason="no torch", arch="x86_64", compute="cu126"),
    ) == [["", f"{ARM} CUDA 13.0 torch 2.11", f"{X86} CUDA 12.6"], ["3.12", "failed", "no torch"]]
    assert drawn([], Unavailable(reason="withdrawn upstream")) == [
        ["", "any platform"],
        ["any", "withdrawn upstream"],
    ]


def test_what_is_unavailable_has_a_column_of_its_own() -> None:
    assert drawn([(PageTarget("3.12", X86), "1.0")], Unavailable(reason="failed", arch="aarch64")) == [
        ["", ARM, X86],
        ["3.12", "failed", "1.0"],
    ]


def test_a_failed_build_for_the_cpu_is_told_among_wheels_for_the_cpu() -> None:
    """Such wheels are bound to no compute platform, and what failed says cpu."""
    failed = Unavailable(reason="failed", python="3.13", arch="x86_64", compute="cpu")
    assert drawn([(PageTarget("3.12", X86), "1.0")], failed) == [
        ["", X86],
        ["3.12", "1.0"],
        ["3.13", "failed"],
    ]


def test_a_reason_says_of_all_what_it_does_not_name() -> None:
    columns = [(PageTarget("3.12", platform, "cu130", "2.11"), "1.0") for platform in (X86, ARM)]
    assert drawn(columns, Unavailable(reason="upstream stops at 3.12", python="3.13"))[-1] == [
        "3.13",
        "upstream stops at 3.12",
        "upstream stops at 3.12",
    ]
    assert drawn(columns, Unavailable(reason="too old", compute="cu126", torch="2.10.0"))[0] == [
        "",
        f"{ARM} CUDA 12.6 torch 2.10",
        f"{ARM} CUDA 13.0 torch 2.11",
        f"{X86} CUDA 12.6 torch 2.10",
        f"{X86} CUDA 13.0 torch 2.11",
    ]


def test_a_wheel_for_the_stable_abi_fills_the_cells_that_it_serves() -> None:
    assert drawn(
        [
            (PageTarget("3.9+", X86), "2.0"),
            (PageTarget("3.12", ARM), "1.0"),
            (PageTarget("3.13t", X86), "1.0"),
        ]
    ) == [
        ["", ARM, X86],
        ["3.9+", "not built", "2.0"],
        ["3.12", "1.0", "2.0"],
        ["3.13t", "not built", "1.0"],
    ]


def test_a_pure_wheel_serves_all_and_nothing_is_missing_beside_it() -> None:
    assert drawn([(PageTarget("any", "any"), "2.0"), (PageTarget("3.12", X86), "1.0")]) == [
        ["", X86, "any platform"],
        ["any", "2.0", "2.0"],
        ["3.12", "1.0", "2.0"],
    ]
    assert drawn([(PageTarget("any", ARM), "1.0"), (PageTarget("3.12", X86), "1.0")])[1] == [
        "any",
        "1.0",
        "–",
    ]


def test_a_wheel_for_the_cpu_hides_no_failure_for_cuda() -> None:
    failed = Unavailable(reason="failed", compute="cu130")
    assert drawn([(PageTarget("3.12", X86), "1.0")], failed)[1] == ["3.12", "1.0", "failed"]


def test_a_yanked_wheel_is_not_called_unbuilt() -> None:
    assert drawn(
        [
            (PageTarget("3.12", X86), "2.0", True),
            (PageTarget("3.12", X86), "1.0"),
            (PageTarget("3.13", X86), "2.0", True),
        ]
    ) == [
        ["", X86],
        ["3.12", "1.0"],
        ["3.13", "yanked"],
    ]


def test_variants_and_torches_have_columns_in_order() -> None:
    targets = [
        PageTarget("3.12", X86, "cu130", "2.11"),
        PageTarget("3.12", X86, "cu130", "2.9"),
        PageTarget("3.12", X86, "cu130", "2.11", "hdim128"),
    ]
    assert drawn([(target, "1.0") for target in targets])[0] == [
        "",
        f"{X86} CUDA 13.0 torch 2.9",
        f"{X86} CUDA 13.0 torch 2.11",
        f"{X86} CUDA 13.0 torch 2.11 variant hdim128",
    ]


def test_where_nothing_is_known_there_is_no_matrix() -> None:
    assert availability([], [], lambda url: url) is None


def test_a_table_that_nobody_could_read_is_not_drawn() -> None:
    """As many Pythons as platforms would be a page of the square of the registry's length."""
    wheels = [
        ListedWheel(PageTarget(f"3.{n}+", f"Linux a{n}"), "1.0", f"demo-{n}", yanked=False)
        for n in range(5000)
    ]
    start = time.process_time()
    assert availability(wheels, [], lambda url: url) is None
    assert time.process_time() - start < 1


def test_thousands_of_reasons_are_not_compared_with_thousands_of_columns() -> None:
    wheels = [ListedWheel(PageTarget("3.12", X86), "1.0", "demo", yanked=False)]
    told = [
        Unavailable(
            reason=f"{n}", python=f"3.{n % 10}", arch="x86_64", compute=f"cu{n % 100}", torch=f"2.{n // 100}"
        )
        for n in range(20_000)
    ]
    start = time.process_time()
    assert availability(wheels, told, lambda url: url) is None
    found = availability(wheels, told[:150] * 100, lambda url: url)
    assert time.process_time() - start < 1
    assert found is not None
    assert len(found.columns) == 151
