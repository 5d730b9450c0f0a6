"""For whom a wheel is, in words for people."""

from __future__ import annotations

import pytest

from tests.index.stores import listed
from workbench.evidence.facts import BuildFacts
from workbench.index.page_target import PageTarget, python_choices, python_words, target_of


def built(compute: str, torch: str | None = None, variant: str | None = None) -> BuildFacts:
    return BuildFacts(source="demo==1.0", pin="a" * 64, compute=compute, torch=torch, variant=variant)


@pytest.mark.parametrize(
    ("local", "build", "bound"),
    [
        ("", None, ("", "", "")),
        ("", built("cpu"), ("", "", "")),
        ("+cpu", built("cpu"), ("cpu", "", "")),
        ("", built("cpu", "2.11.0"), ("cpu", "2.11", "")),
        ("", built("cu130", "2.11.0+cu130"), ("cu130", "2.11", "")),
        ("+cu126torch2.10", built("cu130", "2.11.0"), ("cu126", "2.10", "")),
        ("+cu130torch2.11.hdim128", built("cu130", "2.11.0", "hdim128"), ("cu130", "2.11", "hdim128")),
        ("", built("a|b;c"), ("abc", "", "")),
        ("+cu13x.torch210", None, ("unknown", "unknown", "")),
        ("+cu13x.torch210", built("cu130", "2.11.0"), ("cu130", "2.11", "")),
        ("+cu13.3torch2.13", None, ("cu133", "2.13", "")),
    ],
)
def test_what_was_built_for_the_cpu_is_bound_to_nothing(
    local: str, build: BuildFacts | None, bound: tuple[str, str, str]
) -> None:
    """Every build has a compute platform. One for the CPU runs beside any GPU."""
    wheel = listed(f"demo-1.0{local}-cp312-cp312-manylinux_2_34_x86_64.whl", build=build)
    assert target_of(wheel)[2:] == bound


def test_the_text_of_a_target_gives_it_back() -> None:
    target = PageTarget("3.12", "Linux musl aarch64", "cu130", "2.11", "hdim128")
    assert PageTarget.of(target.text) == target


@pytest.mark.parametrize(
    ("pythons", "words"),
    [
        (["3.10", "3.11", "3.12"], ["Python 3.10 to 3.12"]),
        (["3.9", "3.10"], ["Python 3.9, 3.10"]),
        (["3.10", "3.13"], ["Python 3.10, 3.13"]),
        (["3.9+", "3.12", "3.13", "3.14", "3.13t"], ["Python 3.9+, 3.12 to 3.14, 3.13t"]),
        (["any", "3.12"], ["Python 3.12", "any Python"]),
        (["any"], ["any Python"]),
        ([], []),
    ],
)
def test_pythons_are_said_in_few_words(pythons: list[str], words: list[str]) -> None:
    assert python_words(pythons) == words


@pytest.mark.parametrize(
    ("pythons", "choices"),
    [
        (["3.10", "3.13", "3.13t", "any"], ["3.10", "3.13", "3.13t"]),
        (["3.9+", "3.12"], ["3.9", "3.10", "3.11", "3.12"]),
        (["3.9+"], ["3.9"]),
    ],
)
def test_a_person_chooses_among_pythons_that_there_are(pythons: list[str], choices: list[str]) -> None:
    """Nobody has a Python 3.9+."""
    assert python_choices(pythons) == choices


@pytest.mark.parametrize(
    ("filename", "variant", "python"),
    [
        ("demo-1.0-1-cp312-cp312-linux_x86_64.whl", "", "3.12"),
        ("demo-1.0-1a-cp312-abi3-linux_x86_64-cu130.whl", "cu130", "3.12+"),
        ("demo-1.0-cp312-cp312-manylinux1_x86_64.manylinux_2_5_x86_64-x86_64_v3.whl", "x86_64_v3", "3.12"),
    ],
)
def test_a_label_in_a_filename_is_part_of_the_target(filename: str, variant: str, python: str) -> None:
    """Wheel variants (PEP 825, a draft)."""
    target = target_of(listed(filename))
    assert (target.python, target.platform, target.variant) == (python, "Linux x86_64", variant)
