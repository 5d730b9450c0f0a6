"""What real names say, against a table that was written by reading them, and reviewed."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from tests.consume.hosts import HOPPER
from tests.consume.names import released
from workbench.consume.available import available
from workbench.consume.host import Host
from workbench.consume.judge import judge, judge_all, matching
from workbench.consume.names import group
from workbench.consume.offer import Hints, OfferedWheel
from workbench.consume.tags import judge_tags
from workbench.consume.verdict import worst
from workbench.wheel.local_version import parse_local

ROWS = [line.split("\t") for line in (Path(__file__).parent / "names.tsv").read_text().splitlines()[1:]]
GOOD = [row for row in ROWS if row[1] != "bad"]
BAD = [row[0] for row in ROWS if row[1] == "bad"]

GLIBCS = ("2.17", "2.24", "2.28", "2.35", "2.39")
PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.13t", "3.14", "3.14t")


def offered(filename: str, **facts: str) -> OfferedWheel:
    return OfferedWheel(filename=filename, url=f"https://example.com/{filename}", source="test", **facts)  # type: ignore[arg-type]


def accepted(python: str, arch: str, glibc: str) -> frozenset[Tag]:
    """Return the tags that packaging says a Python accepts, on platforms that are spelled here (PEP 600)."""
    version, threads = python.removesuffix("t"), python[len(python.removesuffix("t")) :]
    minor = int(version.split(".")[1])
    floors = range(5 if arch == "x86_64" else 17, int(glibc.split(".")[1]) + 1)
    old = {"x86_64": {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}}.get(
        arch, {17: "manylinux2014"}
    )
    platforms = [
        f"linux_{arch}",
        *(f"manylinux_2_{n}_{arch}" for n in floors),
        *(f"{old[n]}_{arch}" for n in old),
    ]
    name = f"cp3{minor}"
    return frozenset(
        (
            *cpython_tags((3, minor), [f"{name}{threads}"], platforms),
            *compatible_tags((3, minor), name, platforms),
        )
    )


def test_the_table_has_all_of_them() -> None:
    assert len(ROWS) == 199
    assert BAD == [
        "flash_attn-2.8.3+cu130torch2.9.1.whl",
        "sgl_kernel-0.3.21-py3.12-linux-x86_64.egg",
        "numpy-2.3.2-cp313-cp313t-musllinux_1_2_x86_64-x86_64_v3.whl",
        "numpy-2.3.2-cp313-cp313t-musllinux_1_2_x86_64-null.whl",
    ]


@pytest.mark.parametrize("row", GOOD, ids=lambda row: row[0])
def test_a_name_is_read_as_the_table_has_it(row: list[str]) -> None:
    filename, python, arch, glibc, compute, torch, abi = row
    said = parse_local(filename.split("-", 2)[1].partition("+")[2])
    assert (said.compute or "-", (said.torch or "-") + ("+" if said.or_newer else "")) == (compute, torch)
    assert said.cxx11_abi is {"true": True, "false": False, "-": None}[abi]
    cells = available([offered(filename)])
    assert {(cell.python, cell.arch) for cell in cells} == {(python, arch)}
    if arch in ("x86_64", "aarch64"):
        machine = Host(python=python.rstrip("+") if python != "3" else "3.12", arch=arch, glibc="2.5")
        floors = [
            r.needs
            for r in judge_tags(group([offered(filename)])[0], None, machine).reasons
            if r.kind == "glibc"
        ]
        assert floors == ["" if glibc == "-" else glibc]


@pytest.mark.parametrize("row", GOOD, ids=lambda row: row[0])
def test_tags_serve_whom_packaging_says(row: list[str]) -> None:
    tags = parse_wheel_filename(row[0])[3]
    (same,) = group([offered(row[0])])
    for python, arch, glibc in product(PYTHONS, ("x86_64", "aarch64"), GLIBCS):
        verdict = judge_tags(same, None, Host(python=python, arch=arch, glibc=glibc))
        expected = not tags.isdisjoint(accepted(python, arch, glibc))
        assert (worst(verdict.reasons) == "fits") is expected, (python, arch, glibc)
        assert any(reason.outcome == "no" for reason in verdict.reasons) is not expected


@pytest.mark.parametrize("filename", BAD)
def test_what_is_not_a_wheels_name_is_refused(filename: str) -> None:
    with pytest.raises(InvalidWheelFilename):
        parse_wheel_filename(filename)
    judged = judge(offered(filename), HOPPER, Requirement(filename.partition("-")[0]))
    assert [(reason.kind, reason.outcome) for reason in judged.reasons] == [("filename", "no")]
    assert available([offered(filename)]) == ()
    assert matching(group([offered(filename)]), HOPPER, Requirement(filename.partition("-")[0])) == ()


HOSTS = [
    Host(python=python, arch=arch, glibc=glibc, torch=torch, compute=compute, cxx11_abi=True)
    for python, (arch, glibc), torch, compute in product(
        ("3.9", "3.10", "3.11", "3.12", "3.13", "3.13t", "3.14", "3.14t"),
        (("x86_64", "2.39"), ("aarch64", "2.31"), ("aarch64", "2.39")),
        ("2.4", "2.5", "2.6", "2.7", "2.8", "2.9", "2.10", "2.11", "2.12", "2.13"),
        ("cu124", "cu126", "cu128", "cu129", "cu130", "cu132"),
    )
]


def test_cells_of_the_largest_source_have_the_wheels_that_serve_them() -> None:
    """Packaging says which tags serve, and the rest of such names needs no more than a split."""
    names = released()
    groups = group([offered(name) for name in names])
    tags = {
        ending: parse_wheel_filename(f"x-0-{ending}")[3]
        for ending in {name.split("-", 2)[2] for name in names}
    }
    read: dict[tuple[str, str, str], set[str]] = {}
    for name in names:
        project, version, _ = name.split("-", 2)
        cuda, _, torch = version.partition("+cu")[2].partition("torch")
        read.setdefault((project, cuda[:2], torch.partition("git")[0]), set()).add(name)
    served = 0
    for host in random.Random(1).sample(HOSTS, 240):  # noqa: S311 - the same of the 1,440 every time
        ours = accepted(host.python or "", host.arch or "", host.glibc or "")
        serving = {ending for ending, of in tags.items() if not of.isdisjoint(ours)}
        for project in ("flash_attn", "flash_attn_3"):
            built = read.get((project, (host.compute or "")[2:4], host.torch or ""), set())
            expected = {name for name in built if name.split("-", 2)[2] in serving}
            found = matching(groups, host, Requirement(project))
            assert {each.offer.filename for each in found} == expected, host
            assert {each.outcome for each in found} <= {"fits"}
            served += bool(expected)
    assert served > 100


def test_all_verdicts_and_the_quick_ones_agree() -> None:
    """The quick way makes no reasons for what does not fit; the answer is the same."""
    offers = [offered(row[0]) for row in ROWS] + [offered(name) for name in released()[::40]]
    groups = group(offers)
    for project in ("flash_attn", "natten", "torch", "vllm", "sgl-kernel"):
        asked = Requirement(project)
        every = judge_all(groups, HOPPER, asked)
        assert len(every) == len(offers)
        assert {each for each in every if each.outcome != "no"} == set(matching(groups, HOPPER, asked))
        assert all(each.reasons for each in every)


PYG, OPENRLHF = Hints(packing="minor"), Hints(packing="patch")


@pytest.mark.parametrize(
    ("local", "hints", "expected"),
    [
        ("pt211cu128", PYG, ("cu128", "2.11")),
        ("pt211cu124", PYG, ("cu124", "2.11")),
        ("pt24cu124", PYG, ("cu124", "2.4")),
        ("pt210cu126", PYG, ("cu126", "2.10")),
        ("pt270cu126", OPENRLHF, ("cu126", "2.7.0")),
        ("pt211cu121", OPENRLHF, ("cu121", "2.1.1")),
        ("pt211cu128", OPENRLHF, ("cu128", "2.1.1")),
        ("torch2100cu130", OPENRLHF, ("cu130", "2.10.0")),
        ("torch2100cu130", Hints(), ("cu130", "2.10.0")),
        ("torch280cu128", Hints(), ("cu128", "2.8.0")),
        ("", Hints(compute="cu126"), ("cu126", "")),
        ("", Hints(compute="cu111", torch="1.10"), ("cu111", "1.10")),
        ("cu130torch2.11", Hints(compute="cu126", torch="2.9"), ("cu130", "2.11")),
        ("torch2.6", Hints(compute="cu124"), ("cu124", "2.6")),
        ("c159edc0.d20250906", Hints(compute="cu128"), ("cu128", "")),
    ],
)
def test_what_a_source_says_fills_what_its_names_do_not(
    local: str, hints: Hints, expected: tuple[str, str]
) -> None:
    filename = f"demo-1.0{f'+{local}' if local else ''}-cp312-cp312-linux_x86_64.whl"
    (cell,) = available(
        [OfferedWheel(filename=filename, url="https://example.com", source="test", hints=hints)]
    )
    assert (cell.compute, cell.torch) == (expected[0], ".".join(expected[1].split(".")[:2]))
    assert parse_local(local, hints.packing).torch in ("", expected[1])


def test_the_table_of_what_there_is() -> None:
    cells = available(
        [
            offered("demo-1.0+cu130torch2.11-cp312-cp312-linux_x86_64.whl"),
            offered("demo-1.10+cu130torch2.11.1-cp312-cp312-manylinux_2_28_x86_64.whl"),
            offered("demo-1.9+cu130torch2.11-cp312-cp312-linux_aarch64.whl"),
            offered("demo-1.0+cu128torch2.9.0andhigher-cp39-abi3-win_amd64.whl"),
            offered("demo-1.0+cu13x-cp313-cp313t-musllinux_1_2_x86_64.whl"),
            offered("demo-1.0-py3-none-any.whl"),
            offered("demo-1.0+cu130torch2.11-cp312-cp312-linux_x86_64.whl.asc"),
        ]
    )
    assert [tuple(cell) for cell in cells] == [
        ("unknown", "", "3.13t", "musllinux_1_2_x86_64", ("1.0",)),
        ("cu130", "2.11", "3.12", "x86_64", ("1.10", "1.0")),
        ("cu130", "2.11", "3.12", "aarch64", ("1.9",)),
        ("cu128", "2.9+", "3.9+", "win_amd64", ("1.0",)),
        ("", "", "3", "any", ("1.0",)),
    ]
