from __future__ import annotations

import pytest

from workbench.container.debian import SUITES
from workbench.environment import python_platform
from workbench.process import run


@pytest.mark.parametrize(
    "glibc", ["2.17", "2.28", "2.30", "2.45", *(suite.glibc for suite in SUITES.values())]
)
def test_uv_knows_the_platform(glibc: str) -> None:
    platform = python_platform("aarch64", glibc)
    assert int(platform.rpartition("_")[2]) <= int(glibc.partition(".")[2])
    assert platform in run(["uv", "pip", "install", "--help"]).output
