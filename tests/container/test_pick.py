from __future__ import annotations

from functools import partial

import pytest

from workbench.container.pick import pick_builder
from workbench.errors import ContainerError

pick = partial(pick_builder, engine="podman 4.3.1", image="manylinux_2_28")
"""Picks on a machine with an engine and an image."""


def test_the_native_architecture_is_built_in_a_container_where_there_is_an_engine() -> None:
    builder, why = pick("x86_64", "x86_64")
    assert (builder, why) == (
        "container",
        "x86_64 is this machine's own architecture, and podman 4.3.1 has manylinux_2_28",
    )


def test_without_an_engine_or_an_image_the_native_architecture_is_built_on_the_host() -> None:
    assert pick_builder("x86_64", "x86_64", engine=None, image="manylinux_2_28")[0] == "host"
    builder, why = pick_builder("x86_64", "x86_64", engine="podman 4.3.1", image=None)
    assert (builder, why.endswith("podman 4.3.1 has no image for it")) == ("host", True)


def test_another_architecture_is_cross_built_and_else_emulated() -> None:
    assert pick("aarch64", "x86_64", cross=True, emulated=True)[0] == "cross"
    assert pick("aarch64", "x86_64", emulated=True)[0] == "container"


def test_what_nothing_here_builds_says_what_each_builder_lacks() -> None:
    with pytest.raises(ContainerError, match="nothing here builds for aarch64") as caught:
        pick("aarch64", "x86_64")
    assert "apt install g++-aarch64-linux-gnu" in str(caught.value)
    assert "containers/setup" in str(caught.value)
