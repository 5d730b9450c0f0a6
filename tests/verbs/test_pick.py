from __future__ import annotations

from functools import partial

import pytest

from workbench.errors import ContainerError
from workbench.make.assign import pick_builder

pick = partial(pick_builder, container=True, reason="podman has manylinux_2_28")
"""Picks on a machine with an engine and an image."""
without = partial(pick_builder, container=False, reason="podman has no image manylinux_2_28")


def test_the_native_architecture_is_built_in_a_container_where_there_is_an_engine() -> None:
    assert pick("x86_64", "x86_64") == (
        "container",
        "x86_64 is this machine's own architecture; podman has manylinux_2_28",
    )


def test_where_no_container_can_the_native_architecture_is_built_on_the_host_and_the_reason_told() -> None:
    assert without("x86_64", "x86_64") == (
        "host",
        "x86_64 is this machine's own architecture; podman has no image manylinux_2_28",
    )


def test_another_architecture_is_cross_built_and_else_emulated() -> None:
    assert pick("aarch64", "x86_64", cross=True, emulated=True)[0] == "cross"
    assert pick("aarch64", "x86_64", emulated=True)[0] == "container"


def test_what_nothing_here_builds_says_what_each_builder_lacks() -> None:
    with pytest.raises(ContainerError, match="nothing here builds for aarch64") as caught:
        without("aarch64", "x86_64")
    assert "apt install g++-aarch64-linux-gnu" in str(caught.value)
    assert "containers/setup" in str(caught.value)
    assert "here podman has no image manylinux_2_28, and no emulator for aarch64" in str(caught.value)
    with pytest.raises(ContainerError, match=r"has no image manylinux_2_28$"):
        without("aarch64", "x86_64", emulated=True)
