"""What gpkg 0.4.3 answers wrongly, kind by kind (docs/consumer.md has its answers), and what is right."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from tests.consume.cells import compare_cells, peer
from tests.consume.hosts import HOPPER, OLD_DRIVER, SPARK
from workbench.consume.given import given
from workbench.consume.judge import judge_all, matching
from workbench.consume.names import group
from workbench.consume.offer import Hints, OfferedWheel
from workbench.consume.rank import best

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.consume.host import Host

LINUX = "cp312-cp312-linux_x86_64"


def named(tags: str = LINUX, version: str = "2.8.3", local: str = "cu130torch2.11") -> str:
    return f"flash_attn-{version}+{local}-{tags}.whl"


@pytest.mark.parametrize(
    ("host", "names", "right"),
    [
        pytest.param(HOPPER, [named("cp312-cp312-manylinux_2_34_aarch64")], None, id="another architecture"),
        pytest.param(
            replace(HOPPER, python="3.13"),
            [named("cp313-cp313t-linux_x86_64")],
            None,
            id="free-threaded for 3.13",
        ),
        pytest.param(
            replace(HOPPER, python="3.13t"),
            [named("cp313-cp313t-linux_x86_64"), named("cp313-cp313-linux_x86_64", "3.0.0")],
            named("cp313-cp313t-linux_x86_64"),
            id="a free-threaded project",
        ),
        pytest.param(
            replace(HOPPER, python="3.13t"),
            [named("cp39-abi3-linux_x86_64")],
            None,
            id="the stable ABI, free-threaded",
        ),
        pytest.param(HOPPER, [f"{named()}.asc"], None, id="a signature"),
        pytest.param(HOPPER, [f"{named()}.metadata"], None, id="a metadata file"),
        pytest.param(SPARK, [named("cp312-cp312-musllinux_1_2_aarch64")], None, id="musl"),
        pytest.param(
            replace(HOPPER, glibc="2.31"),
            [named("cp312-cp312-manylinux_2_39_x86_64")],
            None,
            id="a newer glibc",
        ),
        pytest.param(
            given(HOPPER, python="3.1"), [named()], None, id="Python 3.1 is not the beginning of 3.12"
        ),
        pytest.param(
            replace(HOPPER, torch="2.10.0", compute="cu128"),
            [named(local="torch210cu128")],
            named(local="torch210cu128"),
            id="torch 2.10 without its dot",
        ),
        pytest.param(
            replace(HOPPER, torch="2.1.0", compute="cu128"),
            [named(local="torch210cu128")],
            None,
            id="and not 2.1",
        ),
        pytest.param(HOPPER, [named(), named(version="2.8.3.rc1")], named(), id="a pre-release is not newer"),
        pytest.param(
            HOPPER, [named(), named(version="2.8.3.dev1")], named(), id="a development release is not newer"
        ),
        pytest.param(HOPPER, [named(version="2.8")], named(version="2.8"), id="a version of two numbers"),
        pytest.param(
            HOPPER, [named(version="2.8.3.1")], named(version="2.8.3.1"), id="a version of four numbers"
        ),
        pytest.param(
            replace(HOPPER, torch="2.10.0"),
            [named("cp39-abi3-linux_x86_64", local="cu130torch2.9.0andhigher.post4")],
            named("cp39-abi3-linux_x86_64", local="cu130torch2.9.0andhigher.post4"),
            id="torch 2.9.0 and higher",
        ),
        pytest.param(
            replace(HOPPER, torch="2.11.1"),
            [named(local="cu130torch2.11.0")],
            named(local="cu130torch2.11.0"),
            id="another patch release of torch",
        ),
        pytest.param(
            HOPPER,
            [
                named(local="cu13torch2.11cxx11abitrue"),
                named(local="cu13torch2.11cxx11abi0", version="3.0.0"),
            ],
            named(local="cu13torch2.11cxx11abitrue"),
            id="an ABI in other letters",
        ),
        pytest.param(
            replace(HOPPER, compute="cu126"),
            [named(local="cu128torch2.11")],
            named(local="cu128torch2.11"),
            id="another minor CUDA",
        ),
        pytest.param(OLD_DRIVER, [named(local="cu130torch2.6")], None, id="a driver that is too old"),
        pytest.param(
            HOPPER,
            [named("cp311.cp312-cp311.cp312-linux_x86_64")],
            named("cp311.cp312-cp311.cp312-linux_x86_64"),
            id="tags in sets",
        ),
        pytest.param(
            HOPPER, [named("py3-none-linux_x86_64")], named("py3-none-linux_x86_64"), id="any Python 3"
        ),
        pytest.param(HOPPER, [named(f"1-{LINUX}")], named(f"1-{LINUX}"), id="a build tag"),
        pytest.param(
            HOPPER,
            [f"Flash.Attn-2.8.3+cu130torch2.11-{LINUX}.whl"],
            f"Flash.Attn-2.8.3+cu130torch2.11-{LINUX}.whl",
            id="another spelling",
        ),
        pytest.param(
            HOPPER,
            [named(local="cu130torch2.11gite2743ab")],
            named(local="cu130torch2.11gite2743ab"),
            id="a commit",
        ),
        pytest.param(
            HOPPER,
            [named(), named("cp312-cp312-manylinux_2_28_x86_64")],
            named("cp312-cp312-manylinux_2_28_x86_64"),
            id="tags that say which glibc",
        ),
    ],
)
def test_the_right_answer(host: Host, names: list[str], right: str | None) -> None:
    offers = [
        OfferedWheel(filename=n, url=f"https://e.com/{n}", source="e", hints=Hints(packing="minor"))
        for n in names
    ]
    for verdicts in (judge_all, matching):
        found = best(verdicts(group(offers), host, Requirement("flash-attn")))
        assert [each.offer.filename for each in found if each.outcome == "fits"][:1] == (
            [right] if right else []
        )


def test_what_gpkg_itself_resolves_rightly_we_resolve_to_the_same_or_better(tmp_path: Path) -> None:
    """Both are asked for each cell of a matrix; `packaging.tags` and the names say what is right."""
    count = compare_cells(tmp_path, peer(tmp_path))  # ours is right in all, or it fails
    assert count["cells"] == 960
    assert 0 < count["theirs right"] < count["wheels"]
    assert count["theirs wrong"]
