"""To which channel a wheel belongs, told from its local version."""

from __future__ import annotations

import pytest

from workbench.index.channel import channel_of, short_version


@pytest.mark.parametrize(
    ("local", "folder"),
    [
        ("cu130torch2.11", "cu130/torch2.11"),
        ("cu130.torch2.11", "cu130/torch2.11"),
        ("cu130", "cu130"),
        ("cpu", "cpu"),
        ("rocm6.4torch2.9", "rocm6.4/torch2.9"),
        ("mine.cu130torch2.11", "cu130/torch2.11"),
        ("cu130torch2.11.post1", "cu130/torch2.11"),
        ("cu130torch2.11.g1234567", "cu130/torch2.11"),
        ("cu12torch2.8cxx11abiTRUE", "cu12/torch2.8"),
        ("torch2.11cu130", "cu130/torch2.11"),
        ("cu13.0torch2.13", "cu130/torch2.13"),
        ("cu13.3torch2.13", "cu133/torch2.13"),
        ("cu.12.8.torch.2.11", "cu128/torch2.11"),
        ("cu128torch2.8.0", "cu128/torch2.8"),
        ("cu130torch2.9.0andhigher.post4", "cu130"),
        ("pt211cu128", "cu128/torch2.11"),
        ("torch210cu124", None),
        ("cu13x.torch2.13", None),
        ("cu130torch2.11x", None),
        ("cu126torch2.10.cu130", None),
        ("local7", None),
        ("mycpu", None),
        ("cu1301234567", None),
        ("torch2.11", None),
    ],
)
def test_a_wheel_is_in_the_channel_that_its_local_version_names(local: str, folder: str | None) -> None:
    channel = channel_of(f"demo-1.0+{local}-cp312-cp312-manylinux_2_34_x86_64.whl")
    assert (channel.folder if channel else None) == folder


def test_a_wheel_without_a_local_version_is_in_none() -> None:
    assert channel_of("cu130-1.0-py3-none-any.whl") is None


def test_a_variant_of_the_recipe_is_in_no_channel() -> None:
    """Installers would take it before the usual build: its local version is the higher."""
    assert channel_of("demo-1.0+cu130torch2.11.hdim128-py3-none-any.whl", variant="hdim128") is None


@pytest.mark.parametrize(
    ("version", "variant", "short"),
    [
        ("1.0", None, "1.0"),
        ("1.0+cu130torch2.11", None, "1.0"),
        ("1.0+torch2.11.cu130", None, "1.0"),
        ("1.0+cu130torch2.11.hdim128", "hdim128", "1.0"),
        ("1.0+hdim128", "hdim128", "1.0"),
        ("1.0+cu130torch2.11.post1", None, "1.0+cu130torch2.11.post1"),
        ("1.0+mine.cu130torch2.11", None, "1.0+mine.cu130torch2.11"),
        ("1.0+local7", None, "1.0+local7"),
        ("1.0+cu.13.0", None, "1.0"),
        ("1.0+cu13x", None, "1.0+cu13x"),
        ("1.0+cu130torch2.11.1", None, "1.0+cu130torch2.11.1"),
        ("1.0+cu130torch2.11cxx11abifalse", None, "1.0+cu130torch2.11cxx11abifalse"),
    ],
)
def test_a_version_is_short_where_its_local_part_says_nothing_more(
    version: str, variant: str | None, short: str
) -> None:
    assert short_version(version, variant) == short
