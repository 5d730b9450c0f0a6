from __future__ import annotations

import pytest
import yaml

from workbench.settings import ContainerSettings
from workbench.strict import Mismatch, parse

WRITTEN = """
engine: podman
images:
  cu130: {aarch64: localhost/mine:aarch64}
runtime_images:
  cu130: {aarch64: localhost/runtime:aarch64}
"""


def test_images_are_named_for_a_compute_platform_and_an_architecture() -> None:
    settings = parse(ContainerSettings, yaml.safe_load(WRITTEN))
    assert settings.image("cu130", "aarch64") == "localhost/mine:aarch64"
    assert settings.image("cu130", "x86_64") == settings.image("cpu", "aarch64") == "manylinux_2_28"
    assert settings.runtime_image("cu130", "aarch64") == "localhost/runtime:aarch64"
    assert settings.runtime_image("cpu", "aarch64") is None


def test_an_engine_that_there_is_not() -> None:
    with pytest.raises(Mismatch, match=r"engine: 'podmann' is none of .*did you mean 'podman'"):
        parse(ContainerSettings, {"engine": "podmann"})
